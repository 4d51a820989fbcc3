"""`vox replay`, `again` and `continue` speak an earlier job, `wait` waits for jobs to end."""

from __future__ import annotations

import time

import click

from ..client.jobs import Job, Jobs
from ..errors import VoxError, WaitTimeout
from ..jobs import AS_IT_WAS, GOING_ON, LAST, OPTIONS, Changes
from ..quick.interrupts import Heeded, Terminated
from .completers import complete_ended_job, complete_live_job
from .options import (
    OptionType,
    check_waits,
    json_option,
    quiet_option,
    strict_option,
    timeout_option,
)
from .output import complain, say_json
from .speaking import (
    CallOptions,
    current_umask,
    exit_code,
    make_and_follow,
    open_jobs,
    open_speech,
    progress_display,
    tell_notes,
    tell_written,
)
from .text_input import output_path

async_option = click.option(
    "--async", "is_async", is_flag=True, help="Print the new job's id and return at once."
)


@click.command()
@click.argument("job_id", metavar="[ID]", default=LAST, shell_complete=complete_ended_job)
@click.option(
    "--speed",
    type=OptionType(OPTIONS["speed"]),
    metavar="X",
    help="Faster or slower, 0.25 to 6, at the same pitch.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write .wav .flac .ogg .opus .mp3 .m4a .aac instead of playing; -: WAV to stdout.",
)
@async_option
@timeout_option
@strict_option
@json_option
@quiet_option
@click.pass_context
def replay(
    ctx: click.Context,
    job_id: str,
    speed: float | None,
    output: str | None,
    is_async: bool,
    timeout_s: float | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Speak a job again, from its kept audio if it is there.

    Without an ID, or with last, it is what was heard last; @1 is the newest job, @2 the one before
    it.
    """
    check_waits(ctx, is_async, timeout_s, strict)
    options = CallOptions(is_async, timeout_s, as_json, quiet, strict)
    made: list[str] = []

    def make(path: str | None, options: CallOptions) -> int:
        umask = current_umask() if path else None
        return _replayed(job_id, Changes(speed=speed, output=path, umask=umask), options, made)

    if output != "-":
        return make(output_path(output), options)
    from .outputs import to_standard_output

    return to_standard_output(ctx, options, make, lambda: made[-1] if made else None)


@click.command()
@async_option
@timeout_option
@strict_option
@json_option
@quiet_option
@click.pass_context
def again(
    ctx: click.Context,
    is_async: bool,
    timeout_s: float | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Speak once more what was heard last."""
    check_waits(ctx, is_async, timeout_s, strict)
    options = CallOptions(is_async, timeout_s, as_json, quiet, strict)
    return _replayed(LAST, AS_IT_WAS, options)


@click.command("continue")
@click.argument("job_id", metavar="[ID]", default=LAST, shell_complete=complete_ended_job)
@async_option
@timeout_option
@strict_option
@json_option
@quiet_option
@click.pass_context
def go_on(
    ctx: click.Context,
    job_id: str,
    is_async: bool,
    timeout_s: float | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Continue a text that was cut off, from its sentence.

    It was cancelled, stopped or skipped, or it failed. Without ID it is the last such text that was
    not spoken again since.
    """
    check_waits(ctx, is_async, timeout_s, strict)
    return _replayed(job_id, GOING_ON, CallOptions(is_async, timeout_s, as_json, quiet, strict))


def _replayed(
    job_id: str, changes: Changes, options: CallOptions, made: list[str] | None = None
) -> int:
    """Returns the exit code. The new job's id is appended to `made`."""
    jobs = open_jobs()

    def make() -> Job:
        job = jobs.replay(job_id, not options.is_async, changes)
        if made is not None:
            made.append(job["id"])
        return job

    return make_and_follow(jobs, None, make, options)


@click.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, shell_complete=complete_live_job)
@click.option(
    "--all", "everything", is_flag=True, help="All jobs that are being spoken or wait now."
)
@timeout_option
@strict_option
@json_option
@quiet_option
@click.pass_context
def wait(
    ctx: click.Context,
    job_ids: tuple[str, ...],
    everything: bool,
    timeout_s: float | None,
    strict: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Wait until jobs have ended.

    The exit code is that of the first of them that was not spoken. Ctrl-C ends the waiting, not
    the jobs.
    """
    if bool(job_ids) == everything:
        raise click.UsageError("pass job ids, or --all", ctx)
    jobs = open_speech()
    wanted = [job["id"] for job in jobs.queue()] if everything else job_ids
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    options = CallOptions(as_json=as_json, quiet=quiet, strict=strict)
    shown, first_code = [], 0
    try:
        with Heeded():
            for job_id in wanted:
                try:
                    job = _wait_for(jobs, job_id, deadline, options)
                except VoxError as exc:
                    complain(exc.line)
                    first_code = first_code or exc.exit_code
                    if isinstance(exc, WaitTimeout) and as_json:
                        shown.append(jobs.get(job_id))
                    continue
                shown.append(job)
                tell_notes(job, options)
                tell_written(job, options)
                code = exit_code(job, options)
                first_code = first_code or code
    except Terminated as exc:
        return exc.exit_code
    if as_json:
        say_json(shown if everything or len(job_ids) > 1 else (shown[0] if shown else None))
    return first_code


def _wait_for(jobs: Jobs, job_id: str, deadline: float | None, options: CallOptions) -> Job:
    """The job once it has ended."""
    job = jobs.get(job_id)
    left = None if deadline is None else max(0.001, deadline - time.monotonic())
    with progress_display(options) as on_event:
        return jobs.follow(job["id"], on_event, left)
