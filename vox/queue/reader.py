"""Reads the job table: one job, those that wait or are spoken, and how they look.

`history` reads what was, `texts` what is still being written; what changes jobs is `store`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..errors import AmbiguousId, StorageDamaged, UnknownJob
from ..jobs import ID_ALPHABET, LIVE, Job, Sink, queue_order, recency
from ..outlook import Outlook
from . import texts
from .database import Database
from .history import History
from .outlooks import ENTRY_COLUMNS, LiveEntry, Outlooks, TableOutlooks
from .pauses import of_sources_sql, paused_sources
from .rows import LIVE_SQL, job_of
from .unkept import Unkept

_QUEUED_SQL = f"state in {LIVE_SQL} and state = 'queued'"
"""With both conditions SQLite uses the index of live jobs and does not read the whole history."""
_ORDER_SQL = "sink = 'file', priority desc, seq"
"""Queue order. `Job.order` is the same."""
_LIVE_ORDER_SQL = (
    f"case state when 'speaking' then 0 when 'preparing' then 1 else 2 end, {_ORDER_SQL}"
)

LINE_CHARS = 100
_IDS_AT_ONCE = 500
_LIVE_ENTRY_SQL = ", ".join(ENTRY_COLUMNS)


class QueueEntry(NamedTuple):
    """What decides when a job's turn comes, without its text."""

    id: str
    backend: str
    model: str | None
    voice: str | None
    sink: Sink
    priority: int
    seq: int

    @property
    def order(self) -> tuple[bool, int, int]:
        """See `queue_order`."""
        return queue_order(self.sink, self.priority, self.seq)


_ENTRY_SQL = ", ".join(QueueEntry._fields)


