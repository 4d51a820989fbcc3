"""Puts jobs of a daemon that died or left back into the queue, and sends tasks that are missing.

`recover` runs before the consumer starts and under the consumer lock, so no other process changes
the jobs' states meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..errors import StorageError
from ..jobs import Job
from .store import Store
from .tasks import Tasks

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""How often a daemon may die on a job, without progress in between, before the job fails."""


def recover(store: Store, tasks: Tasks, streams_died_before: int = 0) -> list[Job]:
    """Put interrupted jobs back into the queue, and make Huey hold every queued job, in order.

    Streams with a `seq` below `streams_died_before` are cancelled; other streams are left alone.
    Huey deletes its row before it runs the task, so only the job table knows what ran. Returns
    the jobs that were put back.
    """
    for old in store.live():
        if old.sink == "stream" and old.seq < streams_died_before:
            # The HTTP response that it went into died with the daemon.
            store.cancel(old.id, "its caller went away")
    interrupted = [old for old in store.live() if old.state != "queued" and old.sink != "stream"]
    # Many jobs may have been prepared. Three deaths must fail the one that caused them, not all.
    suspect = next((old for old in interrupted if not _only_waited(old)), None)
    back = [
        job
        for old in interrupted
        if (job := _take_back(store, old) if old is suspect else give_back(store, old.id))
    ]
    jobs = [job for job in store.live() if job.state == "queued"]
    if [job.id for job in jobs] != tasks.pending():
        tasks.replace_all((job.id, job.priority) for job in jobs)
    return back


def _only_waited(job: Job) -> bool:
    """Its audio was complete and waited for its turn to be played."""
    return job.sink == "play" and job.state == "preparing" and job.audio_s is not None


def _take_back(store: Store, job: Job) -> Job | None:
    attempts = 1 if job.heard > job.heard_at_attempt else job.attempts + 1
    if attempts >= MAX_ATTEMPTS:
        log.error("job %s: %d attempts without progress", job.id, attempts)
        store.change(
            job.id,
            ("preparing", "speaking"),
            "failed",
            attempts=attempts,
            error=f"the daemon died {attempts} times while it spoke this; see: vox daemon logs",
            error_code="job-failed",
            error_exit=1,
        )
        return None
    log.warning("job %s was interrupted after %d utterances: queued again", job.id, job.heard)
    return store.change(
        job.id,
        ("preparing", "speaking"),
        "queued",
        attempts=attempts,
        heard_at_attempt=job.heard,
    )


def give_back(store: Store, job_id: str) -> Job | None:
    """Put a job back into the queue; it does not count as an attempt. None if it has ended."""
    return store.change(job_id, ("preparing", "speaking"), "queued")


def resend_stranded(
    store: Store, tasks: Tasks, on_failure: Callable[[str, StorageError], None]
) -> int:
    """Send tasks for queued jobs that have none: their client died before it sent them.

    Returns how many there were. A job whose task is sent twice is spoken once. `on_failure` is
    called for each job whose task cannot be sent because the disk is full.
    """
    queued = store.queued_ids()
    if not queued:
        return 0
    held = set(tasks.pending())
    stranded = [job_id for job_id in queued if job_id not in held]
    if stranded:
        try:
            tasks.send((job_id, store.get(job_id).priority) for job_id in stranded)
        except StorageError as exc:
            for job_id in stranded:
                on_failure(job_id, exc)
    return len(stranded)
