"""What is said, what comes next and what failed last: the job table in a few jobs."""

from __future__ import annotations

from typing import Any

from ..jobs import Job, Wanted
from .store import Store

_AT_WORK = ("speaking", "loading", "making")
FAILED = Wanted(states=("failed",))
_MOST = 3
"""One job is heard, and one model works, or waits for its turn, at a time."""


def overview(store: Store) -> dict[str, Any]:
    """As JSON: the few jobs that tell how it is. Raises StorageError.

    `now`: what is heard, or else made for the ear, and what is made for none. `next`: the first of
    the others. `waiting`: how many others there are. `last_failure`: the newest job that failed.
    """
    outlooks = store.outlooks.of_all()
    at_work = [job_id for job_id, outlook in outlooks.items() if outlook.phase in _AT_WORK]
    found = [store.find(job_id) for job_id in at_work[:_MOST]]
    now = _now([job for job in found if job is not None and job.is_live])
    shown = {job.id for job in now}
    others = [job_id for job_id in outlooks if job_id not in shown]
    after = store.find(others[0]) if others else None
    failed = next(iter(store.history.jobs(1, FAILED)), None)
    return {
        "now": [job.to_dict(outlooks[job.id]) for job in now],
        "next": None if after is None else after.to_dict(outlooks[after.id]),
        "waiting": len(others),
        "last_failure": None if failed is None else failed.to_dict(),
    }


def _now(at_work: list[Job]) -> list[Job]:
    """What is heard, or comes to the ear first, and what is made for no ear."""
    return [
        *[job for job in at_work if job.sink == "play"][:1],
        *[job for job in at_work if job.sink != "play"],
    ]
