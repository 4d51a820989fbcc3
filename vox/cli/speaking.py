"""Make a job, wait for its end, and say what became of it: `vox TEXT`, `replay` and `wait`.

On the way to the first sound: with a daemon up nothing heavy is imported.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from ..client.front import Front
from ..client.jobs import ANSWER_TIMEOUT_S, CallJobs, Job, Jobs, OnEvent, ignore
from ..errors import JobFailed, UnknownJob, VoxError, WaitTimeout
from ..jobs import Request, new_id
from ..paths import get_paths
from ..quick.begun import Begun
from ..quick.call import Sent
from ..quick.follow import PATIENCE_S
from ..quick.interrupts import Heeded, Terminated
from ..quick.place import may_be_elsewhere
from .output import clock, complain, is_dumb, is_terminal, say, say_json, tell

CANCEL_TIMEOUT_S = 5.0
LEAST_ANSWER_S = 2.0
"""The daemon gets at least this long to accept a job, however short `--timeout` is."""


class CallOptions(NamedTuple):
    """Options of every command that makes or follows jobs."""

    is_async: bool = False
    timeout_s: float | None = None
    as_json: bool = False
    quiet: bool = False
    strict: bool = False
    """A sentence that was left out makes the exit code 1."""
    is_output_named: bool = True
    """The output file is the user's: `-o -` has one of its own."""
    began: float | None = None
    """When the call began to wait, by the monotonic clock; None: it begins now."""
    is_typed: bool = False
    """The text is typed on the terminal, where a line about the progress would stand in it."""
    here: bool = False
    """Speak on this machine, also where a laptop hears what is said."""


def open_jobs(begun: dict[tuple[str, str], Begun] | None = None) -> Front:
    """The user's jobs; notes about them go to standard error. `begun`: see `Front`."""
    paths = get_paths()

    def before_speaking_here() -> None:
        from .library_output import send_to_log

        send_to_log(paths)

    return Front(paths, lambda note: tell(f"vox: {note}"), before_speaking_here, begun=begun)


def open_speech(here: bool = False) -> CallJobs:
    """The jobs of the laptop that hears what is said here (`vox remote`), else the user's own.

    Raises BadConfig, and DaemonUnavailable if there is a laptop that does not answer.
    """
    if not here and may_be_elsewhere(os.environ):
        from ..client.laptop import find

        laptop = find(get_paths())
        if laptop is not None:
            return laptop
    return open_jobs()


def speak(request: Request, options: CallOptions) -> int:
    """`vox TEXT`: returns the exit code."""
    # Files are written where they are asked for.
    jobs = open_speech(options.here or request.output is not None)
    # Chosen here: an interrupt cancels the job even when the answer that names it is under way.
    request.id = new_id()
    return make_and_follow(jobs, request.id, lambda: submit(jobs, request, options), options)


def follow_sent(sent: Sent) -> int:
    """As `speak`, of a call whose request was sent."""
    jobs = open_jobs(sent.begun)
    wishes = sent.wishes
    request = Request(**wishes.values)
    options = CallOptions(wishes.is_async, quiet=wishes.is_quiet, began=sent.began or None)

    def make() -> Job:
        if sent.interrupt is not None:
            raise sent.interrupt
        return submit(jobs, request, options)

    return make_and_follow(jobs, sent.job_id, make, options)


def make_and_follow(
    jobs: CallJobs, job_id: str | None, make: Callable[[], Job], options: CallOptions
) -> int:
    """Make a job with `make` and, unless async, wait for it; an interrupt cancels it."""
    try:
        with Heeded():
            try:
                job = make()
                job_id = job["id"]
                tell_notes(job, options)
                if options.is_async:
                    say_json(job) if options.as_json else say(job["id"])
                    return 0
                return conclude(_follow(jobs, job, options), options, shown=job["notes"])
            except (KeyboardInterrupt, Terminated) as exc:
                if job_id:
                    _cancel(jobs, job_id, options)
                return exc.exit_code if isinstance(exc, Terminated) else 130
            finally:
                jobs.close()
    except Terminated as exc:
        return exc.exit_code


def spoken(jobs: Jobs, request: Request, options: CallOptions) -> Job:
    """The request's job once it has ended, whatever became of it."""
    request.id = new_id()
    try:
        with Heeded():
            return _follow(jobs, submit(jobs, request, options), options)
    except (KeyboardInterrupt, Terminated):
        _cancel(jobs, request.id, options)
        raise KeyboardInterrupt from None


