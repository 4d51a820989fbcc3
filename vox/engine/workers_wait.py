"""Jobs that wait for workers: nobody else can make them, and no worker is there.

They are in the job table, but Huey holds no tasks for them (see `Parts.send_stranded`): so they
hold up nobody, however many there are. Before it waits a job is tried, for the cache may have all
of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..jobs import Job
from ..queue.store import Store
from .lookahead import LookAhead
from .placement import Placement
from .running import Running
from .work import Work, utterances_in

MOST_TRIED = 20
"""While fewer jobs wait, the next one is tried first."""
LOOK_S = 1.0
"""How often a job that is still being heard looks for workers."""


class WorkersWait:
    """Any thread may use it."""

    def __init__(
        self, store: Store, placement: Placement, lookahead: LookAhead, running: Running
    ) -> None:
        self._store = store
        self._placement = placement
        self._lookahead = lookahead
        self._running = running
        self._why: dict[str, str] = {}
        """Why they wait, in one line, by job id."""

    @property
    def count(self) -> int:
        return len(self._why)

    def what(self, job_id: str) -> str | None:
        """What the job waits for, and why; None: it does not, or has not looked for workers yet."""
        why = self._why.get(job_id)
        return None if why is None else f"a worker: {why}"

    def begins(self, job: Job) -> bool:
        """Whether the job, in the queue, begins to wait without a look at what the cache has.

        Such a look takes a while, and many of them would hold others up.
        """
        if job.unkept or self.count < MOST_TRIED:
            return False
        why = self._placement.obstacle(job)
        if why is not None:
            self._why[job.id] = job.discreet(why.line)
        return why is not None

    def wait(self, work: Work, why: str) -> None:
        """Wait while there is audio to hear; then the job goes back into the queue.

        Returns once workers are there. Raises what `check_wanted` raises.
        """
        job, run = work.job, work.run
        self._why[job.id] = job.discreet(why)
        self._running.rest(run)
        while self._placement.place_of(job.backend, job.model, job.voice) is None:
            work.check_wanted()
            if job.sink != "play" or self._store.get(job.id).heard >= utterances_in(work.spool):
                self._running.put_back(job.id)
                work.check_wanted()
            self._lookahead.wait_change(LOOK_S)
        self._running.rest(run, False)
        self.end(job.id)

    def end(self, job_id: str) -> None:
        """The job is made, or tried once more."""
        self._why.pop(job_id, None)

    def forget_ended(self, live_ids: Callable[[], Collection[str]]) -> None:
        """Forget all others than the live ones. Raises what `live_ids` raises."""
        known = set(self._why)  # first: what begins to wait meanwhile is live
        for job_id in known.difference(live_ids()) if known else ():
            self.end(job_id)
