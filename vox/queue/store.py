"""The job table: the truth about every job and its state.

What changes jobs is here, what reads them is in `reader`. States change by compare-and-set in SQL,
never by read-then-write. Every change is published on the bus, if there is one. Knows nothing of
Huey, hosts or sound.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any

from ..callers import WENT_AWAY
from ..errors import IdTaken, JobNotLive
from ..jobs import ENDED, LIVE, Job, State, new_id
from ..outlook import Outlook
from . import texts
from .database import Database, order_lock
from .events import Bus
from .expiry import Deadlines, steady
from .forgetting import Forgetting
from .moves import Moves
from .reader import Reader
from .rows import COLUMNS, LIVE_SQL, job_of, row_of, sql_value
from .set_aside import remove_unfinished, set_aside_files
from .sqlite_errors import LOCK_WAIT_S, locked_error
from .telling import Telling
from .unkept import LATE_S

_LONG = {"text": "'' as text", "marks": "null as marks"}
_WITHOUT_TEXT = ", ".join(_LONG.get(name, name) for name in COLUMNS)
"""For what is written after every utterance: reading a long text each time took most of it."""

_TOO_LATE = "it was to be spoken at once, and its daemon left"
PAUSE = "paused"
"""The flag that keeps speech paused."""


class Store(Reader):
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
        db = Database(path, check)
        super().__init__(db, texts.Texts(db, self._tell), clock)
        self._order_lock = threading.Lock()
        self.moves = Moves(db)
        self._telling = Telling(bus, self._known_at_once)
        self.forgetting = Forgetting(db, self.history.index, bus, clock)

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
        # One that is not kept is not spoken after a power cut either.
        is_kept = not all(job.unkept for job in jobs)
        with self._db.transaction(survives_power_cut=is_kept) as conn:
            replaced = [old for key in _replace_keys(jobs) for old in self._replace(conn, key)]
            for job in jobs:
                job.created_at = job.created_at or self._clock()
                self._insert(conn, sql, job)
                self._telling.begin(job.id)  # nobody else knows of it before the block's end
                if job.unkept and not job.is_live:
                    self.unkept.forget(conn, job)
        for old in replaced:
            self.publish("state", old)
            on_replaced(old.id)
        for job in jobs:
            if job.expires_at is not None and job.is_live:
                self._deadlines.begin(job.id, job.created_at, job.expires_at)
            self.publish("state", job)
        return jobs

    def count_replaced_by(self, jobs: Iterable[Job]) -> int:
        """How many live jobs `add` would cancel."""
        sql = f"select count(*) from job where replace_key = ? and state in {LIVE_SQL}"
        return sum(int(self._db.query(sql, (key,))[0][0]) for key in _replace_keys(jobs))

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
        self, conn: sqlite3.Connection, where: str, param: str | float | None, error: str
    ) -> list[Job]:
        """Cancel the live jobs for which that is so."""
        sql = (
            "update job set state = 'cancelled', error_code = 'job-cancelled', error = ?, "
            f"finished_at = ? where {where} and state in {LIVE_SQL} returning *"
        )
        rows = conn.execute(sql, (error, self._clock(), param)).fetchall()
        return [self._ended(conn, row) for row in rows]

    def _ended(self, conn: sqlite3.Connection, row: sqlite3.Row) -> Job:
        """The job of a row that has just ended, which is kept as far as it may be."""
        job = self._job(texts.close(conn, row, job_of))
        if job.unkept:
            self.unkept.forget(conn, job)
        return job

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
            job = self._ended(conn, row) if target in ENDED else self._job(row)
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
        hint = f"to speak it again: vox replay {job.id}"
        raise JobNotLive(f"job {job.id} is already {job.state}", "" if job.private else hint)

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

    def cancel_late(self) -> None:
        """Cancel the jobs that are not kept and that a daemon had begun, or that wait for long."""
        where = "unkept and (started_at is not null or created_at < ?)"
        with self._db.transaction() as conn:
            cancelled = self._cancel_where(conn, where, self._clock() - LATE_S, _TOO_LATE)
        for job in cancelled:
            self.publish("state", job)

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

    def publish(self, name: str, job: Job, is_written: bool = True) -> None:
        """See `Telling.publish`."""
        self._telling.publish(name, job, is_written)

    def publish_mark(self, job_id: str, name: str) -> None:
        """Tell the listeners of the bus that the job's mark is heard."""
        self._telling.publish_mark(job_id, name)


def _replace_keys(jobs: Iterable[Job]) -> set[str]:
    return {job.replace_key for job in jobs if job.replace_key}