def current_umask() -> int:
    """That of this process: the daemon, which writes files for it, has another one."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def submit(jobs: Jobs, request: Request, options: CallOptions) -> Job:
    if request.output:
        request.umask = current_umask()
    answer_s = min(ANSWER_TIMEOUT_S, max(LEAST_ANSWER_S, options.timeout_s or ANSWER_TIMEOUT_S))
    return jobs.submit(request, not options.is_async, answer_s)


def _follow(jobs: Jobs, job: Job, options: CallOptions) -> Job:
    """The job once it has ended. It dies with this process, unless a `--timeout` says otherwise.

    Raises WaitTimeout; with `as_json` the job as it is then is printed first. Raises JobFailed if
    the job is lost.
    """
    job_id, bind = job["id"], options.timeout_s is None
    try:
        with progress_display(options) as on_event:
            return jobs.follow(job_id, on_event, options.timeout_s, bind)
    except WaitTimeout:
        if options.as_json:
            with contextlib.suppress(VoxError):
                say_json(jobs.get(job_id, CANCEL_TIMEOUT_S))
        raise
    except UnknownJob as exc:
        raise JobFailed(
            f"job {job_id} is lost: the queue's database was damaged, or its history was cleared",
            "see: vox daemon logs",
        ) from exc


@contextlib.contextmanager
def progress_display(options: CallOptions) -> Iterator[OnEvent]:
    """Yields the function that gets the job's events. On a terminal, it shows them."""
    if options.quiet or options.is_typed:
        yield ignore
    elif not is_terminal(sys.stderr) or is_dumb():
        with contextlib.closing(WaitNote(options.began)) as note:
            yield note.on_event
    else:
        from .progress import Progress

        with Progress(sys.stderr, names_file=options.is_output_named) as progress:
            yield progress.on_event


class WaitNote:
    """Says once on standard error what a call waits for, if it waits for long."""

    _is_told: ClassVar[bool] = False
    """A call may wait for one job after the other."""

    def __init__(self, began: float | None = None) -> None:
        now = time.monotonic()
        waited_s = now - (now if began is None else began)
        self._events: list[tuple[float, str, dict[str, Any]]] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(max(0.0, PATIENCE_S - waited_s), self._tell)
        self._timer.daemon = True
        if not WaitNote._is_told:
            self._timer.start()

    def on_event(self, name: str, data: dict[str, Any]) -> None:
        if not self._timer.finished.is_set():
            self._events.append((time.monotonic(), name, data))

    def _tell(self) -> None:
        from .progress import View  # not on the way to a first sound that comes soon

        now = 0.0
        view = View(lambda: now)
        for now, name, data in self._events:  # noqa: B007 - the view's clock
            view.take(name, data)
        now = time.monotonic()
        with self._lock:
            if view.is_waiting and (text := view.summary()) and not self._timer.finished.is_set():
                WaitNote._is_told = True
                tell(f"vox: {text}")

    def close(self) -> None:
        with self._lock:
            self._timer.cancel()


def conclude(job: Job, options: CallOptions, shown: Sequence[str] = ()) -> int:
    """Say what became of an ended job; returns the exit code. `shown`: notes shown before."""
    tell_notes(job, options, shown)
    tell_written(job, options)
    if options.as_json:
        say_json(job)
    return exit_code(job, options)


def exit_code(job: Job, options: CallOptions) -> int:
    """The exit code for an ended job; unless it is 0, standard error says why."""
    if job["exit_code"]:
        complain(what_became_of(job))
        return int(job["exit_code"])
    unsaid = job.get("unsaid", 0) if options.strict else 0  # an older daemon does not count them
    if unsaid:
        what = "1 sentence" if unsaid == 1 else f"{unsaid} sentences"
        complain(f"job {job['id']}: {what} could not be said; see: vox history show {job['id']}")
    return int(unsaid > 0)


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


def tell_notes(job: Job, options: CallOptions, shown: Sequence[str] = ()) -> None:
    if not options.quiet:
        for note in job["notes"]:
            if note not in shown:
                tell(f"vox: {note}")


def tell_written(job: Job, options: CallOptions) -> None:
    """Say which file was written, how long its speech lasts, and its size, if one was."""
    is_told = options.is_output_named and not options.quiet and not options.as_json
    path = job["output"]
    if not (path and is_told and job["state"] == "done"):
        return
    from ..sizes import file_size

    parts = [f"wrote {_from_here(path)}"]
    if job["audio_s"] is not None:
        parts.append(clock(job["audio_s"]))
    with contextlib.suppress(OSError):  # it was moved away at once
        parts.append(file_size(os.path.getsize(path)))
    tell(", ".join(parts))


def _from_here(path: str) -> str:
    """The path from the folder in which we are, if the file is below that."""
    try:
        near = os.path.relpath(path)
    except OSError:  # the folder was removed
        return path
    return path if near.startswith(os.pardir) else near


def _cancel(jobs: Jobs, job_id: str, options: CallOptions) -> None:
    """Cancel the job if it was made and has not ended."""
    with contextlib.suppress(VoxError):
        jobs.cancel(job_id, CANCEL_TIMEOUT_S)
    if options.as_json:
        with contextlib.suppress(VoxError):
            say_json(jobs.get(job_id))
