"""Jobs that are not kept: the row goes when the job has ended.

Their ends are remembered for a while, in this process, for who still asks how one ended.
"""

from __future__ import annotations

import sqlite3

from ..jobs import Job

KNOWN = 200
"""Of so many it is known how they ended."""
LATE_S = 5.0
"""One that waits longer for a daemon, which was killed perhaps, is not worth speaking any more."""


class Unkept:
    """The ends of one job table's unkept jobs, without their texts. Any thread may use it."""

    def __init__(self) -> None:
        self._ended: dict[str, Job] = {}

    def forget(self, conn: sqlite3.Connection, job: Job) -> None:
        """Delete the row of a job that has just ended."""
        conn.execute("delete from job where id = ?", (job.id,))
        # Before the row is gone for others: the table is asked first.
        self._ended[job.id] = job
        while len(self._ended) > KNOWN:
            self._ended.pop(next(iter(self._ended)), None)

    def find(self, job_id: str) -> Job | None:
        """How the job of exactly that id ended; None if that is not known."""
        return self._ended.get(job_id)
