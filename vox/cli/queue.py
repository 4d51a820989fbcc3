"""`vox queue`, `cancel` and `skip`."""

from __future__ import annotations

import sys

import click

from ..client.jobs import Job, Jobs
from ..errors import VoxError
from ..source_notes import paused_note
from .completers import complete_live_job
from .history import beginning_of, sender_of, voice_of, when
from .options import json_option, source_option
from .output import complain, is_terminal, say, say_json, table, tell
from .speaking import open_jobs

HEADER = ("#", "id", "state", "when", "voice", "source", "text")


@click.command()
@json_option
def queue(as_json: bool) -> None:
    """List what is being spoken and what waits, in order."""
    jobs = open_jobs()
    queued = jobs.queue()
    if as_json:
        say_json(queued)
        return
    notes = jobs.obstacles()
    if queued or not is_terminal(sys.stdout):
        table(HEADER, [_row(job, notes) for job in queued], numbers=(0,), spare=(5, 4, 3))
    else:
        say("the queue is empty")
    for note in notes:
        tell(f"vox: {note}")


def _row(job: Job, notes: list[str]) -> list[str]:
    state = job["state"]
    if state == "queued" and not job["output"] and paused_note(job["source"]) in notes:
        state = "paused"
    if state == "speaking" and job["utterances"]:
        state += f" {min(job['heard'] + 1, job['utterances'])}/{job['utterances']}"
    return [
        str(job["position"]),
        job["id"],
        state,
        when(job["created_at"]),
        voice_of(job),
        sender_of(job)[:28],
        beginning_of(job["text"]),
    ]


@click.command()
@click.argument("job_ids", metavar="ID...", nargs=-1, shell_complete=complete_live_job)
@click.option("--all", "everything", is_flag=True, help="All jobs that are being spoken or wait.")
@source_option("All jobs that NAME sent.")
@json_option
@click.pass_context
def cancel(
    ctx: click.Context,
    job_ids: tuple[str, ...],
    everything: bool,
    source: str | None,
    as_json: bool,
) -> int:
    """Cancel jobs that wait or are being spoken.

    Ids may be abbreviated; last or @1 is the newest job, @2 the one before it.
    """
    if [bool(job_ids), everything, source is not None].count(True) != 1:
        raise click.UsageError("pass job ids, --source NAME or --all", ctx)
    jobs = open_jobs()
    if not job_ids:
        cancelled, exit_code = jobs.cancel_all(source), 0
    else:
        cancelled, exit_code = _cancel_each(jobs, job_ids)
    if as_json:
        say_json(cancelled)
    elif not job_ids:
        say(f"{len(cancelled)} {'job' if len(cancelled) == 1 else 'jobs'} cancelled")
    else:
        for job in cancelled:
            say(f"{job['id']} cancelled")
    return exit_code


def _cancel_each(jobs: Jobs, job_ids: tuple[str, ...]) -> tuple[list[Job], int]:
    """The cancelled jobs, and the exit code of the first that could not be cancelled."""
    cancelled, exit_code = [], 0
    for job_id in job_ids:
        try:
            cancelled.append(jobs.cancel(job_id))
        except VoxError as exc:
            complain(exc.line)
            exit_code = exit_code or exc.exit_code
    return cancelled, exit_code


@click.command()
@json_option
def skip(as_json: bool) -> None:
    """Skip what is being spoken, or else the next job."""
    skipped = open_jobs().skip()
    if as_json:
        say_json({"skipped": skipped})
    else:
        say(f"{skipped['id']} skipped" if skipped else "nothing is being spoken")
