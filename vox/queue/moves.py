"""Back and forward by sentences, asked for where no socket leads to who speaks: in the table.

Who speaks looks for it often (see `Engine`), does it and takes it away.
"""

from __future__ import annotations

from .database import Database

_KEY = "move"


class Moves:
    """Any thread and process may use it. Every method raises StorageError."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def ask(self, steps: int) -> None:
        """Go so many sentences forward (or back, below 0), added to what is asked."""
        with self._db.transaction() as conn:
            conn.execute(
                "insert into flag values (?, ?) "
                "on conflict (key) do update set value = value + excluded.value",
                (_KEY, str(steps)),
            )

    @property
    def asked(self) -> int:
        """The sentences that are asked for; 0: none. Quick."""
        rows = self._db.count(f"select value from flag where key = '{_KEY}'")
        return int(rows[0]["value"]) if rows else 0

    def done(self, steps: int) -> None:
        """So many are done; what was asked for meanwhile stays."""
        with self._db.transaction() as conn:
            conn.execute("update flag set value = value - ? where key = ?", (steps, _KEY))
            conn.execute("delete from flag where key = ? and value = 0", (_KEY,))

    def clear(self) -> None:
        """Nobody waits for it any more."""
        with self._db.transaction() as conn:
            conn.execute("delete from flag where key = ?", (_KEY,))
