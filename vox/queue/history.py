"""The history: all jobs of the job table, newest first.

Reads alone; what changes jobs is `store`, and what waits or is spoken is read there too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import UnknownJob
from ..jobs import Job, State
from . import texts
from .database import Database

PAGE = 200
"""Jobs that are read at once."""
PAGE_CHARACTERS = 1_000_000
"""Fewer of them are, if their texts together are longer than this."""


class History:
    """The history of one job table: part of its `Store`, whose rules hold here too."""

    def __init__(self, db: Database, job_of: Callable[[sqlite3.Row], Job]) -> None:
        """`job_of`: the job of a row, with all of its text that has come."""
        self._db = db
        self._job = job_of

    def latest(self) -> Job | None:
        rows = self._db.query("select * from job order by seq desc limit 1")
        return self._job(rows[0]) if rows else None

    def newest(self, number: int) -> Job:
        """The newest job (1), the one before it (2), and so on. Raises UnknownJob."""
        rows = self._db.query("select * from job order by seq desc limit 1 offset ?", (number - 1,))
        if not rows:
            raise UnknownJob("there is no job yet" if number == 1 else f"there is no job @{number}")
        return self._job(rows[0])

    def last_heard(self) -> Job:
        """The newest job that has ended and was heard, to its end or not. Raises UnknownJob."""
        rows = self._db.query(
            "select * from job where finished_at is not null and sink = 'play' "
            "and first_audio_at is not null order by seq desc limit 1"
        )
        if not rows:
            raise UnknownJob("nothing was heard yet")
        return self._job(rows[0])

    def jobs(
        self,
        limit: int | None = None,
        search: str | None = None,
        states: Sequence[State] = (),
        source: str | None = None,
    ) -> list[Job]:
        """Jobs, newest first. `search` is found anywhere in the text, in upper or lower case."""
        return [job for page in self.pages(limit, search, states, source) for job in page]

    def pages(
        self,
        limit: int | None = None,
        search: str | None = None,
        states: Sequence[State] = (),
        source: str | None = None,
        before: int | None = None,
    ) -> Iterator[list[Job]]:
        """As `jobs`, some jobs at a time: a long history needs little memory.

        Each page is read when it is asked for, so jobs that change meanwhile are shown as they
        are then. `before`: only jobs that were made before the one with this `seq`.
        """
        while limit is None or limit > 0:
            wanted = PAGE if limit is None else min(PAGE, limit)
            page = self._page(wanted, search, states, source, before)
            if not page:
                return
            yield page
            before = page[-1].seq
            limit = None if limit is None else limit - len(page)

    def _page(
        self,
        limit: int,
        search: str | None,
        states: Sequence[State],
        source: str | None,
        before: int | None,
    ) -> list[Job]:
        where, params = _where(search, states, source, before)
        sql = f"select * from job where {where} order by seq desc limit ?"
        room = PAGE_CHARACTERS

        def is_enough(row: sqlite3.Row) -> bool:
            nonlocal room
            room -= len(row["text"] or "")
            return room <= 0

        return [self._job(row) for row in self._db.query(sql, [*params, limit], is_enough)]

    def last_of_page(
        self,
        limit: int,
        search: str | None = None,
        states: Sequence[State] = (),
        source: str | None = None,
        before: int | None = None,
    ) -> str | None:
        """The id of the last of the first `limit` jobs; None if there are no more than these."""
        where, params = _where(search, states, source, before)
        sql = f"select id from job where {where} order by seq desc limit 2 offset ?"
        rows = self._db.query(sql, [*params, limit - 1])
        return rows[0]["id"] if len(rows) > 1 else None

    def counts_by_backend(self) -> dict[tuple[str, str], int]:
        """How many jobs there are, by state and backend."""
        rows = self._db.query(
            "select state, backend, count(*) as n from job group by state, backend"
        )
        return {(row["state"], row["backend"]): row["n"] for row in rows}


def _where(
    search: str | None, states: Sequence[State], source: str | None, before: int | None
) -> tuple[str, list[Any]]:
    """The condition for those jobs, and its parameters."""
    where, params = ["1"], list[Any]()
    if before is not None:
        where.append("seq < ?")
        params.append(before)
    if search:
        where.append(f"instr(folded({texts.TEXT_SQL}), ?)")
        params.append(search.casefold())
    if states:
        where.append(f"state in ({', '.join('?' * len(states))})")
        params.extend(states)
    if source:
        where.append("source = ?")
        params.append(source)
    return " and ".join(where), params
