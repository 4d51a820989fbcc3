"""Deletes jobs that have ended: from the table, from the index for the search and from the events.

Some at a time, so that nobody who writes waits for long. Texts are overwritten, in the file, in the
index and in the write-ahead log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import NamedTuple

from .database import Database
from .events import Bus
from .rows import LIVE_SQL
from .search import SearchIndex
from .set_aside import remove_set_aside

AT_ONCE = 200
"""Jobs that are deleted at once, while all others who write wait."""
ALL_BEFORE = 1e18
"""A time that no job is as young as."""

ForgetAudio = Callable[[Sequence[str]], object]
"""Called with the ids of jobs before they are deleted."""


class _Old(NamedTuple):
    seq: int
    id: str


class Forgetting:
    """The deleting of one job table's jobs: part of its `Store`, whose rules hold here too."""

    def __init__(
        self, db: Database, index: SearchIndex, bus: Bus | None, clock: Callable[[], float]
    ) -> None:
        self._db = db
        self._index = index
        self._bus = bus
        self._clock = clock

    def clear(
        self,
        older_than_s: float | None = None,
        forget_audio: ForgetAudio = lambda _job_ids: None,
    ) -> list[str]:
        """Delete jobs that ended longer ago than so many seconds (None: all ended jobs).

        With None, damaged databases that were set aside go too. Returns the jobs' ids.
        """
        if older_than_s is None:
            self._index.forget_all()
        gone = []
        while some := self.clear_some(older_than_s, forget_audio):
            gone += some
        while self._index.purge():
            pass
        self._db.truncate_log()
        if older_than_s is None:
            remove_set_aside(self._db.path)
        return gone

    def clear_some(
        self,
        older_than_s: float | None = None,
        forget_audio: ForgetAudio = lambda _job_ids: None,
    ) -> list[str]:
        """As `clear`, some of these jobs: none are left once it returns none.

        The index and the log still hold parts of their texts: see `SearchIndex.purge` and
        `Database.truncate_log`.
        """
        before = ALL_BEFORE if older_than_s is None else self._clock() - older_than_s
        old = self._old(before)
        if not old:
            return []
        forget_audio([each.id for each in old])
        with self._db.transaction() as conn:
            rows = [row for each in old for row in _delete(conn, each)]
            self._index.forget(conn, [(row["seq"], row["text"]) for row in rows])
            # The file of such a job may still lie in the inbox under its id: see `inbox.file_jobs`.
            inbox = [
                (row["id"], row["state"], row["error"]) for row in rows if row["via"] == "inbox"
            ]
            conn.executemany("insert or ignore into cleared values (?, ?, ?)", inbox)
        gone = [row["id"] for row in rows]
        if self._bus is not None:
            self._bus.forget(gone)
        return [each.id for each in old]

    def _old(self, before: float) -> list[_Old]:
        rows = self._db.query(
            "select seq, id from job indexed by job_created where created_at < ? "
            f"and state not in {LIVE_SQL} "
            "and coalesce(finished_at, created_at) < ? limit ?",
            (before, before, AT_ONCE),
        )
        return [_Old(row["seq"], row["id"]) for row in rows]


def _delete(conn: sqlite3.Connection, old: _Old) -> list[sqlite3.Row]:
    sql = "delete from job where seq = ? returning seq, id, via, state, error, text"
    return conn.execute(sql, (old.seq,)).fetchall()
