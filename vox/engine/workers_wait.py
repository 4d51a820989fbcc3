"""Jobs that wait for workers on other machines: nobody else could make them, and none is there.

They are in the job table, but Huey holds no tasks for them (see `Parts.send_stranded`): so they
hold up nobody, however many there are. Before it waits a job is tried, for the cache may have all
of it. Knows no workers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection


class WorkersWait:
    """Any thread may use it."""

    def __init__(self) -> None:
        self._why: dict[str, str] = {}
        """By the jobs' ids."""

    @property
    def count(self) -> int:
        return len(self._why)

    def begin(self, job_id: str, why: str) -> None:
        """The job has found no workers; `why`: on one line."""
        self._why[job_id] = why

    def end(self, job_id: str) -> None:
        """It is made, or tried once more."""
        self._why.pop(job_id, None)

    def what(self, job_id: str) -> str | None:
        """What the job waits for, and why; None: it does not, or has not looked for workers yet."""
        why = self._why.get(job_id)
        return None if why is None else f"a worker: {why}"

    def forget_ended(self, live_ids: Callable[[], Collection[str]]) -> None:
        """Know only those that are live. Raises what `live_ids` raises."""
        known = set(self._why)  # first: what begins to wait meanwhile is live
        for job_id in known.difference(live_ids()) if known else ():
            self.end(job_id)
