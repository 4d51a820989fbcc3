"""When jobs expire: by a clock that nobody sets, from when this process first sees them.

The table's `expires_at` is of the wall clock, which alone survives a restart. It is looked at once
for each job. Afterwards the wall clock may be set forward or back: a job waits as long as it may.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection


def steady() -> float:
    """Seconds on a clock that is never set. It goes on while the machine is suspended.

    That of `time.monotonic` stands still then, on Linux and on macOS.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Deadlines:
    """By when each waiting job has to be spoken. Any thread may use it."""

    def __init__(self, clock: Callable[[], float], steady: Callable[[], float]) -> None:
        """`clock`: the wall clock; `steady`: see there."""
        self._clock = clock
        self._steady = steady
        self._deadlines: dict[str, float] = {}
        """By the job's id, on the steady clock."""

    def begin(self, job_id: str, created_at: float, expires_at: float) -> float:
        """Begin to count for the job, unless that has begun. Returns when its time is over.

        If the wall clock was set back before that, the job has its whole time again, never more.
        """
        left_s = min(expires_at - self._clock(), expires_at - created_at)
        return self._deadlines.setdefault(job_id, self._steady() + left_s)

    def is_over(self, job_id: str, created_at: float, expires_at: float) -> bool:
        return self._steady() > self.begin(job_id, created_at, expires_at)

    def forget_others(self, job_ids: Collection[str]) -> None:
        """Count for these jobs only."""
        for job_id in self._deadlines.keys() - set(job_ids):
            self._deadlines.pop(job_id, None)
