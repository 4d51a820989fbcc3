"""Jobs, from the daemon that is up or, without one, from the job table itself.

None of these starts a daemon. The one place of the command line that opens the queue's files.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ..client.remote import ANSWER_TIMEOUT_S, Client, NoDaemon
from ..errors import UnknownJob
from ..jobs import ID_ALPHABET
from .output import tell

if TYPE_CHECKING:
    from ..queue.store import Store

Job = dict[str, Any]


@contextlib.contextmanager
def _open_store(client: Client) -> Iterator[Store]:
    """The job table where no daemon is up; says so if a damaged one had to be moved aside."""
    from ..client import local

    with local.open_store(client.paths) as store:
        if note := local.note_of(store):
            tell(f"vox: {note}")
        yield store


def _target(job_id: str) -> str:
    """The job's path in the API. Raises UnknownJob for what no id can be."""
    job_id = job_id.strip().lower()
    if not job_id or not set(job_id) <= set(ID_ALPHABET):
        raise UnknownJob(f"there is no job {job_id!r}")
    return f"/jobs/{job_id}"


def history(
    client: Client, limit: int | None, search: str | None, states: tuple[str, ...]
) -> list[Job]:
    """Jobs, newest first."""
    asked = [("limit", limit), ("search", search), *(("state", state) for state in states)]
    query = urlencode([pair for pair in asked if pair[1] is not None])
    try:
        found: list[Job] = client.call("GET", f"/jobs?{query}")
    except NoDaemon:
        with _open_store(client) as store:
            # click has checked the states
            return list(store.shown(store.history(limit, search, states)))  # type: ignore[arg-type]
    return found


def job(client: Client, job_id: str) -> Job:
    """One job. Raises UnknownJob, AmbiguousId."""
    try:
        found: Job = client.call("GET", _target(job_id))
    except NoDaemon:
        with _open_store(client) as store:
            kept = store.get(job_id)
            return kept.to_dict(store.position(kept))
    return found


def queue(client: Client) -> list[Job]:
    """Live jobs in queue order."""
    try:
        found: list[Job] = client.call("GET", "/queue")
    except NoDaemon:
        with _open_store(client) as store:
            return list(store.shown(store.live()))
    return found


def is_paused(client: Client) -> bool:
    """Whether speech is paused. Only a daemon that is up can hold it."""
    try:
        return bool(client.call("GET", "/health")["queue"]["paused"])
    except NoDaemon:
        return False


def cancel(client: Client, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
    """Cancel a live job. Raises UnknownJob, AmbiguousId, JobNotLive."""
    target = _target(job_id)
    try:
        cancelled: Job = client.call("DELETE", target, timeout_s=timeout_s)
    except NoDaemon:
        with _open_store(client) as store:
            return store.cancel(store.get(job_id).id).to_dict()
    return cancelled


def cancel_all(client: Client) -> list[Job]:
    try:
        cancelled: list[Job] = client.call("POST", "/cancel")
    except NoDaemon:
        with _open_store(client) as store:
            return [store.cancel(job.id).to_dict() for job in store.live()]
    return cancelled


def clear(client: Client, older_than_s: float | None) -> int:
    """Forget ended jobs and their audio; returns how many."""
    query = "" if older_than_s is None else f"?older_than_s={older_than_s}"
    try:
        return int(client.call("DELETE", f"/jobs{query}")["cleared"])
    except NoDaemon:
        from ..audio.spool import SpoolDir

        with _open_store(client) as store:
            gone = store.clear(older_than_s)
        spools = SpoolDir(client.paths.spool_dir, limit_bytes=0)
        for job_id in gone:
            spools.remove(job_id)
        return len(gone)


def replay(client: Client, job_id: str) -> Job:
    """A new job that speaks an old one again. Raises UnknownJob, AmbiguousId, JobNotLive."""
    target = _target(job_id) + "/replay"
    try:
        made: Job = client.call("POST", target)
    except NoDaemon:
        job(client, job_id)  # An unknown one is no reason to start a daemon.
        client.start_daemon(wait=True)
        made = client.call("POST", target)
    return made
