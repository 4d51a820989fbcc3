"""`--watch`: what a command shows is shown again whenever it has changed, until Ctrl-C.

On a terminal it has the screen for itself, which is afterwards as it was before. A pipe and a dumb
terminal get a further line for each that is new; with --json, a document for each change.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from ..client.changes import Changes
from ..errors import VoxError
from ..paths import get_paths
from .output import complain, escaped, is_dumb, is_terminal, say, terminal

if TYPE_CHECKING:
    from rich.live import Live

PACE_S = 0.1
"""Shortest time between two looks: many changes come together."""
COSTLY = 5.0
"""And that many times as long as a look takes."""
TICK_S = 1.0
"""How often a clock that is shown goes on."""
AGAIN_S = 1.0
"""When to look again after that failed."""


class Picture(Protocol):
    """What there was to show at one moment."""

    @property
    def document(self) -> Any:
        """For --json."""

    @property
    def has_clock(self) -> bool:
        """Whether it changes while nothing happens."""

    def drawn(self, width: int, height: int, age_s: float) -> list[str]:
        """The lines for a terminal of that size, when it is so old."""

    def rows(self) -> Mapping[str, tuple[str, str]]:
        """For a pipe, by a name: what is to be new for a line to be printed again, and the line."""


def watch(look: Callable[[], Picture], as_json: bool) -> int:
    """Show what `look` returns until Ctrl-C, or until nobody reads it; returns the exit code.

    `look` may raise VoxError: that is shown, and it is asked again.
    """
    from ..quick.interrupts import Heeded, Terminated

    try:
        with Heeded(), Changes(get_paths()) as changes:
            if is_terminal(sys.stdout) and not is_dumb() and not as_json:
                _on_screen(look, changes)
            else:
                _in_lines(look, changes, as_json)
    except KeyboardInterrupt:
        pass  # there is no other end
    except Terminated as exc:
        return exc.exit_code
    return 0


def _looks(look: Callable[[], Picture], changes: Changes) -> Iterator[Picture | VoxError]:
    """What there is now, and again whenever it may have changed and the caller asks for more."""
    while True:
        began = time.monotonic()
        try:
            seen = look()
        except VoxError as exc:
            yield exc
            changes.wait(AGAIN_S)
        else:
            took_s = time.monotonic() - began
            yield seen
            # Thousands of jobs take their time, in the daemon as well, which has speech to make.
            time.sleep(max(PACE_S, COSTLY * took_s))


def _in_lines(look: Callable[[], Picture], changes: Changes, as_json: bool) -> None:
    news = _documents() if as_json else _rows()
    next(news)
    told = ""
    for seen in _looks(look, changes):
        if isinstance(seen, VoxError):
            if told != seen.line:
                told = seen.line
                complain(told)
            continue
        told = ""
        lines = news.send(seen)
        if lines and not say("\n".join(lines)):
            return
        if not changes.wait(output=sys.stdout.fileno()):
            return


def _documents() -> Generator[list[str], Picture, None]:
    """For each picture it is sent: its document, if that is a new one."""
    known: Any = None
    lines: list[str] = []
    while True:
        document = (yield lines).document
        is_new, known = document != known, document
        lines = [escaped(json.dumps(document, ensure_ascii=False))] if is_new else []


def _rows() -> Generator[list[str], Picture, None]:
    """For each picture it is sent: the lines that are new."""
    known: dict[str, str] = {}
    lines: list[str] = []
    while True:
        rows = (yield lines).rows()
        lines = [line for name, (key, line) in rows.items() if known.get(name) != key]
        known = {name: key for name, (key, _) in rows.items()}


def _on_screen(look: Callable[[], Picture], changes: Changes) -> None:
    with _resizes(changes), _screen() as live:
        for seen in _looks(look, changes):
            if isinstance(seen, VoxError):
                _draw(live, [f"vox: {seen.line}"])
                continue
            at = time.monotonic()
            while True:
                width, height = live.console.size
                _draw(live, seen.drawn(width - 1, height, time.monotonic() - at))
                if changes.wait(TICK_S if seen.has_clock else None):
                    break


def _screen() -> Live:
    from rich.live import Live

    return Live(console=terminal(sys.stdout), screen=True, auto_refresh=False)


def _draw(live: Live, lines: list[str]) -> None:
    from rich.text import Text

    text = Text("\n").join(Text.from_ansi(line, no_wrap=True, overflow="crop") for line in lines)
    live.update(text, refresh=True)


@contextlib.contextmanager
def _resizes(changes: Changes) -> Iterator[None]:
    """A terminal of another size is a change."""

    def note(_signum: int, _frame: FrameType | None) -> None:
        changes.note()

    before = signal.signal(signal.SIGWINCH, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
