"""Jobs of a muted source: they are done at once, unheard, and stand in the history for a replay."""

from __future__ import annotations

from ..config import Config
from ..jobs import LIVE, Job
from ..queue.store import Store
from ..source_notes import muted_note


def is_muted(job: Job, config: Config) -> bool:
    """Whether the job is not to be heard. Who replays one wants to hear it."""
    is_played = job.sink == "play" and job.via != "replay"
    return is_played and bool(config.of_source(job.source, "muted"))


def end_muted(store: Store, job: Job) -> None:
    """End a live job of a muted source; whoever waits for it is told why it was not heard."""
    store.add_note(job.id, muted_note(job.source))
    store.change(job.id, LIVE, "done")


def end_all_muted(store: Store, config: Config) -> list[Job]:
    """End the live jobs of muted sources. Returns them as they were.

    A text that is still being written goes on to its end: all of it is to stand in the history.
    """
    muted = config.muted_sources
    jobs = [job for job in store.live_of(muted) if is_muted(job, config)] if muted else []
    ended = [job for job in jobs if not job.is_open]
    for job in ended:
        end_muted(store, job)
    return jobs
