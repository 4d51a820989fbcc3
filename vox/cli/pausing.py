"""`vox pause`, `resume`, `mute` and `unmute`: of all speech, or of what one source sends."""

from __future__ import annotations

import shlex
from typing import Any

import click

from .options import json_option, source_option
from .output import say, say_json, tell
from .speaking import open_jobs


@click.command()
@source_option("Pause only what NAME sends; others are heard meanwhile.")
@json_option
def pause(source: str | None, as_json: bool) -> None:
    """Pause speech until `vox resume`."""
    open_jobs().pause(source)
    if as_json:
        say_json(_paused(True, source))
    elif source is None:
        say("paused; to resume: vox resume")
    else:
        say(f"{source} is paused; to resume: vox resume --source {shlex.quote(source)}")


@click.command()
@source_option("Resume what NAME sends.")
@json_option
def resume(source: str | None, as_json: bool) -> None:
    """Resume speech after `vox pause`."""
    jobs = open_jobs()
    jobs.resume(source)
    if as_json:
        say_json(_paused(False, source))
        return
    say("resumed" if source is None else f"{source} is resumed")
    for note in jobs.obstacles():
        tell(f"vox: {note}")


def _paused(is_paused: bool, source: str | None) -> dict[str, Any]:
    return {"paused": is_paused} | ({"source": source} if source else {})


@click.command()
@source_option("Whose jobs are not to be heard.", required=True)
@json_option
def mute(source: str, as_json: bool) -> None:
    """Silence what a source sends. Until `vox unmute` its jobs end at once, unheard.

    Who waits for such a job gets exit code 0 and a note. It stands in the history, and `vox replay`
    speaks it. Files are written all the same.
    """
    _set(source, True, as_json)


@click.command()
@source_option("Whose jobs are to be heard.", required=True)
@json_option
def unmute(source: str, as_json: bool) -> None:
    """Speak again what a muted source sends."""
    _set(source, False, as_json)


def _set(source: str, is_muted: bool, as_json: bool) -> None:
    open_jobs().mute(source, is_muted)
    if as_json:
        say_json({"muted": is_muted, "source": source})
    else:
        say(f"{source} is {'muted' if is_muted else 'no longer muted'}")
