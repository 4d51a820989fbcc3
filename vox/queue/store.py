"""The job table: the truth about every job and its state.

`history` reads what was, and `texts` holds what is still being written. States change by
compare-and-set in SQL, never by read-then-write. Every change is published on the bus, if there is
one. Knows nothing of Huey, hosts or sound.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..callers import WENT_AWAY
from ..errors import AmbiguousId, IdTaken, JobNotLive, StorageDamaged, UnknownJob
from ..jobs import ENDED, ID_ALPHABET, LIVE, Job, Sink, State, new_id, queue_order, recency
from ..outlook import Outlook
from . import texts
from .database import Database, order_lock
from .events import Bus
from .expiry import Deadlines, steady
from .forgetting import Forgetting
from .history import LIVE_SQL, History
from .moves import Moves
from .outlooks import ENTRY_COLUMNS, LiveEntry, Outlooks, TableOutlooks
from .pauses import of_sources_sql, paused_sources
from .rows import COLUMNS, job_of, row_of, sql_value
from .set_aside import remove_unfinished, set_aside_files
from .sqlite_errors import LOCK_WAIT_S, locked_error
from .telling import Telling

_WITHOUT_TEXT = ", ".join("'' as text" if name == "text" else name for name in COLUMNS)
"""For what is written after every utterance: reading a long text each time took most of it."""
_QUEUED_SQL = f"state in {LIVE_SQL} and state = 'queued'"
"""With both conditions SQLite uses the index of live jobs and does not read the whole history."""
_ORDER_SQL = "sink = 'file', priority desc, seq"
"""Queue order. `Job.order` is the same."""
_LIVE_ORDER_SQL = (
    f"case state when 'speaking' then 0 when 'preparing' then 1 else 2 end, {_ORDER_SQL}"
)

PAUSE = "paused"
"""The flag that keeps speech paused."""
LINE_CHARS = 100


class QueueEntry(NamedTuple):
    """What decides when a job's turn comes, without its text."""

    id: str
    backend: str
    sink: Sink
    priority: int
    seq: int

    @property
    def order(self) -> tuple[bool, int, int]:
        """See `queue_order`."""
        return queue_order(self.sink, self.priority, self.seq)


_ENTRY_SQL = ", ".join(QueueEntry._fields)
_IDS_AT_ONCE = 500
_LIVE_ENTRY_SQL = ", ".join(ENTRY_COLUMNS)


