"""`vox voices`."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

import click

from ..paths import Paths, get_paths
from .completers import complete_backend, complete_lang
from .options import json_option
from .output import is_terminal, say, say_json, table

if TYPE_CHECKING:
    from ..backends.base import Voice
    from ..voices.catalog import Catalog

HEADER = ("voice", "backend", "language", "gender", "", "description")
SPARE = (3, 5)


def open_catalog(paths: Paths) -> Catalog:
    """The backends and voices that there are. It reads files and needs no daemon."""
    from ..config import LiveConfig
    from ..voices.catalog import Catalog

    return Catalog(paths, LiveConfig(paths.config_path))


def open_catalog_with_workers(paths: Paths) -> Catalog:
    """The same, and what workers on other machines speak for now, if any are set."""
    from ..client.serving import knowing_workers

    return knowing_workers(open_catalog(paths), paths)


@click.command()
@click.option(
    "-b",
    "--backend",
    metavar="NAME",
    shell_complete=complete_backend,
    help="Only voices of this backend.",
)
@click.option(
    "-l",
    "--lang",
    metavar="LANG",
    shell_complete=complete_lang,
    help="Only voices that speak it, best first; e.g. en or de-AT.",
)
@json_option
def voices(backend: str | None, lang: str | None, as_json: bool) -> None:
    """List the voices. `vox -v NAME` needs no -b if the name is unique."""
    from ..voices.choice import voices_for

    catalog = open_catalog_with_workers(get_paths())
    found = voices_for(catalog, lang, backend) if lang else catalog.voices(backend)
    if as_json:
        say_json([dataclasses.asdict(voice) for voice in found])
    elif found or not is_terminal(sys.stdout):
        elsewhere = {v.backend for v in found if v.installed and not catalog.is_ready(v.backend)}
        rows = [_row(voice, voice.backend in elsewhere) for voice in found]
        table(HEADER, rows, spare=(1, *SPARE) if backend else SPARE)
    else:
        say("no voices found")


def _row(voice: Voice, is_elsewhere: bool) -> list[str]:
    marks = [
        "default" if voice.is_default else "",
        "clone" if voice.is_clone else "",
        "" if voice.installed else "not installed",
        "on workers" if is_elsewhere else "",
    ]
    return [
        voice.name,
        voice.backend,
        voice.lang or "any",
        voice.gender or "",
        ", ".join(filter(None, marks)),
        voice.description,
    ]
