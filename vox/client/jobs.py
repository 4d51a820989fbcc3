"""The contract of everything that the command line may ask about jobs.

`remote` asks the daemon over its control socket, `local` opens the job table where no daemon is
up, and `front` asks whichever of the two is there. Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypedDict

from .. import callers
from ..jobs import AS_IT_WAS, EVERY_JOB, Changes, Request, Wanted

Job = dict[str, Any]
"""A job as JSON (see `vox.jobs.Job.to_dict`)."""


class Growth(TypedDict):
    """How far a text has come that is still being written."""

    length: int
    """In characters; what follows these is to be written next."""
    open: bool
    """Whether more is taken."""


OnEvent = Callable[[str, dict[str, Any]], None]
"""Called with an event's name and data; see `Bus` for the names, plus `starting` while a daemon
is being started."""

ANSWER_TIMEOUT_S = 60.0
"""A daemon that is up but does not answer a plain request for so long counts as hung."""


def ignore(_name: str, _data: dict[str, Any]) -> None:
    """An `OnEvent` that does nothing."""


def caller_of_followed(is_followed: bool) -> str | None:
    """See `vox.jobs.Job.caller`: this process, if it will follow the job."""
    return callers.me() if is_followed else None


def caller_of(request: Request, is_followed: bool) -> str | None:
    """As `caller_of_followed`; who writes a text is its caller until it has ended."""
    return caller_of_followed(is_followed or request.is_open)


class NoDaemon(Exception):
    """No daemon is up (never shown to a user)."""


class Jobs(Protocol):
    """Jobs, wherever they are.

    Ids may be abbreviated except where it says so; `last` and `@1` are the newest job, `@2` is the
    one before it, and so on. Every method raises StorageError if the queue cannot be read or
    written, and DaemonUnavailable if a daemon is up that does not answer.
    """

    def submit(
        self, request: Request, is_followed: bool = True, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Job:
        """Make a job. It is durable when this returns.

        If the request `is_open`, the text is to be written with `write` and ended with `end`.

        Submitting a request again under the same id gives the same job. If another job has that
        id, the new one has a new id. `is_followed`: the caller will call `follow`; if not,
        somebody else must speak the job. `timeout_s`: for the daemon's answer. Raises BadInput
        and its kind, NotAvailable, QueueFull.
        """

    def write(self, job_id: str, at: int, text: str) -> Growth:
        """Add to a text what follows its first `at` characters. The id must be whole.

        It is durable when this returns. What is there already is not added again. Raises BadInput,
        UnknownJob, JobNotLive.
        """

    def end(self, job_id: str) -> None:
        """No more of the text will come. Raises UnknownJob."""

    def replay(self, job_id: str, is_followed: bool = True, changes: Changes = AS_IT_WAS) -> Job:
        """Make a job that speaks an ended one again, from its audio if that is kept.

        `last` is the newest job that was heard. Raises UnknownJob, AmbiguousId, JobNotLive (the
        job has not ended), and as `submit`.
        """

    def follow(
        self,
        job_id: str,
        on_event: OnEvent = ignore,
        timeout_s: float | None = None,
        bind: bool = False,
    ) -> Job:
        """Wait until the job has ended and return it. The id must be whole.

        `bind`: cancel the job if this process dies. Raises WaitTimeout, UnknownJob, and
        DaemonUnavailable also if the daemon was told to leave.
        """

    def get(self, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
        """Raises UnknownJob, AmbiguousId."""

    def queue(self) -> list[Job]:
        """Live jobs in queue order."""

    def history(self, limit: int | None = None, wanted: Wanted = EVERY_JOB) -> Iterator[Job]:
        """Jobs, newest first, each as it comes."""

    def stats(self) -> dict[str, Any]:
        """What the history adds up to, by period: see `queue.stats`."""

    def cancel(self, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
        """Cancel a live job. Raises UnknownJob, AmbiguousId, JobNotLive."""

    def cancel_all(self, source: str | None = None) -> list[Job]:
        """Cancel every live job, or those of one source; returns these jobs."""

    def clear(self, older_than_s: float | None = None) -> int:
        """Forget jobs that ended (longer ago than so many seconds), and their audio; how many."""

    def skip(self) -> Job | None:
        """Cancel the job whose turn it is; None: there is none. Raises DaemonUnavailable."""

    def move(self, steps: int) -> Job:
        """Go so many sentences forward (or back, below 0) in what is being spoken.

        Returns the job with `heard` as it is there. Raises NothingSpoken, DaemonUnavailable.
        """

    def pause(self, source: str | None = None) -> None:
        """Pause speech, or that of one source, until `resume`, whatever is restarted meanwhile."""

    def resume(self, source: str | None = None) -> None:
        """Go on speaking. What is paused for a source alone is resumed for it alone."""

    def mute(self, source: str, is_muted: bool) -> None:
        """Have what a source sends end at once, unheard; or have it spoken again.

        Raises BadConfig too.
        """

    def is_paused(self) -> bool:
        """Whether speech is paused."""

    def obstacles(self) -> list[str]:
        """Notes for the user on what keeps jobs from being heard now."""


class CallJobs(Jobs, Protocol):
    """The jobs of a call that makes some."""

    def release(self, job_id: str) -> None:
        """Let a job go on that this call has made, and that its end would cancel."""

    def close(self) -> None:
        """Release what a job needs that was submitted and will not be followed."""
