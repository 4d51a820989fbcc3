"""How an installation is shown: its steps as lines; what is measured as a bar, on a terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

from .output import is_terminal, shortened, terminal_width, write

LINE_EVERY_S = 15.0
"""In a pipe the same step is told again no sooner than this."""
BAR_WIDTH = 24


class InstallProgress:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = is_terminal(stream)
        self._step = ""
        self._told_at = 0.0
        self._has_line = False

    def __enter__(self) -> InstallProgress:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._clear()

    def show(self, text: str, fraction: float | None) -> None:
        """Called with what is being done and the fraction done, None where that is not known."""
        step = text.partition(":")[0]
        now = time.monotonic()
        if self._is_terminal and fraction is not None:
            self._paint(text, fraction)
        elif step != self._step or now - self._told_at >= LINE_EVERY_S:
            self._told_at = now
            self._clear()
            write(self._stream, text + "\n")
        self._step = step

    def _clear(self) -> None:
        if self._has_line:
            write(self._stream, "\r\x1b[K")
        self._has_line = False

    def _paint(self, text: str, fraction: float) -> None:
        full = round(min(1.0, max(0.0, fraction)) * BAR_WIDTH)
        bar = f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] "
        room = terminal_width(self._stream) - len(bar) - 1
        write(self._stream, "\r\x1b[K" + bar + shortened(text, room))
        self._has_line = True
