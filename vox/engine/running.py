"""The jobs that are at work: taken out of the queue, and not yet made to their end.

Several may be: one that is outranked waits between two utterances, and one to be played that is
far ahead of the ear rests. Knows who goes first, not how speech is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from ..jobs import INTERRUPT, Job, Sink

WARMING = (3,)
"""The rank of who wants a model warm: after what is for the ear, and before files."""


CHECK_S = 0.5
"""How often who waits for others looks whether its job is still wanted, and who is heard."""


class Ranked(Protocol):
    """A job, or what the queue knows of it."""

    @property
    def sink(self) -> Sink: ...
    @property
    def priority(self) -> int: ...


def level(job: Ranked, is_heard: bool = False) -> tuple[int, int]:
    """Sorts jobs by who goes first: in the order in which they are heard, and then files.

    `is_heard`: now. Among jobs of one level the first in the queue goes first, but it does not make
    another yield that is at work.
    """
    if job.sink == "file":
        stage = 4
    elif job.priority >= INTERRUPT:
        stage = 0
    else:
        stage = 1 if is_heard else 2
    return stage, -job.priority


class Run:
    """One job at work. Any thread may read it."""

    def __init__(self, job: Job, is_heard: Callable[[str], bool]) -> None:
        """`is_heard`: whether the job of that id is being heard now."""
        self.job = job
        self.is_cancelled = False
        self.is_put_back = False
        """It is to go back into the queue."""
        self.is_resting = False
        """It needs no host now: it has enough audio, waits for text, or is being encoded. Files and
        streams may go on meanwhile."""
        self.is_remote = False
        """It is made by workers on other machines, so hosts of this one are free for others."""
        self.encoding_since: float | None = None
        """Since when its file is written, all of its audio being made (`time.monotonic`)."""
        self._is_heard = is_heard

    @property
    def is_unwanted(self) -> bool:
        """It is to end now."""
        return self.is_cancelled or self.is_put_back

    @property
    def level(self) -> tuple[int, int]:
        return level(self.job, self._is_heard(self.job.id))

    def rank(self) -> tuple[int, ...]:
        """See `hosts.turns.Rank`."""
        return *self.level, self.job.seq


class Running:
    """The runs that have begun and not ended. Any thread may use it."""

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = lambda: None
        """Called when a job has ended or rests: others may be taken out of the queue then."""
        self._runs: dict[str, Run] = {}
        self._changed = threading.Condition(threading.RLock())

    def __iter__(self) -> Iterator[Run]:
        with self._changed:
            return iter(list(self._runs.values()))  # as they are now

    def get(self, job_id: str) -> Run | None:
        return self._runs.get(job_id)

    def begin(self, run: Run) -> None:
        with self._changed:
            self._runs[run.job.id] = run
            self._changed.notify_all()

    def end(self, run: Run) -> None:
        with self._changed:
            if self._runs.get(run.job.id) is run:
                del self._runs[run.job.id]
            self._changed.notify_all()
        self.on_change()

    def rest(self, run: Run, is_resting: bool = True) -> None:
        """The run rests from now on, or goes on."""
        if run.is_resting == is_resting:
            return
        with self._changed:
            run.is_resting = is_resting
            self._changed.notify_all()
        if is_resting:
            self.on_change()

    def set_remote(self, run: Run, is_remote: bool) -> None:
        """The run is made elsewhere from now on, or here."""
        if run.is_remote != is_remote:
            with self._changed:
                run.is_remote = is_remote
                self._changed.notify_all()
            self.on_change()

    def cancel(self, run: Run) -> None:
        """Nobody wants the job any more."""
        with self._changed:
            run.is_cancelled = True
            self._changed.notify_all()

    def put_back(self, job_id: str) -> bool:
        """The job is to go back into the queue once its run has ended; False if it is not here."""
        with self._changed:
            run = self._runs.get(job_id)
            if run is not None:
                run.is_put_back = True
                self._changed.notify_all()
            return run is not None

    def is_outranked(self, run: Run) -> bool:
        """A job that goes before this one is at work here and does not rest."""
        mine = run.rank()
        return not run.is_remote and any(
            other.rank() < mine for other in self if not (other.is_resting or other.is_remote)
        )

    def let_others_go_first(self, run: Run, check_wanted: Callable[[], None]) -> None:
        """Wait while it is outranked. `check_wanted` ends the wait by raising."""
        while self.is_outranked(run):
            check_wanted()
            with self._changed:
                self._changed.wait_for(
                    lambda: run.is_unwanted or not self.is_outranked(run), CHECK_S
                )

    def wait_ended(self, timeout_s: float) -> None:
        """Wait until no run is left."""
        with self._changed:
            self._changed.wait_for(lambda: not self._runs, timeout_s)
