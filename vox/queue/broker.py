"""Huey, and the only module that knows Huey and the storage that it runs on.

Payloads are JSON: whoever can write the queue must not be able to run code. The worker is woken
by an event instead of polling.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import StorageDamaged, StorageError, StorageLocked
from .sqlite_errors import LOCK_WAIT_S, storage_error
from .tasks import LANES, LOOK_PAST, PACE_S, SAFETY_NET_S, Gate, Run, task_order

# Huey imports redis if it is installed, which takes 170 ms and 12 MB. Only `fleet` needs it.
_is_held_off = "redis" not in sys.modules
if _is_held_off:
    sys.modules["redis"] = None  # type: ignore[assignment]  # Python's way to forbid an import
try:
    import huey
    import huey.consumer
    import huey.registry
    import huey.serializer
    import huey.storage
finally:
    if _is_held_off:
        del sys.modules["redis"]

log = logging.getLogger(__name__)

QUEUE = "vox"


class JsonSerializer(huey.serializer.Serializer):  # type: ignore[misc]  # Huey has no types
    """Messages as JSON lists. A message has an id, a name and plain arguments."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(list(data)).encode()

    def _deserialize(self, data: Any) -> Any:
        fields = json.loads(bytes(data))
        return huey.registry.Message(*fields)


class WakingStorage(huey.storage.SqliteStorage):  # type: ignore[misc]  # Huey has no types
    """Huey's SQLite storage, but `dequeue` asks the gate, and waits for an event."""

    blocking = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.wake = threading.Event()
        self.gate: Gate = lambda job_ids: job_ids
        self._kept: set[int] = set()
        """Rows whose task was handed out, though a full disk kept them from being deleted."""
        self._is_shut = False
        """There were tasks at the last look, and none was let through."""
        self._looked_at = 0.0
        self.damage: str | None = None
        """See `Tasks`."""
        super().__init__(*args, **kwargs)

    def _create_connection(self) -> sqlite3.Connection:
        conn: sqlite3.Connection = super()._create_connection()
        # A power cut may lose tasks. They are sent again, from the job table.
        conn.execute("pragma synchronous = normal")
        return conn

    @contextlib.contextmanager
    def db(self, commit: bool = False, close: bool = False) -> Iterator[sqlite3.Cursor]:
        """All of Huey's statements go through it. Huey itself logs what fails, and goes on."""
        try:
            with super().db(commit, close) as cursor:
                yield cursor
        except sqlite3.Error as exc:
            self.translated(exc)
            raise

    def dequeue(self) -> Any:
        self.wake.clear()  # first: one who wakes it during the pause may want it to end
        if self._is_shut:
            time.sleep(max(0.0, self._looked_at + PACE_S - time.monotonic()))
        try:
            data = self._next()
        except (sqlite3.Error, StorageError) as exc:
            log.error("the queue cannot be read: %s", self.translated(exc))
            data = None
        if data is None:
            self.wake.wait(SAFETY_NET_S)
        return data

    def translated(self, exc: Exception) -> Exception:
        """The error as one of vox; damage is remembered."""
        error = storage_error(self.filename, exc) if isinstance(exc, sqlite3.Error) else exc
        if isinstance(error, StorageDamaged):
            self.damage = error.message
        return error

    def _next(self) -> Any:
        """The next task that the gate lets through; None if there is none."""
        self._looked_at = time.monotonic()
        rows = self.rows(LOOK_PAST)
        self._is_shut = bool(rows)
        ids = [_job_id(data) for _, data in rows]
        allowed = {None, *self.gate([job_id for job_id in ids if job_id is not None])}
        for (row_id, data), job_id in zip(rows, ids, strict=True):
            if job_id in allowed and self._take_out(row_id):
                self._is_shut = False
                return data
        return None

    def rows(self, limit: int = -1) -> list[tuple[int, Any]]:
        """(id, data) of the tasks in queue order, of at most so many for each sink."""
        lane = (
            "select * from (select id, data, priority from task where queue = ? "
            "and priority >= ? and priority < ? order by priority desc, id limit ?)"
        )
        params = [each for low, high in LANES for each in (self.name, low, high, limit)]
        found = self.sql(" union all ".join([lane] * len(LANES)), params, results=True)
        found.sort(key=lambda row: (*task_order(row[2]), row[0]))
        return [(row[0], row[1]) for row in found]

    def _take_out(self, row_id: int) -> bool:
        """Delete the row. True if its task is to run now.

        On a full disk the row cannot be deleted. Its task runs all the same, once: so the worker
        can report that the job fails.
        """
        try:
            with self.db(commit=True) as cursor:
                cursor.execute("delete from task where id = ?", (row_id,))
                is_ours = cursor.rowcount == 1 and row_id not in self._kept
        except sqlite3.Error as exc:
            with contextlib.suppress(sqlite3.Error):
                self.conn.rollback()  # Huey rolls back only what fails before the commit.
            if isinstance(self.translated(exc), StorageDamaged | StorageLocked):
                raise
            log.error("a task cannot be deleted from the queue: %s", exc)
            is_ours = row_id not in self._kept
            self._kept.add(row_id)
            return is_ours
        self._kept.discard(row_id)
        return is_ours

    def enqueue_many(self, items: Iterable[tuple[bytes, int]]) -> None:
        with self.db(commit=True) as cursor:
            cursor.executemany(
                "insert into task (queue, data, priority) values (?, ?, ?)",
                [(self.name, self.to_blob(data), priority) for data, priority in items],
            )

    def replace_all(self, items: Iterable[tuple[bytes, int]]) -> None:
        rows = [(self.name, self.to_blob(data), priority) for data, priority in items]
        with self.db(commit=True) as cursor:
            cursor.execute("delete from task where queue = ?", (self.name,))
            cursor.executemany("insert into task (queue, data, priority) values (?, ?, ?)", rows)


