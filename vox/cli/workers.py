"""`vox workers`: who synthesizes for this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from ..errors import BadConfig, VoxError
from ..paths import get_paths
from .options import json_option
from .output import TEXT_WIDTH, is_terminal, say, say_json, shortened, table, terminal_width

HEADER = ("worker", "backends", "device", "warm", "busy", "speed", "requests", "seen")
NUMBERS = (4, 5, 6, 7)
SPARE = (6,)
FAILING_WIDTH = 60


@click.command()
@json_option
def workers(as_json: bool) -> None:
    """List the workers that synthesize for this machine.

    Speed is seconds of speech per second of synthesis. To start a worker, run on its machine: vox
    worker redis://HOST

    Piped, the lines are tab-separated: worker, backends, device, warm models, busy slots of all,
    speed, requests so far, when it was last seen, and a note.
    """
    from ..client.workers import workers as look

    found = look(get_paths())
    if found["server"] is None:
        raise BadConfig(
            "no workers are set", "to set their server: vox config set workers redis://HOST"
        )
    if not found["reachable"]:
        raise VoxError(found["reason"])
    if as_json:
        say_json(found["workers"])
    elif not is_terminal(sys.stdout):
        table((), [[*_row(each), _note(each, found["protocol"])] for each in found["workers"]])
    elif found["workers"]:
        room = terminal_width(sys.stdout) // 2
        rows = [(shortened(name, room), *row) for name, *row in map(_row, found["workers"])]
        table(HEADER, rows, NUMBERS, SPARE)
        for line in _notes(found):
            say(line)
    else:
        say(
            f"no worker is at {found['server']}; start one on another machine: vox worker redis://HOST"
        )


def _row(worker: dict[str, Any]) -> list[str]:
    speed = worker["x_realtime"]
    return [
        worker["name"],
        ", ".join(worker["backends"]),
        worker["device"],
        ", ".join(_loaded(worker["warm"])),
        f"{worker['busy']}/{worker['concurrency']}",
        "-" if speed is None else f"{speed:.1f}x",
        str(worker["requests"]),
        f"{worker['seen_s']:.0f} s",
    ]


def _loaded(lanes: Sequence[str]) -> list[str]:
    """The models behind these lanes: that of a backend's settings mostly has one of its own too."""
    named = {lane.partition("/")[0] for lane in lanes if "/" in lane}
    return [lane for lane in lanes if lane not in named]


def _notes(found: dict[str, Any]) -> list[str]:
    """One line on all workers of which the same is to be said."""
    names: dict[str, list[str]] = {}
    for each in found["workers"]:
        if note := _note(each, found["protocol"]):
            names.setdefault(note, []).append(shortened(each["name"], TEXT_WIDTH))
    return [
        f"{first}{f' and {len(others)} more' if others else ''}: {note}"
        for note, (first, *others) in names.items()
    ]


def _note(worker: dict[str, Any], ours: int) -> str:
    if worker["compatible"]:
        failing = shortened(", ".join(_loaded(worker["failing"])), FAILING_WIDTH)
        return f"could not load {failing}: see its log" if failing else ""
    where = "there" if worker["protocol"] < ours else "here"
    return f"update vox {where} (protocol {worker['protocol']})"
