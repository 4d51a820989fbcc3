"""Puts jobs of a daemon that died or left back into the queue, and sends tasks that are missing.

`recover` runs before the consumer starts and under the consumer lock, so no other process changes
the jobs' states meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ..callers import WENT_AWAY
from ..errors import StorageError
from ..jobs import Job
from .reader import QueueEntry
from .store import Store
from .tasks import Tasks, task_priority

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""When a daemon died on a job so often, without progress in between, the job is tried alone: at the
end of the line, with no other beside it. Whoever kills daemons may have hit an innocent job."""
MAX_ALONE = 5
"""How often a daemon may then die while this job alone is at work, before the job fails."""


def recover(store: Store, tasks: Tasks, streams_died_before: int = 0) -> list[Job]:
    """Put interrupted jobs back into the queue, and make Huey hold every queued job, in order.

    Streams with a `seq` below `streams_died_before` are cancelled; other streams are left alone.
    Huey deletes its row before it runs the task, so only the job table knows what ran. Returns
    the jobs that were put back.
    """
    store.cancel_late()
    for old in store.live():
        if old.sink == "stream" and old.seq < streams_died_before:
            # The HTTP response that it went into died with the daemon.
            store.cancel(old.id, WENT_AWAY)
    interrupted = [old for old in store.live() if old.state != "queued" and old.sink != "stream"]
    suspect = _suspect([old for old in interrupted if not _only_waited(old)])
    back = [
        job
        for old in interrupted
        if (job := _take_back(store, old) if old is suspect else give_back(store, old.id))
    ]
    if suspect is not None and not _is_tried_alone(suspect):
        _acquit_others(store)
    with store.in_order():  # nobody is about to send the task of a job that was just added
        if store.queued_ids() != tasks.pending():
            send_all(store, tasks)
    return back


def send_all(store: Store, tasks: Tasks) -> None:
    """Make the queue hold a task for each job that may run. The caller holds `Store.in_order`."""
    tasks.replace_all((each.id, task_priority(each)) for each in store.queued())


def tried_alone(store: Store) -> set[str]:
    """Ids of the jobs that are to be tried alone."""
    return {job.id for job in store.live() if _is_tried_alone(job)}


def _is_tried_alone(job: Job) -> bool:
    return job.attempts >= MAX_ATTEMPTS


def _suspect(at_work: list[Job]) -> Job | None:
    """The one job that a daemon's death is put down to: many may have been prepared.

    A job that is tried alone is to blame only if it was alone.
    """
    among_others = [job for job in at_work if not _is_tried_alone(job)]
    if among_others:
        return among_others[0]
    return at_work[0] if len(at_work) == 1 else None


def _acquit_others(store: Store) -> None:
    """Daemons die without the jobs that are tried alone, too: their count begins anew."""
    for job in store.live():
        if job.attempts > MAX_ATTEMPTS:
            store.note(job.id, attempts=MAX_ATTEMPTS)


def _only_waited(job: Job) -> bool:
    """Its audio was complete and waited for its turn to be played."""
    return job.sink == "play" and job.state == "preparing" and job.audio_s is not None


def _take_back(store: Store, job: Job) -> Job | None:
    # Fewer are heard than before if the user went back.
    attempts = 1 if job.heard != job.heard_at_attempt else job.attempts + 1
    if attempts >= MAX_ATTEMPTS + MAX_ALONE:
        log.error("job %s: %d attempts without progress", job.id, attempts)
        store.change(
            job.id,
            ("preparing", "speaking"),
            "failed",
            attempts=attempts,
            error=f"the daemon died {attempts} times while it spoke this, the last {MAX_ALONE} "
            "times with nothing else at work; see: vox daemon logs",
            error_code="job-failed",
            error_exit=1,
        )
        return None
    log.warning("job %s was interrupted after %d utterances: queued again", job.id, job.heard)
    back = store.change(
        job.id,
        ("preparing", "speaking"),
        "queued",
        attempts=attempts,
        heard_at_attempt=job.heard,
    )
    if back is not None and _is_tried_alone(back):
        log.warning("job %s is tried alone, after those that wait now", job.id)
        store.put_last(job.id)
    return back


def give_back(store: Store, job_id: str) -> Job | None:
    """Put a job back into the queue; it does not count as an attempt. None if it has ended."""
    return store.change(job_id, ("preparing", "speaking"), "queued")


def resend_stranded(
    store: Store,
    tasks: Tasks,
    on_failure: Callable[[str, StorageError], None],
    is_held: Callable[[QueueEntry], bool] = lambda _entry: False,
) -> int:
    """Send tasks for queued jobs that have none, in queue order: their client died before it did.

    Returns how many there were. A job whose task is sent twice is spoken once. `on_failure` is
    called for each job whose task cannot be sent because the disk is full. `is_held`: a job that
    is to have none now. Raises StorageError.
    """

    def wanted() -> list[QueueEntry]:
        return [entry for entry in store.queued() if not is_held(entry)]

    if not _stranded(wanted(), tasks):
        return 0
    with store.in_order():
        queued = wanted()
        stranded = _stranded(queued, tasks)
        if stranded:
            try:
                # All of them: a task that is sent alone comes behind those of younger jobs.
                tasks.replace_all((each.id, task_priority(each)) for each in queued)
            except StorageError as exc:
                for job_id in stranded:
                    on_failure(job_id, exc)
    return len(stranded)


def _stranded(queued: Sequence[QueueEntry], tasks: Tasks) -> list[str]:
    if not queued:
        return []
    held = set(tasks.pending())
    return [each.id for each in queued if each.id not in held]
