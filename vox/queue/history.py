"""The history: all jobs of the job table, newest first.

Reads alone; what changes jobs is `store`, and what waits or is spoken is read there too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import UnknownJob
from ..jobs import EVERY_JOB, LIVE, Job, Wanted
from . import stats, texts
from .database import Database, IndexDamaged
from .rows import LIVE_SQL
from .search import SearchIndex

PAGE = 200
"""Jobs that are read at once."""
PAGE_CHARACTERS = 1_000_000
"""Fewer of them are, if their texts together are longer than this."""

FEW = 1_000
"""So many texts are looked at one by one sooner than the index is asked."""
NO_SEQ = 2**62
"""More than the `seq` of any job."""

_KEPT_SQL = f"job.seq not in (select seq from job where state in {LIVE_SQL} and unkept)"
"""True of what the history shows. Only a live job may be one that is not kept."""


class History:
    """The history of one job table: part of its `Store`, whose rules hold here too."""

    def __init__(
        self, db: Database, job_of: Callable[[sqlite3.Row], Job], clock: Callable[[], float]
    ) -> None:
        """`job_of`: the job of a row, with all of its text that has come."""
        self._db = db
        self._job = job_of
        self._clock = clock
        self.index = SearchIndex(db)

    def latest(self) -> Job | None:
        rows = self._db.query("select * from job order by seq desc limit 1")
        return self._job(rows[0]) if rows else None

    def newest(self, number: int) -> Job:
        """The newest job (1), the one before it (2), and so on. Raises UnknownJob."""
        rows = self._db.query(
            f"select * from job where {_KEPT_SQL} order by seq desc limit 1 offset ?", (number - 1,)
        )
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

    def last_cut_off(self) -> Job:
        """The newest job whose speech was cut off, and that was not spoken again since.

        Raises UnknownJob.
        """
        rows = self._db.query(
            "select * from job where state in ('cancelled', 'failed', 'expired') and sink = 'play' "
            "and first_audio_at is not null and (utterances is null or heard < utterances) "
            "and not exists (select 1 from job as later where later.seq > job.seq "
            "and later.via = 'replay' and later.source_name = job.id) order by seq desc limit 1"
        )
        if not rows:
            raise UnknownJob("no text was cut off", "to hear the last again: vox again")
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

        def read(statement: str, params: list[Any]) -> list[sqlite3.Row]:
            sql = (
                f"select id from job where seq in ({statement}) order by seq desc limit 2 offset ?"
            )
            return self._db.query(sql, [*params, limit - 1])

        rows = self._found(read, limit + 1, wanted, self._first(wanted), before)
        return rows[0]["id"] if len(rows) > 1 else None

    def _page(self, limit: int, wanted: Wanted, first: int | None, before: int | None) -> list[Job]:
        room = PAGE_CHARACTERS

        def is_enough(row: sqlite3.Row) -> bool:
            nonlocal room
            room -= len(row["text"] or "")
            return room <= 0

        def read(statement: str, params: list[Any]) -> list[sqlite3.Row]:
            sql = f"select * from job where seq in ({statement}) order by seq desc"
            return self._db.query(sql, params, is_enough)

        return [self._job(row) for row in self._found(read, limit, wanted, first, before)]

    def _found(
        self,
        read: Callable[[str, list[Any]], list[sqlite3.Row]],
        limit: int,
        wanted: Wanted,
        first: int | None,
        before: int | None,
    ) -> list[sqlite3.Row]:
        """What `read` gives for the statement that finds the `seq` of the newest of these jobs."""
        if wanted.search and not self._are_few(wanted):
            try:
                query = self.index.query_for(wanted.search.casefold())
                if query is not None:
                    return read(*_indexed_seqs(query, wanted, first, before, limit))
            except IndexDamaged:
                self.index.note_damage()
        return read(*_seqs(wanted, first, before, limit))

    def _are_few(self, wanted: Wanted) -> bool:
        """Whether to look at all texts of this source, or in these states, is quick."""
        if not (wanted.source or wanted.states):
            return False
        statement, params = _seqs(wanted._replace(search=None, since=None), None, None, FEW + 1)
        return int(self._db.query(f"select count(*) from ({statement})", params)[0][0]) <= FEW

    def _first(self, wanted: Wanted) -> int | None:
        """The lowest `seq` of the jobs made since then: older rows need not be looked at."""
        if wanted.since is None:
            return None
        sql = "select min(seq) from job indexed by job_created where created_at >= ?"
        first = self._db.query(sql, (wanted.since,))[0][0]
        return NO_SEQ if first is None else int(first)

    def stats(self) -> dict[str, Any]:
        """What the history adds up to: see `stats`."""
        return stats.stats(self._db, self._clock())

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
    parts = []
    # Of each state by itself: the index of a state is in the order of `seq`.
    for state in dict.fromkeys(wanted.states or (None,)):
        of_state = wanted._replace(states=(state,) if state else ())
        where, params = _where(of_state, first, before)
        parts.append((f"select seq from job where {where} order by seq desc", params))
    return _newest(parts, limit)


def _indexed_seqs(
    query: str, wanted: Wanted, first: int | None, before: int | None, limit: int
) -> tuple[str, list[Any]]:
    """As `_seqs`: what `query` finds in the index, and those jobs that are not in it."""
    where, params = _where(wanted, first, before)
    between, bounds = _between("job_search.rowid", first, before)
    # In this order it is read from the newest on, and no more of it than is needed.
    in_index = (
        "select seq from job_search cross join job on seq = job_search.rowid "
        f"where job_search match ? and {between} and {where} order by job_search.rowid desc"
    )
    waiting = (
        f"select unindexed.seq from unindexed cross join job using (seq) "
        f"where state not in {LIVE_SQL} and {where} order by unindexed.seq desc"
    )
    live = f"select seq from job where state in {LIVE_SQL} and {where} order by seq desc"
    parts = [(in_index, [query, *bounds, *params]), (waiting, params), (live, params)]
    return _newest(parts, limit)


def _newest(parts: Sequence[tuple[str, list[Any]]], limit: int) -> tuple[str, list[Any]]:
    """A statement that gives the first `limit` of what several give."""
    union = " union all ".join(f"select * from ({sql} limit ?)" for sql, _ in parts)
    params = [value for _, its_params in parts for value in (*its_params, limit)]
    return f"{union} order by seq desc limit ?", [*params, limit]


def _where(wanted: Wanted, first: int | None, before: int | None) -> tuple[str, list[Any]]:
    """The condition for those jobs, and its parameters."""
    between, params = _between("job.seq", first, before)
    conditions = [between, _KEPT_SQL]
    if wanted.since is not None:
        conditions.append("created_at >= ?")
        params.append(wanted.since)
    if len(wanted.states) == 1:
        # Both, so that SQLite uses the index of live jobs, or that of ended ones.
        live_or_not = "in" if wanted.states[0] in LIVE else "not in"
        conditions.append(f"state {live_or_not} {LIVE_SQL}")
    if wanted.states:
        conditions.append(f"state in ({', '.join('?' * len(wanted.states))})")
        params += wanted.states
    if wanted.source is not None:
        conditions.append("source = ?")
        params.append(wanted.source)
    if wanted.via is not None:
        conditions.append("via = ?")
        params.append(wanted.via)
    if wanted.search:
        conditions.append(f"instr(folded({texts.TEXT_SQL}), ?)")
        params.append(wanted.search.casefold())
    return " and ".join(conditions), params


def _between(column: str, first: int | None, before: int | None) -> tuple[str, list[Any]]:
    conditions, params = ["1"], list[Any]()
    if first is not None:
        conditions.append(f"{column} >= ?")
        params.append(first)
    if before is not None:
        conditions.append(f"{column} < ?")
        params.append(before)
    return " and ".join(conditions), params
