"""`vox queue`, `cancel` and `skip`."""

from __future__ import annotations

import contextlib
import sys
from typing import NamedTuple

import click

from ..client.jobs import Job, Jobs
from ..errors import VoxError
from ..printable import one_line
from .completers import complete_live_job
from .history import beginning_of, sender_of, voice_of, whole
from .job_view import aged, has_clock, held, is_silent, phase_of, when
from .options import WATCH_HELP, json_option, source_option
from .output import (
    complain,
    count_of_jobs,
    drawn_table,
    in_pipe,
    is_terminal,
    say,
    say_json,
    table,
    tell,
)
from .speaking import open_jobs, open_speech

HEADER = ("#", "id", "state", "when", "voice", "source", "text")
NUMBERS, SPARE = (0,), (5, 4, 3)
"""Columns: see `output.table`."""
EMPTY = "the queue is empty"


@click.command()
@click.option("--watch", "is_watched", is_flag=True, help=WATCH_HELP)
@click.option("--full", "is_full", is_flag=True, help="Show whole texts.")
@json_option
def queue(is_watched: bool, is_full: bool, as_json: bool) -> int:
    """List what is being spoken and what waits, in order.

    Piped, the lines are tab-separated: place, id, state, when it is heard, backend/voice, source,
    text.
    """
    jobs = open_jobs()
    if is_watched:
        from .watch import watch

        return watch(Looks(jobs, is_full), as_json)
    queued = jobs.queue()
    if as_json:
        say_json(queued)
        return 0
    seen = Queue(queued, [], jobs.obstacles(), is_full)
    if queued or not is_terminal(sys.stdout):
        rows = map(seen.row, queued)
        table(HEADER, rows, NUMBERS, SPARE, is_whole=is_full, is_cut=not is_full)
    else:
        say(EMPTY)
    for note in seen.notes:
        tell(f"vox: {note}")
    return 0


class Looks:
    """Called by `watch` for what the queue is now."""

    def __init__(self, jobs: Jobs, is_full: bool) -> None:
        self._jobs = jobs
        self._is_full = is_full
        self._known: list[str] = []

    def __call__(self) -> Queue:
        queued = self._jobs.queue()
        ids = {job["id"] for job in queued}
        ended = []
        for gone in [job_id for job_id in self._known if job_id not in ids]:
            with contextlib.suppress(VoxError):  # its history was cleared
                ended.append(self._jobs.get(gone))
        self._known = list(ids)
        return Queue(queued, ended, self._jobs.obstacles(), self._is_full)


class Queue(NamedTuple):
    """A `Picture` of the queue."""

    document: list[Job]
    ended: list[Job]
    """Those that were in the queue when it was looked at before."""
    notes: list[str]
    is_full: bool

    @property
    def has_clock(self) -> bool:
        return not is_silent(self.notes) and any(map(has_clock, self.document))

    def row(self, job: Job) -> list[str]:
        job = held(job, self.notes)
        return [
            "" if job["position"] is None else str(job["position"]),
            job["id"],
            phase_of(job),
            when(job),
            voice_of(job),
            sender_of(job)[:28],
            whole(job["text"]) if self.is_full else beginning_of(job["text"]),
        ]

    def drawn(self, width: int, height: int, age_s: float) -> list[str]:
        if not self.document:
            return [EMPTY, *self.notes]
        room = max(1, height - len(self.notes) - 2)
        shown = [aged(job, 0.0 if is_silent(self.notes) else age_s) for job in self.document[:room]]
        rows = map(self.row, shown)
        lines = drawn_table(HEADER, rows, width, NUMBERS, SPARE, self.is_full)
        more = len(self.document) - len(shown)
        return [*lines, *([f"{more:,} more"] if more else []), *self.notes]

    def rows(self) -> dict[str, tuple[str, str]]:
        found = {}
        for job in (*self.ended, *self.document):
            cells = list(map(one_line, self.row(job)))
            # That its time comes nearer is no news.
            key = "\t".join([*cells[:3], *cells[4:]])
            found[job["id"]] = key, in_pipe(cells, not self.is_full)
        return found


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
    jobs = open_speech()
    if not job_ids:
        cancelled, exit_code = jobs.cancel_all(source), 0
    else:
        cancelled, exit_code = _cancel_each(jobs, job_ids)
    if as_json:
        say_json(cancelled)
    elif not job_ids:
        say(f"{count_of_jobs(len(cancelled))} cancelled")
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
