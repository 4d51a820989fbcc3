"""The resources: the queue, the history, and one job, as JSON."""

from __future__ import annotations

from typing import Any

from ..errors import UnknownJob
from .answers import brief, whole
from .caller import Caller
from .lists import some_history

JSON = "application/json"
QUEUE, HISTORY = "vox://queue", "vox://history"
LISTED = {
    QUEUE: "What is being said and what waits, in the order of hearing.",
    HISTORY: "The newest that was said.",
}
_JOB = "vox://jobs/"
JOB = f"{_JOB}{{id}}"
JOB_ABOUT = "One job with its whole text; last is the newest."
MOST_QUEUED = 100


def read(caller: Caller, uri: str) -> Any:
    """What stands there. Raises UnknownJob if that is nothing, and as `Jobs`."""
    if uri == QUEUE:
        return [brief(job) for job in caller.jobs.queue()[:MOST_QUEUED]]
    if uri == HISTORY:
        return some_history(caller)
    job_id = uri.removeprefix(_JOB)
    if job_id in ("", uri):
        raise UnknownJob(f"there is no resource {uri[:80]!r}", f"see: {QUEUE}, {HISTORY}, {JOB}")
    return whole(caller.jobs.get(job_id))
