"""`vox status`: how it is, in five lines, and one on the workers if there are any."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import click

from ..client.status import line_of_workers
from ..client.status import status as status_of
from ..paths import get_paths
from ..printable import one_line
from ..sizes import megabytes
from ..text.clean import cleaned
from . import job_view
from .history import LIST_CHARS, sender_of, voice_of, when
from .options import WATCH_HELP, json_option
from .output import (
    USUAL_WIDTH,
    columns_of,
    engine_of,
    fields,
    is_terminal,
    say,
    say_json,
    shortened,
    terminal_width,
)

Job = dict[str, Any]
NAME_WIDTH = 8
QUOTE = "\0"
"""Where a text stands in a line, until it is known how much of it there is room for."""
LEAST_QUOTED = 12
"""Columns."""


@click.command()
@click.option("--watch", "is_watched", is_flag=True, help=WATCH_HELP)
@click.option("--full", "is_full", is_flag=True, help="Show whole texts.")
@json_option
def status(is_watched: bool, is_full: bool, as_json: bool) -> int:
    """Show what is said now and next, and what failed last.

    Beside these the loaded models, HTTP and the inbox, and the workers if they are set. The exit
    code is 0, with or without a daemon; `vox daemon status` tells them apart.
    """
    paths = get_paths()

    def look() -> Status:
        return Status(status_of(paths), is_full)

    if is_watched:
        from .watch import watch

        return watch(look, as_json)
    seen = look()
    if as_json:
        say_json(seen.document)
    elif is_full:
        fields(seen.lines())
    else:
        width = terminal_width(sys.stdout) - 1 if is_terminal(sys.stdout) else USUAL_WIDTH
        for line in seen.drawn(width):
            say(line)
    return 0


class Status(NamedTuple):
    """A `Picture` of all: see `watch`."""

    document: dict[str, Any]
    is_full: bool = False

    @property
    def _is_held(self) -> bool:
        """Whether nothing can be heard now."""
        return job_view.is_silent(self.document["obstacles"])

    @property
    def has_clock(self) -> bool:
        shown = [*self.document["now"], self.document["next"] or {}]
        return not self._is_held and any(map(job_view.has_clock, shown))

    def drawn(self, width: int, height: int = 0, age_s: float = 0.0) -> list[str]:
        at = self if self._is_held else self._with_each(lambda job: job_view.aged(job, age_s))
        room = None if self.is_full else width - NAME_WIDTH
        return [f"{name:{NAME_WIDTH}}{text}" for name, text in at.lines(room)]

    def rows(self) -> dict[str, tuple[str, str]]:
        # That time passes is no news.
        keys = self._with_each(_timeless).lines()
        return {
            name: (text, line)
            for (name, text), line in zip(keys, self.drawn(USUAL_WIDTH), strict=True)
        }

    def _with_each(self, change: Callable[[Job], Job]) -> Status:
        after = self.document["next"]
        changed = {
            "now": [change(job) for job in self.document["now"]],
            "next": after and change(after),
        }
        return Status({**self.document, **changed}, self.is_full)

    def lines(self, room: int | None = None) -> list[tuple[str, str]]:
        """Names and texts; the texts in so many columns."""
        document = self.document
        inbox = _inbox(document["inbox"], document["running"])
        texts = {
            "now": self._now(room),
            "next": self._next(room),
            "models": ", ".join(map(_model, document["loaded_models"])) or "none is loaded",
            "http": f"{_address(document['http'], 'http://')}; inbox: {inbox}{self._wyoming()}",
            **self._workers(),
            "failed": self._failed(),
        }
        if room is None:
            return [(name, one_line(text)) for name, text in texts.items()]
        return [(name, shortened(text, room)) for name, text in texts.items()]

    def _workers(self) -> dict[str, str]:
        """Few have any, and only a daemon asks for them."""
        line = line_of_workers(self.document.get("workers"), is_short=not self.is_full)
        return {"workers": line} if line else {}

    def _wyoming(self) -> str:
        """Of a server that is off, nothing: few have one."""
        found = _address(self.document.get("wyoming"), "tcp://")
        return "" if found == "off" else f"; wyoming: {found}"

    def _now(self, room: int | None) -> str:
        notes, now = self.document["obstacles"], self.document["now"]
        parts = [note.partition(";")[0] for note in notes]
        parts += [_doing(job, len(now) == 1) for job in now]
        if not now and not self._is_held:
            parts.insert(0, "nothing is being said")
        if not self.document["running"]:
            is_changing = self.document["status"] is not None
            parts.append("a daemon is starting or leaving" if is_changing else "no daemon runs")
        texts = [job["text"] for job in now if QUOTE in _doing(job)]
        return _quoting("; ".join(parts), texts, room)

    def _next(self, room: int | None) -> str:
        job, waiting = self.document["next"], self.document["waiting"]
        if job is None:
            return "nothing waits"
        starts = job_view.starts_in(job)
        how = f"in {starts}" if starts else job_view.phase_and_reason(job)
        more = f", {waiting - 1:,} more" if waiting > 1 else ""
        start = "" if self.document["running"] else "; to begin: vox daemon start"
        return _quoting(f"{how}: {QUOTE}{more}{start}", [job["text"]], room)

    def _failed(self) -> str:
        job = self.document["last_failure"]
        if job is None:
            return "nothing"
        return f"{when(job['finished_at'])}, job {job['id']}: {job['error']}"


def _doing(job: Job, has_room: bool = False) -> str:
    if job_view.writes_file(job):
        is_made = job["phase"] == "making"
        return job_view.of_file(job, (job_view.written if is_made else job_view.phase_of)(job))
    how = job_view.heard(job) if job["phase"] == "speaking" else job_view.phase_of(job)
    return f"{how}: {QUOTE}" + (f" ({voice_of(job)}, {sender_of(job)})" if has_room else "")


def _quoting(line: str, texts: Sequence[str], room: int | None) -> str:
    """The line with the texts where they are quoted, as much of each as there is room for."""
    for text in texts:
        shown = text
        if room is not None:
            left = room - columns_of(line.replace(QUOTE, '""'))
            shown = "".join(cleaned(text[:LIST_CHARS]))
            if left >= LEAST_QUOTED:  # else the line is cut in it
                shown = shortened(shown, left // line.count(QUOTE))
        line = line.replace(QUOTE, f'"{shown}"', 1)
    return line


def _timeless(job: Job) -> Job:
    return {**job, "heard_s": None, "left_s": None, "starts_in_s": None}


def _model(each: dict[str, Any]) -> str:
    size = [megabytes(each[name]) for name in ("memory_mb", "vram_mb") if each[name]]
    doing = each["state"] if each["state"] in ("starting", "loading") else ""
    about = ", ".join(filter(None, [doing, engine_of(each), *size]))
    name = " ".join(filter(None, [each["backend"], each["model"]]))
    return f"{name} ({about})" if about else name


def _address(service: dict[str, Any] | None, scheme: str) -> str:
    if service and service["error"]:
        return f"off: {service['error']}"
    return f"{scheme}{service['address']}" if service and service["address"] else "off"


def _inbox(inbox: dict[str, Any], is_watched: bool) -> str:
    if not inbox["enabled"]:
        return "off"
    counts = [f"{inbox[name]} {name}" for name in ("pending", "working", "failed") if inbox[name]]
    # The folder is made by the daemon that watches it.
    error = [inbox["error"]] if inbox["error"] and is_watched else []
    return ", ".join([*counts, *error]) or "empty"
