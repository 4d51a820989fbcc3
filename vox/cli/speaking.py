"""Submit a job, wait for its end, and say what became of it: `vox TEXT`, `replay` and `wait`.

On the way to the first sound: with a daemon up nothing heavy is imported. Without one the job is
written to the queue here first, so that nothing is lost whatever happens next.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any, NamedTuple

from ..client.remote import ANSWER_TIMEOUT_S, Client, NoDaemon, OnEvent
from ..errors import VoxError, WaitTimeout
from ..jobs import Request, new_id
from ..paths import get_paths
from .output import complain, is_terminal, say, say_json, tell

CANCEL_TIMEOUT_S = 5.0
LEAST_ANSWER_S = 2.0
"""However short a `--timeout` is: a daemon that is slower than this to take a job in hangs."""

Job = dict[str, Any]


class Manner(NamedTuple):
    """How a command that makes a job behaves, whatever the job is."""

    is_async: bool = False
    timeout_s: float | None = None
    as_json: bool = False
    quiet: bool = False


class Terminated(BaseException):
    """SIGTERM or SIGHUP came."""

    def __init__(self, signum: int) -> None:
        super().__init__(signum)
        self.exit_code = 128 + signum


@contextlib.contextmanager
def signals() -> Iterator[None]:
    """Raise Terminated on SIGTERM and SIGHUP, unless they are ignored (nohup)."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise Terminated(signum)

    before = {}
    for signum in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) is not signal.SIG_IGN:
            before[signum] = signal.signal(signum, stop)
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def speak(request: Request, manner: Manner) -> int:
    """`vox TEXT`: returns the exit code."""
    client = Client(get_paths())
    # Chosen here: an interrupt cancels the job even when the answer that names it is under way.
    request.id = new_id()
    return make_and_watch(client, request.id, lambda: _submit(client, request, manner), manner)


def make_and_watch(
    client: Client, job_id: str | None, make: Callable[[], Job | Ended], manner: Manner
) -> int:
    """Make a job with `make` and, unless async, wait for it; an interrupt cancels it."""
    try:
        with signals():
            try:
                job = make()
                if isinstance(job, Ended):
                    return conclude(job.job, manner)
                job_id = job["id"]
                if manner.is_async:
                    tell_notes(job, manner)
                    say_json(job) if manner.as_json else say(job["id"])
                    return 0
                tell_notes(job, manner)
                return conclude(watch(client, job, manner), manner, told=job["notes"])
            except (KeyboardInterrupt, Terminated) as exc:
                if job_id:
                    _cancel(client, job_id, manner)
                return exc.exit_code if isinstance(exc, Terminated) else 130
    except Terminated as exc:
        return exc.exit_code


def spoken(client: Client, request: Request, manner: Manner) -> Job:
    """The request's job once it has ended, whatever became of it."""
    request.id = new_id()
    try:
        with signals():
            job = _submit(client, request, manner)
            return job.job if isinstance(job, Ended) else watch(client, job, manner)
    except (KeyboardInterrupt, Terminated):
        _cancel(client, request.id, manner)
        raise KeyboardInterrupt from None


class Ended(NamedTuple):
    """A job that was spoken by this very process."""

    job: Job


def _submit(client: Client, request: Request, manner: Manner) -> Job | Ended:
    answer_s = min(ANSWER_TIMEOUT_S, max(LEAST_ANSWER_S, manner.timeout_s or ANSWER_TIMEOUT_S))
    try:
        return client.post(request, answer_s)
    except NoDaemon:
        pass
    from ..backends import registry
    from ..client import local

    job = local.submit(client.paths, request)
    if not registry.get(job["backend"]).info.light:
        if manner.is_async:
            client.start_daemon(wait=False)
        return job
    from . import foreground

    if manner.is_async:
        foreground.start_passing_daemon(client)
        return job
    foreground.let_libraries_write_to_the_log(client.paths)
    with watcher(manner) as on_event:
        try:
            return Ended(foreground.speak(client, request, on_event, manner.timeout_s))
        except WaitTimeout as exc:
            raise _timed_out(job["id"]) from exc


def watch(client: Client, job: Job, manner: Manner) -> Job:
    """The job once it has ended. It dies with this process, unless a `--timeout` says otherwise.

    Raises WaitTimeout; with `as_json` the job as it is then is printed first.
    """
    job_id, bind = job["id"], manner.timeout_s is None
    try:
        with watcher(manner) as on_event:
            return client.follow(job_id, on_event, manner.timeout_s, bind)
    except WaitTimeout as exc:
        if manner.as_json:
            with contextlib.suppress(NoDaemon, VoxError):
                say_json(client.call("GET", f"/jobs/{job_id}", timeout_s=CANCEL_TIMEOUT_S))
        raise _timed_out(job_id) from exc


def _timed_out(job_id: str) -> WaitTimeout:
    return WaitTimeout(f"job {job_id} goes on", f"wait for it: vox wait {job_id}")


@contextlib.contextmanager
def watcher(manner: Manner) -> Iterator[OnEvent]:
    """What to call with the job's events: it shows them on a terminal, else it does nothing."""
    if manner.quiet or not is_terminal(sys.stderr):
        yield lambda _name, _data: None
        return
    from .progress import Progress

    with Progress(sys.stderr) as progress:
        yield progress.on_event


def conclude(job: Job, manner: Manner, told: Sequence[str] = ()) -> int:
    """Say what became of an ended job; returns the exit code. `told`: notes that were told."""
    tell_notes(job, manner, told)
    if manner.as_json:
        say_json(job)
    if job["exit_code"]:
        complain(what_became_of(job))
    return int(job["exit_code"] or 0)


def what_became_of(job: Job) -> str:
    """One line about a job that was not spoken."""
    name, state, error = f"job {job['id']}", job["state"], job["error"]
    if state == "failed":
        return error or f"{name} failed; see: vox history show {job['id']}"
    if state == "cancelled":
        return (
            f"{name} was {error}"
            if error.startswith(("cancelled", "skipped", "replaced "))
            else f"{name} was cancelled: {error}"
        )
    return f"{name} {state}: {error}"


def tell_notes(job: Job, manner: Manner, told: Sequence[str] = ()) -> None:
    if not manner.quiet:
        for note in job["notes"]:
            if note not in told:
                tell(f"vox: {note}")


def _cancel(client: Client, job_id: str, manner: Manner) -> None:
    """Cancel the job wherever it is, if it lives and was made at all."""
    from . import reach

    with contextlib.suppress(VoxError):
        reach.cancel(client, job_id, CANCEL_TIMEOUT_S)
    if manner.as_json:
        with contextlib.suppress(VoxError):
            say_json(reach.job(client, job_id))
