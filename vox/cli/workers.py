"""`vox workers`: who synthesizes for this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from ..errors import BadConfig, VoxError
from ..paths import get_paths
from .options import json_option
from .output import is_terminal, say, say_json, table

HEADER = ("worker", "backends", "device", "warm", "busy", "speed", "requests", "seen")
NUMBERS = (4, 5, 6, 7)
SPARE = (6,)


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
        table(HEADER, map(_row, found["workers"]), NUMBERS, SPARE)
        for each in found["workers"]:
            if note := _note(each, found["protocol"]):
                say(f"{each['name']} {note}")
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


def _note(worker: dict[str, Any], ours: int) -> str:
    if worker["compatible"]:
        failing = ", ".join(_loaded(worker["failing"]))
        return f"could not load {failing}: see its log" if failing else ""
    where = "there" if worker["protocol"] < ours else "here"
    return f"speaks protocol {worker['protocol']}: update vox {where}"
