"""`vox history`: list, show, export and clear."""

from __future__ import annotations

import datetime
import itertools
import sys
from typing import Any

import click

from ..jobs import EVERY_JOB, Wanted
from ..source_notes import muted_note
from .completers import complete_job
from .export import export
from .options import Count, Duration, json_option, selection
from .output import (
    count_of_jobs,
    fields,
    is_erased,
    is_terminal,
    say,
    say_json,
    say_json_array,
    table,
)
from .speaking import open_jobs

SHOWN_ON_A_TERMINAL = 20
LIST_CHARS = 1_000
"""A list on a terminal needs no more of a text: what it cannot show is not looked at."""
PRIVATE = "(private)"
"""In place of a text that is not kept."""

HEADER = ("id", "when", "state", "voice", "source", "s", "text")


@click.group(invoke_without_command=True)
@click.option(
    "-n",
    "--limit",
    type=Count(),
    metavar="N",
    help="At most N (20 on a terminal; 0: all).",
)
@selection
@click.option("--full", "is_full", is_flag=True, help="Show whole texts.")
@json_option
@click.pass_context
def history(
    ctx: click.Context, limit: int | None, wanted: Wanted, is_full: bool, as_json: bool
) -> None:
    """List what was spoken; show, export or clear it.

    The newest come first.

    Piped, the lines are tab-separated: id, time, state, backend/voice, source, seconds, text.
    """
    if ctx.invoked_subcommand is not None:
        if limit is not None or is_full or as_json or wanted != EVERY_JOB:
            name = ctx.invoked_subcommand
            raise click.UsageError(f"options go after the command: vox history {name} OPTIONS", ctx)
        return
    if limit is None and is_terminal(sys.stdout) and not as_json:
        limit = SHOWN_ON_A_TERMINAL
    jobs = open_jobs().history(limit or None, wanted)
    if as_json:
        say_json_array(jobs)
        return
    newest = list(itertools.islice(jobs, 1))
    if newest or not is_terminal(sys.stdout):
        rows = (_row(job, is_full) for job in itertools.chain(newest, jobs))
        is_cut = not is_full
        table(HEADER, rows, numbers=(5,), spare=(5, 4, 3), is_whole=is_full, is_cut=is_cut)
    else:
        say("nothing was spoken yet" if wanted == EVERY_JOB else "nothing found")


def _row(job: dict[str, Any], is_full: bool) -> list[str]:
    shown = whole if is_full else beginning_of
    return [
        job["id"],
        when(job["created_at"]),
        _state(job),
        voice_of(job),
        sender_of(job)[:28],
        "" if job["audio_s"] is None else f"{job['audio_s']:.1f}",
        PRIVATE if is_erased(job) else shown(job["text"]),
    ]


def _state(job: dict[str, Any]) -> str:
    """On a terminal what becomes of live jobs; done jobs that nobody heard are told apart."""
    if not is_terminal(sys.stdout):
        return str(job["state"])
    is_muted = job["state"] == "done" and muted_note(job["source"]) in job["notes"]
    return "muted" if is_muted else str(job.get("phase") or job["state"])


def beginning_of(text: str) -> str:
    """A text for a list: on a terminal its beginning without escapes, for programs all of it."""
    if not is_terminal(sys.stdout):
        return text
    from ..text.clean import cleaned

    return "".join(cleaned(text[:LIST_CHARS]))


def whole(text: str) -> str:
    """All of a text for a list: on a terminal without escapes."""
    if not is_terminal(sys.stdout):
        return text
    from ..text.clean import cleaned

    return "".join(cleaned(text))


def voice_of(job: dict[str, Any]) -> str:
    return f"{job['backend']}/{job['voice']}" if job["voice"] else str(job["backend"])


def sender_of(job: dict[str, Any]) -> str:
    """Who sent the job; of the inbox's also the file."""
    source: str = job["source"]
    if job["via"] == "inbox" and job["source_name"]:
        return f"{source} {job['source_name']}"
    return f"{source} replay" if job["via"] == "replay" else source


def when(iso: str) -> str:
    """On a terminal the local time, today without the date; else ISO 8601, for programs."""
    if not is_terminal(sys.stdout):
        return iso
    at = datetime.datetime.fromisoformat(iso).astimezone()
    now = datetime.datetime.now().astimezone()
    if at.date() == now.date():
        return at.strftime("%H:%M:%S")
    return at.strftime("%b %d %H:%M" if at.year == now.year else "%Y-%m-%d")


@history.command()
@click.argument("job_id", metavar="ID", shell_complete=complete_job)
@json_option
def show(job_id: str, as_json: bool) -> None:
    """Show one job with its whole text."""
    job = open_jobs().get(job_id)
    if as_json:
        say_json(job)
        return
    hidden = ("text",) if job.get("unsaid") else ("text", "unsaid")
    shown = [(name, value) for name, value in job.items() if name not in hidden]
    shown = [(name, value) for name, value in shown if _is_shown(value)]
    fields([(name, _value(name, value)) for name, value in shown])
    say()
    text: str = PRIVATE if is_erased(job) else job["text"]
    say(text.replace("\r\n", "\n") if is_terminal(sys.stdout) else text)


def _is_shown(value: Any) -> bool:
    return value is not None and value is not False and value != []


def _value(name: str, value: Any) -> str:
    if name.endswith("_at") and is_terminal(sys.stdout):
        at = datetime.datetime.fromisoformat(value).astimezone()
        return at.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list):
        return "; ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


@history.command()
@click.option(
    "--older-than",
    "older_than_s",
    type=Duration(),
    metavar="D",
    help="Only jobs that ended longer ago, e.g. 12h or 30d.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def clear(older_than_s: float | None, yes: bool, as_json: bool) -> None:
    """Forget ended jobs, their audio, and the utterances in the cache."""
    if not yes and sys.stdin is not None and is_terminal(sys.stdin):
        what = "all ended jobs" if older_than_s is None else "these jobs"
        if not click.confirm(f"Forget {what} and their audio?", err=True):
            return
    count = open_jobs().clear(older_than_s)
    if as_json:
        say_json({"cleared": count})
    else:
        say(f"{count_of_jobs(count)} forgotten")


history.add_command(export)
