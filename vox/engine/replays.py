"""The audio of a replay: made of what is kept of an earlier job, at once or at another tempo.

Knows jobs and spools; synthesizes nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ..audio.spool import Spool, SpoolDir
from ..jobs import Job
from ..queue.store import Store


class Replays:
    """Fills the spools of replays from those of the jobs that they speak again."""

    def __init__(self, store: Store, spools: SpoolDir) -> None:
        self._store = store
        self._spools = spools

    def open_spool(self, job: Job) -> Spool:
        """The job's spool; that of a replay at the same speed has the audio already.

        All of it or, of a job that goes on after it was cut off, as much as was made.

        Raises StorageError.
        """
        if not self._spools.has(job.id):
            source = self._source(job)
            if source is not None and self._tempo(job, source) == 1.0:
                is_shared = self._spools.share(source.id, job.id)
                if not is_shared and job.heard:
                    self._spools.take_over(source.id, job.id)
        return self._spools.open(job.id)

    def complete(self, job: Job, spool: Spool, check_wanted: Callable[[], None]) -> None:
        """Complete the spool of a replay at another speed, if its source is kept.

        Raises what `check_wanted` raises, StorageError, and NotAvailable without the package `av`.
        """
        source = None if spool.is_complete else self._source(job)
        if source is None or not self._spools.has(source.id):
            return
        from ..audio.time_stretch import stretch_spool

        with contextlib.closing(self._spools.open(source.id)) as kept:
            stretch_spool(kept, spool, self._tempo(job, source), check_wanted)

    def _source(self, job: Job) -> Job | None:
        name = job.source_name if job.via == "replay" else None
        return self._store.find(name) if name else None

    def _tempo(self, job: Job, source: Job) -> float:
        """How much faster than its source the job is to be heard."""
        return job.speed / source.speed
