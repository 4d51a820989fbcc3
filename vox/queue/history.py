"""The history: all jobs of the job table, newest first.

Reads alone; what changes jobs is `store`, and what waits or is spoken is read there too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import UnknownJob
from ..jobs import EVERY_JOB, LIVE, Job, State, Wanted
from . import texts
from .database import Database

PAGE = 200
"""Jobs that are read at once."""
PAGE_CHARACTERS = 1_000_000
"""Fewer of them are, if their texts together are longer than this."""

LIVE_SQL = "('queued', 'preparing', 'speaking')"
NO_SEQ = 2**62
"""More than the `seq` of any job."""


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

    def jobs(self, limit: int | None = None, wanted: Wanted = EVERY_JOB) -> list[Job]:
        """Jobs, newest first."""
        return [job for page in self.pages(limit, wanted) for job in page]

    def pages(
        self, limit: int | None = None, wanted: Wanted = EVERY_JOB, before: int | None = None
    ) -> Iterator[list[Job]]:
        """As `jobs`, some jobs at a time: a long history needs little memory.

        Each page is read when it is asked for, so jobs that change meanwhile are shown as they
        are then. `before`: only jobs that were made before the one with this `seq`.
        """
        first = self._first(wanted)
        while limit is None or limit > 0:
            page = self._page(PAGE if limit is None else min(PAGE, limit), wanted, first, before)
            if not page:
                return
            yield page
            before = page[-1].seq
            limit = None if limit is None else limit - len(page)

    def last_of_page(
        self, limit: int, wanted: Wanted = EVERY_JOB, before: int | None = None
    ) -> str | None:
        """The id of the last of the first `limit` jobs; None if there are no more than these."""
        seqs, params = _seqs(wanted, self._first(wanted), before, limit + 1)
        sql = f"select id from job where seq in ({seqs}) order by seq desc limit 2 offset ?"
        rows = self._db.query(sql, [*params, limit - 1])
        return rows[0]["id"] if len(rows) > 1 else None

    def _page(self, limit: int, wanted: Wanted, first: int | None, before: int | None) -> list[Job]:
        seqs, params = _seqs(wanted, first, before, limit)
        sql = f"select * from job where seq in ({seqs}) order by seq desc"
        room = PAGE_CHARACTERS

        def is_enough(row: sqlite3.Row) -> bool:
            nonlocal room
            room -= len(row["text"] or "")
            return room <= 0

        return [self._job(row) for row in self._db.query(sql, params, is_enough)]

    def _first(self, wanted: Wanted) -> int | None:
        """The lowest `seq` of the jobs made since then: older rows need not be looked at."""
        if wanted.since is None:
            return None
        sql = "select min(seq) from job indexed by job_created where created_at >= ?"
        first = self._db.query(sql, (wanted.since,))[0][0]
        return NO_SEQ if first is None else int(first)

    def counts_by_backend(self) -> dict[tuple[str, str], int]:
        """How many jobs there are, by state and backend."""
        rows = self._db.query(
            "select state, backend, count(*) as n from job group by state, backend"
        )
        return {(row["state"], row["backend"]): row["n"] for row in rows}


def _seqs(
    wanted: Wanted, first: int | None, before: int | None, limit: int
) -> tuple[str, list[Any]]:
    """A statement that gives the `seq` of the newest of these jobs, and its parameters."""
    parts, params = list[str](), list[Any]()
    # Of each state by itself: the index of a state is in the order of `seq`.
    for state in dict.fromkeys(wanted.states or (None,)):
        where, its_params = _where(wanted, state, first, before)
        parts.append(f"select * from (select seq from job where {where} order by seq desc limit ?)")
        params += [*its_params, limit]
    return f"{' union all '.join(parts)} order by seq desc limit ?", [*params, limit]


def _where(
    wanted: Wanted, state: State | None, first: int | None, before: int | None
) -> tuple[str, list[Any]]:
    """The condition for those jobs, and its parameters."""
    conditions: list[tuple[str, Any]] = []
    if before is not None:
        conditions.append(("seq < ?", before))
    if first is not None:
        conditions += [("seq >= ?", first), ("created_at >= ?", wanted.since)]
    if state is not None:
        live_or_not = "in" if state in LIVE else "not in"
        conditions.append((f"state {live_or_not} {LIVE_SQL} and state = ?", state))
    if wanted.source is not None:
        conditions.append(("source = ?", wanted.source))
    if wanted.search:
        conditions.append((f"instr(folded({texts.TEXT_SQL}), ?)", wanted.search.casefold()))
    return " and ".join(["1", *(sql for sql, _ in conditions)]), [each for _, each in conditions]
