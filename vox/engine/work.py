"""A job that is synthesized, and how far its spool is. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ..audio.spool import Spool
from ..backends.base import Utterance
from ..jobs import Job
from .cache_keys import CacheKeys
from .host_use import HostUse
from .pieces import CheckWanted, Pieces, Tally
from .rates import Voice
from .running import Run
from .unsaid import Failures, Unsaid


@dataclass(slots=True)
class Work:
    """A job that is synthesized."""

    run: Run
    spool: Spool
    pieces: Pieces
    """Those that the spool does not hold yet."""
    check_wanted: CheckWanted
    said: Utterance
    """How it is said: an utterance without its text. Its speed is one that the backend has."""
    voice: Voice
    keys: CacheKeys | None
    """None: its utterances are not cached."""
    failures: Failures
    unsaid: Unsaid
    tally: Tally
    use: HostUse
    makers: list[str]
    """The workers that made some of it."""
    saved_synthesis_s: float = 0.0
    """See `Job.saved_synthesis_s`."""

    @property
    def job(self) -> Job:
        return self.run.job


def first_of(job: Job, spool: Spool) -> int:
    """The index of the first utterance to make: after what the spool holds, at the ear if nothing.

    For the ear alone; and a job of which all was heard needs the length of its audio.
    """
    is_for_ear = job.sink == "play" and not spool.segments
    is_at_end = job.utterances is not None and job.heard >= job.utterances
    return job.heard if is_for_ear and not is_at_end else utterances_in(spool)


def utterances_in(spool: Spool) -> int:
    """How many utterances, counted from the text's start, the spool holds whole."""
    return max((segment.index + 1 for segment in spool.segments), default=0)


def audio_s(spool: Spool) -> float:
    return spool.frames / spool.sample_rate if spool.sample_rate else 0.0
