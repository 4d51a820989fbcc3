"""`vox history export`: jobs as JSON lines, and their audio as files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from ..errors import BadOutput
from ..files import replacing
from ..jobs import Wanted
from ..paths import get_paths
from .options import Count, selection
from .output import is_erased, tell, write
from .speaking import open_jobs

AUDIO_FORMATS = ("wav", "flac", "ogg", "opus", "mp3", "m4a", "aac")
NAMED = 10
"""So many jobs without audio are named."""

Job = dict[str, Any]


@click.command()
@click.option("-n", "--limit", type=Count(), metavar="N", help="At most N.")
@selection
@click.option("-o", "--output", metavar="FILE", help="Write to FILE, not to standard output.")
@click.option(
    "--audio", "folder", metavar="DIR", help="Write the kept audio to DIR/ID.wav; replace nothing."
)
@click.option(
    "--format",
    "extension",
    type=click.Choice(AUDIO_FORMATS, case_sensitive=False),
    help="The format of the audio (wav).",
)
@click.pass_context
def export(
    ctx: click.Context,
    limit: int | None,
    wanted: Wanted,
    output: str | None,
    folder: str | None,
    extension: str | None,
) -> None:
    """Print the history as JSON, one job a line, newest first.

    With --audio a job's field `audio` names its file; it is null if no audio is kept.
    """
    if extension and folder is None:
        raise click.UsageError("--format goes with --audio DIR", ctx)
    private: list[str] = []
    missing: list[str] = []
    jobs: Iterable[Job] = _noted(open_jobs().history(limit or None, wanted), private)
    if folder is not None:
        jobs = _with_audio(jobs, folder, extension or "wav", missing)
    if output is None or output == "-":
        _write_lines(jobs, lambda line: write(sys.stdout, line))
    else:
        _write_file(jobs, output)
    if private:
        are, their = ("is", "its text is") if len(private) == 1 else ("are", "their texts are")
        tell(f"vox: {_named(private)} {are} private: {their} not kept")
    if missing:
        tell(f"vox: no audio is kept of {_named(missing)}")


def _named(job_ids: list[str]) -> str:
    more = len(job_ids) - NAMED
    return " ".join(job_ids[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _noted(jobs: Iterable[Job], private: list[str]) -> Iterator[Job]:
    """The jobs; `private`: gets the ids of those whose text is not kept."""
    for job in jobs:
        if is_erased(job):
            private.append(job["id"])
        yield job


def _with_audio(
    jobs: Iterable[Job], folder: str, extension: str, missing: list[str]
) -> Iterator[Job]:
    """The jobs with the paths of their audio; `missing`: gets the ids of those that have none."""
    from ..client.kept_audio import AudioFolder

    audio = AudioFolder(get_paths(), folder, extension)
    for job in jobs:
        path = audio.add(job)
        if path is None:
            missing.append(job["id"])
        yield {**job, "audio": path}


def _write_lines(jobs: Iterable[Job], write_line: Callable[[str], object]) -> None:
    """Write the jobs until nobody reads on."""
    for job in jobs:
        if write_line(json.dumps(job, ensure_ascii=False) + "\n") is False:
            return


def _write_file(jobs: Iterable[Job], path: str) -> None:
    try:
        with replacing(os.path.abspath(path)) as file:
            _write_lines(jobs, lambda line: file.write(line.encode(errors="replace")))
    except OSError as exc:
        raise BadOutput(f"cannot write {path}: {exc.strerror}", "choose another place") from exc