class Reader:
    """What reads the jobs of one `vox.db`: part of its `Store`, whose rules hold here too."""

    def __init__(self, db: Database, texts: texts.Texts, clock: Callable[[], float]) -> None:
        self._db = db
        self.texts = texts
        """Those that are still being written."""
        self.unkept = Unkept()
        """How those ended that are not kept."""
        self.outlooks: Outlooks = TableOutlooks(self.outline)
        """Whoever speaks the jobs puts a better one here."""
        self.history = History(db, self._job, clock)
        """All jobs, newest first."""

    def _job(self, row: sqlite3.Row) -> Job:
        """The row's job, with all of its text that has come.

        A damaged row, in a page that looks whole, is damage like any other.
        """
        try:
            job = job_of(row)
        except StorageDamaged as exc:
            self._db.damage = exc.message
            raise
        if job.is_open:
            job.text = self.texts.so_far(job.id, job.text)
        return job

    def get(self, job_id: str) -> Job:
        """The job whose id is, or unambiguously begins with, `job_id`; or see `jobs.recency`.

        Raises UnknownJob, AmbiguousId.
        """
        if number := recency(job_id):
            return self.history.newest(number)
        wanted = job_id.strip().lower()
        if job := self.find(wanted):
            return job
        rows = list[sqlite3.Row]()
        if wanted and all(c in ID_ALPHABET for c in wanted):
            rows = self._db.query(
                "select * from job where id >= ? and id < ? limit 4", (wanted, wanted + "~")
            )
        if not rows:
            raise UnknownJob(f"there is no job {job_id!r}")
        if len(rows) > 1:
            some = ", ".join(row["id"] for row in rows[:3])
            raise AmbiguousId(f"{job_id!r} could be several jobs ({some}, ...)")
        return self._job(rows[0])

    def find(self, job_id: str) -> Job | None:
        """The job of exactly that id; None if there is none."""
        rows = self._db.query("select * from job where id = ?", (job_id,))
        return self._job(rows[0]) if rows else self.unkept.find(job_id)

    def live(self) -> list[Job]:
        """Live jobs in queue order: what is being spoken or prepared first."""
        rows = self._db.query(
            f"select * from job where state in {LIVE_SQL} order by {_LIVE_ORDER_SQL}"
        )
        return [self._job(row) for row in rows]

    def live_of(self, sources: Collection[str]) -> list[Job]:
        """Live jobs of these sources that are to be played, in queue order."""
        sql = f"select * from job where state in {LIVE_SQL} and {of_sources_sql(sources)}"
        rows = self._db.query(f"{sql} order by {_LIVE_ORDER_SQL}", [*sources])
        return [self._job(row) for row in rows]

    def paused_sources(self) -> frozenset[str]:
        """The sources whose jobs are held back."""
        return paused_sources(self._db)

    def awaited(self) -> list[Job]:
        """Live jobs to be played that a process waits for, but for those of a paused source."""
        held = self.paused_sources()
        sql = f"select * from job where state in {LIVE_SQL} and sink = 'play'"
        sql += f" and caller is not null and not {of_sources_sql(held)}"
        return [self._job(row) for row in self._db.query(sql, [*held])]

    def callers(self) -> list[tuple[str, str]]:
        """(job id, caller) of each live job that has a caller."""
        sql = f"select id, caller from job where state in {LIVE_SQL} and caller is not null"
        return [(row["id"], row["caller"]) for row in self._db.query(sql)]

    def live_ids(self) -> set[str]:
        return {
            row["id"] for row in self._db.query(f"select id from job where state in {LIVE_SQL}")
        }

    def queued(self) -> list[QueueEntry]:
        """The queued jobs in queue order, but for those of a paused source."""
        held = self.paused_sources()
        which = f"{_QUEUED_SQL} and not {of_sources_sql(held)}" if held else _QUEUED_SQL
        sql = f"select {_ENTRY_SQL} from job where {which} order by {_ORDER_SQL}"
        return [QueueEntry(*row) for row in self._db.query(sql, [*held])]

    def queued_ids(self) -> list[str]:
        """Ids of the queued jobs in queue order."""
        return [entry.id for entry in self.queued()]

    def wanted_models(self) -> list[tuple[str, str | None]]:
        """(backend, model) of the jobs that are still to be synthesized, each once."""
        sql = f"select distinct backend, model from job where state in {LIVE_SQL}"
        held = self.paused_sources()
        sql += f" and audio_s is null and not {of_sources_sql(held)}"
        rows = self._db.query(sql, [*held])
        return [(row["backend"], row["model"]) for row in rows]

    def entries(self, job_ids: Sequence[str]) -> dict[str, QueueEntry]:
        """Those of the jobs that exist, by id, from one statement."""
        marks = ", ".join("?" * len(job_ids))
        rows = self._db.query(f"select {_ENTRY_SQL} from job where id in ({marks})", job_ids)
        return {row["id"]: QueueEntry(*row) for row in rows}

    def outline(self) -> list[LiveEntry]:
        """The live jobs without their texts, in no order."""
        held = self.paused_sources()
        columns = f"{_LIVE_ENTRY_SQL}, {of_sources_sql(held)}"
        sql = f"select {columns} from job where state in {LIVE_SQL}"
        return [LiveEntry(*row) for row in self._db.query(sql, [*held])]

    def samples(self, job_ids: Sequence[str], most: int) -> list[tuple[str, str, int]]:
        """(id, beginning of the text so far, length of it in characters) of these jobs."""
        found: list[tuple[str, str, int]] = []
        for at in range(0, len(job_ids), _IDS_AT_ONCE):
            some = job_ids[at : at + _IDS_AT_ONCE]
            marks = ", ".join("?" * len(some))
            sql = (
                f"select id, substr(said, 1, ?), length(said) from (select id, {texts.TEXT_SQL} "
                f"as said from job where id in ({marks}))"
            )
            found += [(*row,) for row in self._db.query(sql, (most, *some))]
        return found

    def beginning(self, job_id: str) -> str:
        """That of the job's text, for a line on a terminal; "" if there is no such job."""
        return next((sample for _, sample, _ in self.samples([job_id], LINE_CHARS)), "")

    def shown(self, jobs: Iterable[Job]) -> Iterator[dict[str, Any]]:
        """The jobs as JSON objects, each with its outlook as of when the first live one came."""
        outlooks: Mapping[str, Outlook] | None = None
        for job in jobs:
            if outlooks is None and job.is_live:
                outlooks = self.outlooks.of_all()
            found = outlooks.get(job.id) if outlooks and job.is_live else None
            yield job.to_dict(found or self.outlooks.at_once(job))

    def show(self, job: Job) -> dict[str, Any]:
        """The job as a JSON object."""
        return job.to_dict(self.outlooks.of(job))

    def shown_queue(self) -> Iterator[dict[str, Any]]:
        """The live jobs as JSON objects, in the order of hearing."""
        live = {job.id: job for job in self.live()}
        found = self.outlooks.of_all()  # perhaps of a moment ago: some came or ended since
        ordered = [*(live.pop(job_id) for job_id in found if job_id in live), *live.values()]
        for position, job in enumerate(ordered, start=1):
            outlook = found.get(job.id) or self.outlooks.at_once(job)
            yield job.to_dict(replace(outlook, position=position))

    def count_live(self) -> int:
        return int(self._db.count(f"select count(*) from job where state in {LIVE_SQL}")[0][0])

    def live_counts(self) -> dict[str, int]:
        """How many jobs are queued, preparing and speaking. Quick with a long history as well."""
        sql = f"select state, count(*) as n from job where state in {LIVE_SQL} group by state"
        return dict.fromkeys(LIVE, 0) | {row["state"]: row["n"] for row in self._db.count(sql)}
