"""Sources whose jobs are held back in the queue: how the job table says so.

Only what is to be played is held. A pause of all speech is another flag, and the player's business.
"""

from __future__ import annotations

from collections.abc import Collection

from .database import Database

_PREFIX = "paused:"


def flag_of(source: str) -> str:
    """The flag that holds the jobs of that source back."""
    return _PREFIX + source


def paused_sources(db: Database) -> frozenset[str]:
    rows = db.query("select key from flag where key >= ? and key < ?", (_PREFIX, "paused;"))
    return frozenset(row["key"].removeprefix(_PREFIX) for row in rows)


def of_sources_sql(sources: Collection[str]) -> str:
    """The condition for jobs of these sources that are to be played; its parameters are they."""
    return f"(sink = 'play' and source in ({', '.join('?' * len(sources))}))"
