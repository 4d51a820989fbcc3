"""`vox stats`: what the history adds up to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from .options import json_option
from .output import is_terminal, say, say_json, table
from .speaking import open_jobs

TITLES = {"7d": "7 days", "30d": "30 days", "all": "all"}
LINES = {
    "heard": "heard_s",
    "written to files": "written_s",
    "saved by warm models": "saved_load_s",
    "saved by the cache": "saved_synthesis_s",
}
BAR_WIDTH = 20
_EIGHTHS = " ▏▎▍▌▋▊▉"
MOST_SOURCES = 10


@click.command()
@json_option
def stats(as_json: bool) -> None:
    """Show how much was spoken, and what was saved.

    A warm model saves the time to load it, the cache what it took once to make an utterance. What
    was forgotten is not counted.
    """
    found = open_jobs().stats()
    if as_json:
        say_json(found)
        return
    rows = [["jobs", *(f"{found[name]['jobs']:,}" for name in TITLES)]]
    for title, key in LINES.items():
        rows.append([title, *(time_of(found[name][key]) for name in TITLES)])
    table(("", *TITLES.values()), rows, numbers=(1, 2, 3))
    for kind in ("backend", "source"):
        _bars(kind, found["all"][f"{kind}s"])


def _bars(kind: str, sums: Sequence[dict[str, Any]]) -> None:
    """The jobs of each backend or source, with a bar on a terminal."""
    if not sums:
        return
    most = sums[0]["jobs"]
    shown = is_terminal(sys.stdout)
    rows = [
        [
            each["name"],
            f"{each['jobs']:,}",
            time_of(each["heard_s"]),
            *([bar(each["jobs"] / most)] * shown),
        ]
        for each in (sums[:MOST_SOURCES] if shown else sums)
    ]
    say()
    table((kind, "jobs", "heard", *([""] * shown)), rows, numbers=(1, 2))
    if shown and len(sums) > MOST_SOURCES:
        say(f"and {len(sums) - MOST_SOURCES} more; all: vox stats --json")


def bar(part: float) -> str:
    """A bar of that part of its whole width."""
    eighths = max(1, round(part * BAR_WIDTH * 8))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def time_of(seconds: float) -> str:
    """A length of time: 12 s, 3:20 min or 4:05 h."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
    return f"{int(seconds) // 3600:,}:{int(seconds) % 3600 // 60:02d} h"