class Store:
    """The jobs of one `vox.db`. Any thread may use it, and several processes may have one.

    - A change is there, whole, for everybody when the method that makes it returns. It survives
      a crash of any process; what `add` makes survives a power cut as well.
    - A job's state changes by compare-and-set alone (`change`): of several who want to change it
      one succeeds.
    - Every change is published on the bus after it is made.
    - Jobs that are returned are copies: to set their fields changes nothing here.
    - Every method raises StorageError if the disk or the file fails, and DaemonLeaving once the
      store is closed.
    """

    def __init__(
        self,
        path: str,
        bus: Bus | None = None,
        clock: Callable[[], float] = time.time,
        check: bool = False,
        steady: Callable[[], float] = steady,
    ) -> None:
        """`check`: see `Database`; `steady`: see `expiry`."""
        self.path = path
        self.bus = bus
        self._clock = clock
        self._deadlines = Deadlines(clock, steady)
        self._db = Database(path, check)
        self._order_lock = threading.Lock()
        self.moves = Moves(self._db)
        self.texts = texts.Texts(self._db, self._tell)
        """Those that are still being written."""
        self.outlooks: Outlooks = TableOutlooks(self.outline)
        """Whoever speaks the jobs puts a better one here."""
        self._telling = Telling(bus, self._known_at_once)
        self.history = History(self._db, self._job, clock)
        """All jobs, newest first."""
        self.forgetting = Forgetting(self._db, self.history.index, bus, clock)

    @property
    def moved_aside(self) -> str | None:
        """Where a damaged database was moved to when this one was opened."""
        return self._db.moved_aside

    @property
    def damage(self) -> str | None:
        """What was found to be wrong with the database since it was opened, on one line."""
        return self._db.damage

    @property
    def set_aside(self) -> list[str]:
        """The damaged databases that were set aside, oldest first."""
        return set_aside_files(self.path)

    def remove_unfinished(self) -> None:
        """Delete what a process that was killed left when it made the database again."""
        with order_lock(self.path):
            remove_unfinished(self.path)

    def patiently(self, is_over: Callable[[], bool]) -> contextlib.AbstractContextManager[None]:
        """See `Database.patiently`."""
        return self._db.patiently(is_over)

    @property
    def version(self) -> int:
        """Another number after each change, by any process. Quick."""
        return int(self._db.count("pragma data_version")[0][0])

    def check_file(self) -> None:
        """Raises StorageDamaged if the database's file was deleted or replaced."""
        self._db.check_file()

    def truncate_log(self) -> None:
        """See `Database.truncate_log`."""
        self._db.truncate_log()

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def in_order(self) -> Iterator[None]:
        """Hold the lock under which jobs are added and their tasks are sent.

        One thread of one process holds it at a time. So tasks are sent in the order in which the
        jobs were added, and whoever adds a job sees all jobs that were added before.
        """
        if not self._order_lock.acquire(timeout=LOCK_WAIT_S):
            raise locked_error(self.path)
        try:
            with order_lock(self.path):
                yield
        finally:
            self._order_lock.release()

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

    # -- write -------------------------------------------------------------------------------

    def add(
        self, jobs: Iterable[Job], on_replaced: Callable[[str], object] = lambda _job_id: None
    ) -> list[Job]:
        """Insert the jobs, in order, and cancel live ones with their `replace_key`; or neither.

        Sets each job's `seq` and, if it has none, its `id` and `created_at`. `on_replaced`:
        called with the id of each job that was replaced. Raises IdTaken.
        """
        jobs = list(jobs)
        columns = [c for c in COLUMNS if c != "seq"]
        sql = (
            f"insert into job ({', '.join(columns)}) values ({', '.join(':' + c for c in columns)})"
        )
        with self._db.transaction(survives_power_cut=True) as conn:
            replaced = [old for key in _replace_keys(jobs) for old in self._replace(conn, key)]
            for job in jobs:
                job.created_at = job.created_at or self._clock()
                self._insert(conn, sql, job)
        for old in replaced:
            self.publish("state", old)
            on_replaced(old.id)
        for job in jobs:
            if job.expires_at is not None and job.is_live:
                self._deadlines.begin(job.id, job.created_at, job.expires_at)
            self.publish("state", job)
        return jobs

    def _tell(self, row: sqlite3.Row) -> Job:
        """Publish what was changed of a live job; returns it."""
        job = self._job(row)
        self.publish("progress", job)
        return job

    def _replace(self, conn: sqlite3.Connection, key: str) -> list[Job]:
        """Cancel the live jobs with that key."""
        error = f"replaced by a newer one under the key {key!r}"
        return self._cancel_where(conn, "replace_key = ?", key, error)

    def _cancel_where(
        self, conn: sqlite3.Connection, where: str, param: str | None, error: str
    ) -> list[Job]:
        """Cancel the live jobs for which that is so."""
        sql = (
            "update job set state = 'cancelled', error_code = 'job-cancelled', error = ?, "
            f"finished_at = ? where {where} and state in {LIVE_SQL} returning *"
        )
        rows = conn.execute(sql, (error, self._clock(), param)).fetchall()
        return [self._job(texts.close(conn, row, job_of)) for row in rows]

    @staticmethod
    def _insert(conn: sqlite3.Connection, sql: str, job: Job) -> None:
        chosen = job.id
        while True:
            job.id = chosen or new_id()
            try:
                job.seq = conn.execute(sql, row_of(job)).lastrowid or 0
                return
            except sqlite3.IntegrityError as exc:
                if chosen:
                    raise IdTaken(f"there is a job {chosen} already") from exc

    def change(
        self,
        job_id: str,
        sources: Sequence[State],
        target: State,
        bound_to: str | None = None,
        **columns: Any,
    ) -> Job | None:
        """Compare-and-set: move the job to `target` if it is in one of `sources`.

        `bound_to`: and if that is its caller. `columns` are set in the same statement. Returns
        the changed job, or None if it was in another state.
        """
        if target in ENDED:
            columns.setdefault("finished_at", self._clock())
        assignments = "".join(f", {name} = ?" for name in columns)
        marks = ", ".join("?" * len(sources))
        with self._db.transaction() as conn:
            # Not `returning *`, for which SQLite takes ten times as long with a long text.
            is_changed = conn.execute(
                f"update job set state = ?{assignments} "
                f"where id = ? and state in ({marks}) and (? is null or caller = ?)",
                (target, *columns.values(), job_id, *sources, bound_to, bound_to),
            ).rowcount
            if not is_changed:
                return None
            row = conn.execute("select * from job where id = ?", (job_id,)).fetchone()
            if target in ENDED:
                row = texts.close(conn, row, job_of)
        job = self._job(row)
        self.publish("state", job)
        return job

    def put_last(self, job_id: str) -> None:
        """Put the job behind all others of its priority that wait now, as if it came just now."""
        with self._db.transaction() as conn:
            sql = "update job set seq = (select max(seq) + 1 from job) where id = ?"
            conn.execute(sql, (job_id,))

    def note(self, job_id: str, event: str = "progress", /, **columns: Any) -> Job | None:
        """Set columns of a live job, but not its state, and publish that as `event`.

        Returns the changed job, without its text, or None if it is not live.
        """
        assignments = ", ".join(f"{name} = ?" for name in columns)
        with self._db.transaction() as conn:
            row = conn.execute(
                f"update job set {assignments} where id = ? and state in {LIVE_SQL} "
                f"returning {_WITHOUT_TEXT}",
                (*map(sql_value, columns.values()), job_id),
            ).fetchone()
        if row is None:
            return None
        job = self._job(row)
        self.publish(event, job)
        return job

    def cancel(self, job_id: str, reason: str = "cancelled") -> Job:
        """Cancel a live job. Raises UnknownJob, JobNotLive."""
        if job := self._cancel(job_id, reason):
            return job
        job = self.get(job_id)
        raise JobNotLive(f"job {job.id} is already {job.state}")

    def cancel_all(
        self,
        source: str | None = None,
        on_cancelled: Callable[[str], object] = lambda _job_id: None,
    ) -> list[Job]:
        """Cancel every live job, or those of one source, in one step; returns them in queue order.

        `on_cancelled`: called with the id of each before any of it is published.
        """
        with self._db.transaction() as conn:
            which = "? is null" if source is None else "source = ?"
            cancelled = self._cancel_where(conn, which, source, "cancelled")
        cancelled.sort(key=lambda job: job.order)
        for job in cancelled:
            on_cancelled(job.id)
        for job in cancelled:
            self.publish("state", job)
        return cancelled

    def cancel_abandoned(self, job_id: str, caller: str) -> Job | None:
        """Cancel a live job whose caller is gone, unless that has released it before."""
        return self._cancel(job_id, WENT_AWAY, bound_to=caller)

    def _cancel(self, job_id: str, reason: str, bound_to: str | None = None) -> Job | None:
        return self.change(
            job_id, LIVE, "cancelled", bound_to, error=reason, error_code="job-cancelled"
        )

    def add_note(self, job_id: str, note: str) -> None:
        """Add a note for the user to a live job, unless it has the same one."""
        with self._db.transaction() as conn:
            row = conn.execute(
                "update job set notes = json_insert(notes, '$[#]', ?) "
                f"where id = ? and state in {LIVE_SQL} and json_valid(notes) "
                "and not exists (select 1 from json_each(notes) where value = ?) "
                f"returning {_WITHOUT_TEXT}",
                (note, job_id, note),
            ).fetchone()
        if row is not None:
            self.publish("progress", self._job(row))

    def expire(self, cut_off: str | None = None, only: str | None = None) -> list[Job]:
        """End the jobs that were not spoken before their time was over; returns them.

        `cut_off`: a job that is cut off, and so may expire though speaking had begun. `only`: look
        at that one alone.
        """
        rows = self._db.query(
            f"select id, state, created_at, expires_at from job where state in {LIVE_SQL} "
            "and expires_at is not null and (? is null or id = ?) "
            # One that was interrupted, or was heard and waits for more of its text, was spoken in
            # time.
            "and not (first_audio_at is not null and (is_open or state = 'preparing'))",
            (only, only),
        )
        over = [
            row["id"]
            for row in rows
            if self._deadlines.is_over(row["id"], row["created_at"], row["expires_at"])
            and (row["state"] != "speaking" or row["id"] == cut_off)
        ]
        if only is None:
            self._deadlines.forget_others([row["id"] for row in rows])
        message = "it was not spoken in time; give it longer: --expires TIME"
        return [
            job
            for job_id in over
            if (
                job := self.change(
                    job_id,
                    LIVE if job_id == cut_off else ("queued", "preparing"),
                    "expired",
                    error=message,
                    error_code="job-expired",
                )
            )
        ]

    def cleared(self, job_id: str) -> tuple[State, str | None] | None:
        """State and error of a cleared job that came from the inbox; None if there is none."""
        rows = self._db.query("select state, error from cleared where id = ?", (job_id,))
        return (rows[0]["state"], rows[0]["error"]) if rows else None

    def forget_cleared(self, keep: set[str]) -> None:
        """Delete what `cleared` knows, except of these ids."""
        rows = self._db.query("select id from cleared")
        gone = [(row["id"],) for row in rows if row["id"] not in keep]
        if gone:
            with self._db.transaction() as conn:
                conn.executemany("delete from cleared where id = ?", gone)

    def erase_private(
        self, forget_audio: Callable[[Sequence[str]], object], at_work: Container[str] = ()
    ) -> None:
        """Have the audio of private jobs that have ended deleted; texts leave the log as well.

        `at_work`: jobs whose audio may still be written; it is deleted later.
        """
        rows = self._db.query("select job_id from private_ended")
        ids = [row["job_id"] for row in rows if row["job_id"] not in at_work]
        if not ids:
            return
        forget_audio(ids)
        if not self._db.truncate_log():
            return  # until no other program reads
        with self._db.transaction() as conn:
            conn.executemany(
                "delete from private_ended where job_id = ?", [(each,) for each in ids]
            )

    # -- flags: what holds beyond a restart ----------------------------------------------------

    def is_set(self, flag: str) -> bool:
        return bool(self._db.query("select 1 from flag where key = ?", (flag,)))

    def set_flag(self, flag: str, is_set: bool) -> None:
        with self._db.transaction(survives_power_cut=True) as conn:
            if is_set:
                conn.execute("insert or replace into flag values (?, '1')", (flag,))
            else:
                conn.execute("delete from flag where key = ?", (flag,))

    def _known_at_once(self, job: Job) -> Outlook:
        return self.outlooks.at_once(job)

    def publish(self, name: str, job: Job) -> None:
        """Tell the listeners of the bus what happened to the job."""
        self._telling.publish(name, job)

    # -- read --------------------------------------------------------------------------------

    def get(self, job_id: str) -> Job:
        """The job whose id is, or unambiguously begins with, `job_id`; or see `jobs.recency`.

        Raises UnknownJob, AmbiguousId.
        """
        if number := recency(job_id):
            return self.history.newest(number)
        wanted = job_id.strip().lower()
        rows = self._db.query("select * from job where id = ?", (wanted,))
        if not rows and wanted and all(c in ID_ALPHABET for c in wanted):
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
        return self._job(rows[0]) if rows else None

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

    def count_replaced_by(self, jobs: Iterable[Job]) -> int:
        """How many live jobs `add` would cancel."""
        sql = f"select count(*) from job where replace_key = ? and state in {LIVE_SQL}"
        return sum(int(self._db.query(sql, (key,))[0][0]) for key in _replace_keys(jobs))

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


def _replace_keys(jobs: Iterable[Job]) -> set[str]:
    return {job.replace_key for job in jobs if job.replace_key}
