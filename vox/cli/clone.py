"""`vox clone`: voices made from reference audio."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

import click

from ..jobs import Option
from ..paths import get_paths
from .completers import complete_clone, complete_file, complete_lang
from .options import OptionType, json_option
from .output import is_terminal, say, say_json, table, tell
from .voices import open_catalog

if TYPE_CHECKING:
    from ..backends.base import Clone
    from ..voices.clones import Clones

TEXT_HELP = "The words of the recording. Some backends clone better with them."


@click.group()
def clone() -> None:
    """Voices made from reference audio.

    Only some backends can speak with them (see: vox backends).
    """


@clone.command(short_help="Make the clone NAME from a sound FILE of 1 to 30 s.")
@click.argument("name")
@click.argument("file", shell_complete=complete_file)
@click.option("--text", metavar="T", help=TEXT_HELP)
@click.option(
    "-l",
    "--lang",
    metavar="LANG",
    shell_complete=complete_lang,
    help="The language of the recording.",
)
def add(name: str, file: str, text: str | None, lang: str | None) -> None:
    """Make the clone NAME from a sound FILE of 1 to 30 s (5 to 15 are best).

    It may be wav, flac, ogg, opus, mp3, m4a, aac, webm or mp4.
    """
    kept = open_catalog(get_paths()).clones
    _tell_of(kept.add(name, file, text, lang), kept)


@clone.command()
@click.argument("name")
@click.option(
    "--seconds",
    type=OptionType(Option("", kind=float, low=1, high=30)),
    default=10.0,
    show_default="10",
    metavar="S",
)
@click.option("--text", metavar="T", help=TEXT_HELP)
@click.option("-l", "--lang", metavar="LANG", help="The language that you speak.")
def record(name: str, seconds: float, text: str | None, lang: str | None) -> None:
    """Make the clone NAME from the microphone."""
    from ..voices import clones, transcripts

    kept = open_catalog(get_paths()).clones
    kept.check_name(name)
    if text:
        transcripts.check_longest(text, seconds)
    tell(f"recording {seconds:g} s, speak now{': ' + text if text else ''} ...")
    samples, sample_rate = clones.record(seconds)
    _tell_of(kept.add_samples(name, samples, sample_rate, text, lang), kept)


def _tell_of(made: Clone, kept: Clones) -> None:
    if note := kept.doubt(made):
        tell(f"vox: {note}")
    say(f"{made.name} made; try: vox -v {made.name} TEXT")


@clone.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the clones."""
    found = open_catalog(get_paths()).clones.list()
    if as_json:
        say_json([dataclasses.asdict(each) for each in found])
    elif found or not is_terminal(sys.stdout):
        rows = [
            (each.name, each.lang or "", each.audio_path, each.transcript or "") for each in found
        ]
        table(("clone", "language", "audio", "text"), rows, spare=(1, 3))
    else:
        say("no clones yet; make one: vox clone add NAME FILE")


@clone.command()
@click.argument("name", shell_complete=complete_clone)
def remove(name: str) -> None:
    """Remove a clone."""
    open_catalog(get_paths()).clones.remove(name)
    say(f"{name} removed")