class _Consumer(huey.consumer.Consumer):  # type: ignore[misc]  # Huey has no types
    def _set_signal_handlers(self) -> None:
        """Set none: the daemon handles signals."""


class Broker:
    """`Tasks` in Huey's storage. The constructor raises StorageError."""

    def __init__(self, db_path: str, run: Run | None = None) -> None:
        self._db_path = db_path
        with self._translated():
            self._huey = self._open()
        self._storage: WakingStorage = self._huey.storage
        self._consumer: _Consumer | None = None

        def speak(job_id: str) -> None:
            if run is not None:
                run(job_id)

        # Huey names a task after its module: moving this function must not strand queued rows.
        speak.__module__ = "vox"
        self._task = self._huey.task(name="speak")(speak)

    def _open(self) -> huey.Huey:
        return huey.Huey(
            QUEUE,
            results=False,
            serializer=JsonSerializer(),
            storage_class=WakingStorage,
            filename=self._db_path,
            strict_fifo=True,
            timeout=LOCK_WAIT_S,
        )

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            raise storage_error(self._db_path, exc) from exc

    def _pack(self, job_id: str, priority: int) -> tuple[bytes, int]:
        return self._huey.serialize_task(self._task.s(job_id, priority=priority)), priority

    def send(self, jobs: Iterable[tuple[str, int]]) -> None:
        with self._translated():
            self._storage.enqueue_many([self._pack(*job) for job in jobs])
        self.wake()

    def replace_all(self, jobs: Iterable[tuple[str, int]]) -> None:
        with self._translated():
            self._storage.replace_all([self._pack(*job) for job in jobs])
        self.wake()

    def pending(self) -> list[str]:
        with self._translated():
            ids = [_job_id(data) for _, data in self._storage.rows()]
        return [job_id for job_id in ids if job_id is not None]

    def wake(self) -> None:
        self._storage.wake.set()

    def start(self, gate: Gate) -> None:
        self._storage.gate = gate
        self._consumer = _Consumer(
            self._huey,
            workers=1,
            worker_type="thread",
            periodic=False,
            scheduler_interval=60,
            check_worker_health=True,
        )
        self._consumer.start()

    def is_alive(self) -> bool:
        consumer = self._consumer
        return consumer is not None and all(p.is_alive() for _, p in consumer.worker_threads)

    @property
    def damage(self) -> str | None:
        damage: str | None = self._storage.damage
        return damage

    def stop(self, timeout_s: float) -> None:
        if self._consumer is None:
            return
        self._consumer.stop_flag.set()
        self.wake()
        for _, worker in self._consumer.worker_threads:
            worker.join(timeout_s)

    def close(self) -> None:
        self._storage.close()


@functools.lru_cache(maxsize=len(LANES) * LOOK_PAST)
def _job_id(data: Any) -> str | None:
    """None if the task is not one of ours. Huey throws it out, logs that, and goes on."""
    try:
        message = JsonSerializer().deserialize(data)
        return str(message.args[0])
    except (ValueError, TypeError, LookupError):
        return None
