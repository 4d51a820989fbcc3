"""`vox queue`, `cancel`, `skip`, `pause` and `resume`."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from ..client.remote import Client, NoDaemon
from ..errors import DaemonUnavailable, VoxError
from ..jobs import PAUSED
from ..paths import get_paths
from . import reach, stopping
from .history import voice_of, when
from .options import json_option
from .output import complain, is_terminal, say, say_json, table, tell

STARTING_S = 2.0
"""How long a daemon may take to listen, from when the call that started it has ended."""

HEADER = ("#", "id", "state", "when", "voice", "source", "text")


@click.command()
@json_option
def queue(as_json: bool) -> None:
    """List what is being spoken and what waits, in order."""
    client = Client(get_paths())
    jobs = reach.queue(client)
    if as_json:
        say_json(jobs)
        return
    if jobs or not is_terminal(sys.stdout):
        table(HEADER, [_row(job) for job in jobs], numbers=(0,), spare=(5, 4, 3))
    else:
        say("the queue is empty")
    if reach.is_paused(client):
        tell(f"vox: {PAUSED}")


def _row(job: dict[str, Any]) -> list[str]:
    state = job["state"]
    if state == "speaking" and job["utterances"]:
        state += f" {min(job['heard'] + 1, job['utterances'])}/{job['utterances']}"
    return [
        str(job["position"]),
        job["id"],
        state,
        when(job["created_at"]),
        voice_of(job),
        job["source"],
        job["text"],
    ]


@click.command()
@click.argument("job_ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that is spoken or waits.")
@json_option
@click.pass_context
def cancel(ctx: click.Context, job_ids: tuple[str, ...], everything: bool, as_json: bool) -> int:
    """Cancel jobs, whether they wait or are being spoken. Ids may be abbreviated."""
    if bool(job_ids) == everything:
        raise click.UsageError("give the ids of jobs, or --all", ctx)
    client = Client(get_paths())
    if everything:
        cancelled, exit_code = reach.cancel_all(client), 0
    else:
        cancelled, exit_code = _cancel_each(client, job_ids)
    if as_json:
        say_json(cancelled)
    elif everything:
        say(f"{len(cancelled)} {'job' if len(cancelled) == 1 else 'jobs'} cancelled")
    else:
        for job in cancelled:
            say(f"{job['id']} cancelled")
    return exit_code


def _cancel_each(client: Client, job_ids: tuple[str, ...]) -> tuple[list[dict[str, Any]], int]:
    """What was cancelled, and the exit code of the first that could not be."""
    cancelled, exit_code = [], 0
    for job_id in job_ids:
        try:
            cancelled.append(reach.cancel(client, job_id))
        except VoxError as exc:
            complain(exc.line)
            exit_code = exit_code or exc.exit_code
    return cancelled, exit_code


def _call(target: str) -> dict[str, Any]:
    """Ask the daemon, one that is just starting too: it alone has a loudspeaker.

    Raises DaemonUnavailable if there is none.
    """
    client = Client(get_paths())
    jobs: list[dict[str, Any]] | None = None
    deadline = time.monotonic() + STARTING_S
    while True:
        try:
            answer: dict[str, Any] = client.call("POST", target)
            return answer
        except NoDaemon:
            is_there = stopping.is_there(client.paths)
        if not is_there and jobs is None:
            jobs = reach.queue(client)
        if (not is_there and not jobs) or time.monotonic() > deadline:
            raise _nobody(client, is_there)
        time.sleep(stopping.POLL_S)


def _nobody(client: Client, is_there: bool) -> DaemonUnavailable:
    if is_there:
        return DaemonUnavailable("the daemon is just starting or leaving", "try again in a moment")
    count = len(reach.queue(client))
    if not count:
        return DaemonUnavailable("no daemon is running", "nothing is being spoken")
    counted = "1 job is" if count == 1 else f"{count} jobs are"
    return DaemonUnavailable(
        f"no daemon is running; {counted} in the queue", "see: vox queue, or: vox daemon start"
    )


@click.command()
@json_option
def skip(as_json: bool) -> None:
    """Cut off what is being spoken and go on with the next."""
    answer = _call("/skip")
    if as_json:
        say_json(answer)
    else:
        say(
            f"{answer['skipped']['id']} skipped" if answer["skipped"] else "nothing is being spoken"
        )


@click.command()
@json_option
def pause(as_json: bool) -> None:
    """Hold the speech until `vox resume`."""
    answer = _call("/pause")
    say_json(answer) if as_json else say("paused; go on with: vox resume")


@click.command()
@json_option
def resume(as_json: bool) -> None:
    """Go on speaking after `vox pause`."""
    answer = _call("/resume")
    say_json(answer) if as_json else say("speaking goes on")
