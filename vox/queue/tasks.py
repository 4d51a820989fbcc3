"""The contract of the queue of tasks, and its plainest form: the job table itself.

A task says that a job waits, and nothing more. `broker.Broker` keeps tasks in Huey's storage, for
the daemon. `TableTasks` reads the job table, for a process that speaks one caller's job.
"""

from __future__ import annotations

import collections
import itertools
import logging
import math
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

from ..errors import StorageError
from ..jobs import Sink
from .reader import QueueEntry
from .store import Store

log = logging.getLogger(__name__)

PACE_S = 0.02
"""While no task may be taken, those that are sent meanwhile are looked at together."""
SAFETY_NET_S = 5.0
"""How often the worker looks without being woken: another process may have sent a task."""

LOOK_PAST = 100
"""How many of the next tasks for each sink the gate is asked about."""

_SINKS: tuple[Sink, ...] = ("file", "stream", "play")
_STEP = 1_000
"""Between the priorities of the sinks' tasks: more than the jobs' own priorities are apart."""


class _Prioritized(Protocol):
    """A job, or what the queue knows of it."""

    @property
    def sink(self) -> Sink: ...
    @property
    def priority(self) -> int: ...


def task_priority(job: _Prioritized) -> int:
    """The priority of the job's task. The tasks for each sink lie together, so none hide others."""
    return job.priority + _STEP * _SINKS.index(job.sink)


_ENDS = (-math.inf, _STEP / 2, _STEP * 3 / 2, math.inf)
LANES = tuple(itertools.pairwise(_ENDS))
"""The priorities of each sink's tasks: from, and below."""


def task_order(priority: float) -> tuple[bool, float]:
    """Sorts tasks of these priorities into queue order (see `Job.order`)."""
    return priority < LANES[0][1], -((priority + _STEP / 2) % _STEP)


Gate = Callable[[Sequence[str]], Collection[str]]
"""Given the ids of the next jobs in queue order, says which of them the worker may take now.
Asked once per look at the queue."""

Run = Callable[[str], None]
"""Called with the job's id of each task, in the worker's thread."""


class Sender(Protocol):
    """The end of the queue of tasks at which they are put in (see `Tasks`)."""

    def send(self, jobs: Iterable[tuple[str, int]]) -> None:
        """Send a task for each (job id, `task_priority`), in order, and wake the worker."""


class Tasks(Sender, Protocol):
    """The queue of tasks.

    - Any thread and process may send tasks; one process at a time runs them (`start`).
    - Tasks run one at a time: those for the ear before those of files, of these those of the
      highest priority first, and of these the one that was sent first. Who adds a job and sends
      its task does so within `Store.in_order`.
    - A task may be lost by a crash or a power cut, and may be there twice. The job table is the
      truth: `recovery` sends again what is missing, and `run` ignores a job that does not wait.
    - A task that cannot be read is thrown out, and the next one runs.
    - `send`, `replace_all` and `pending` raise StorageError; nothing else does.
    """

    def replace_all(self, jobs: Iterable[tuple[str, int]]) -> None:
        """Make the queue hold exactly these tasks, in this order."""

    def pending(self) -> list[str]:
        """The job ids of all tasks, in queue order."""

    def wake(self) -> None:
        """Have the worker look at the queue now, because the gate may let another job through."""

    def start(self, gate: Gate) -> None:
        """Run tasks in a thread until `stop`, as far as the gate lets them through."""

    def is_alive(self) -> bool:
        """True if the worker's thread runs. It does not end before `stop`."""

    @property
    def damage(self) -> str | None:
        """What was found to be wrong with where the tasks are kept, on one line."""

    def stop(self, timeout_s: float) -> None:
        """Take no more tasks, and wait so long for the one that runs."""

    def close(self) -> None:
        """Release what it holds. No calls afterwards."""


class TableTasks:
    """`Tasks` without Huey: every queued job of the table is a task.

    Nothing is sent, so no other process is woken. Jobs that are left in the table get their tasks
    from the next daemon (see `recovery`). Each job is run at most once, even if a full disk
    keeps it in the queue, unless `replace_all` names it.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store = store
        self._run = run
        self._was_run: set[str] = set()
        self._woken = threading.Event()
        self._is_stopping = False
        self._thread: threading.Thread | None = None

    def send(self, jobs: Iterable[tuple[str, int]]) -> None:
        self.wake()

    def replace_all(self, jobs: Iterable[tuple[str, int]]) -> None:
        self._was_run.difference_update(job_id for job_id, _ in jobs)
        self.wake()

    def pending(self) -> list[str]:
        return self._store.queued_ids()

    def wake(self) -> None:
        self._woken.set()

    def start(self, gate: Gate) -> None:
        self._thread = threading.Thread(target=self._work, args=(gate,), name="tasks", daemon=True)
        self._thread.start()

    def _work(self, gate: Gate) -> None:
        while not self._is_stopping:
            self._woken.clear()
            job_id = self._next(gate)
            if job_id is None:
                self._woken.wait(SAFETY_NET_S)
            else:
                self._was_run.add(job_id)
                self._run(job_id)

    def _next(self, gate: Gate) -> str | None:
        try:
            queued = self._first_of_each_sink()
            allowed = gate(queued)
        except StorageError as exc:
            log.error("the queue cannot be read: %s", exc.line)
            return None
        return next((job_id for job_id in queued if job_id in allowed), None)

    def _first_of_each_sink(self) -> list[str]:
        left = collections.Counter[Sink]()

        def is_near(entry: QueueEntry) -> bool:
            left[entry.sink] += 1
            return left[entry.sink] <= LOOK_PAST

        waiting = (each for each in self._store.queued() if each.id not in self._was_run)
        return [entry.id for entry in waiting if is_near(entry)]

    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def damage(self) -> str | None:
        return None  # they are the job table, which knows its own

    def stop(self, timeout_s: float) -> None:
        if self._thread is None:
            return
        self._is_stopping = True
        self.wake()
        self._thread.join(timeout_s)

    def close(self) -> None:
        pass
