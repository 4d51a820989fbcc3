"""Jobs that wait for workers on other machines: nobody else could make them, and none is there.

They are in the queue, where they hold up nobody (see `LookAhead.may_take`). Knows no workers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..jobs import NO_WORKERS, Job
from ..queue.store import Store
from .host_use import publish_progress


class WorkersWait:
    """Any thread may use it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._why: dict[str, str] = {}
        """By the jobs' ids."""

    def begin(self, job: Job, why: str) -> None:
        """The job has found no workers; `why`: on one line. Raises StorageError."""
        if job.caller is None and NO_WORKERS not in self._store.get(job.id).notes:
            self._store.add_note(job.id, NO_WORKERS)
        self._why[job.id] = why
        publish_progress(self._store, job, {"waiting_for": f"a worker: {why}"})

    def end(self, job: Job) -> None:
        """It is made, or tried once more."""
        if self._why.pop(job.id, None) is not None:
            publish_progress(self._store, job, {"waiting_for": None})

    def why(self, job_id: str) -> str | None:
        """Why the job waits; None: it does not, or has not looked for workers yet."""
        return self._why.get(job_id)

    def has_asked(self, job_id: str) -> bool:
        return job_id in self._why

    def forget_ended(self, live_ids: Callable[[], Collection[str]]) -> None:
        """Know only those that are live. Raises StorageError."""
        known = set(self._why)  # first: what begins to wait meanwhile is live
        for job_id in known.difference(live_ids()) if known else ():
            self._why.pop(job_id, None)
