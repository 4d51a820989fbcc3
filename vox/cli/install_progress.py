"""How an installation is shown: its steps as lines, downloads as a bar on a terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from ..printable import one_line
from .output import is_dumb, is_terminal, terminal, write

if TYPE_CHECKING:
    from rich.progress import Progress

LINE_EVERY_S = 15.0
"""In a pipe the same step is printed again no sooner than this."""


class InstallProgress:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar = _bar(stream) if is_terminal(stream) and not is_dumb() else None
        self._step = ""
        self._printed_at = 0.0

    def __enter__(self) -> InstallProgress:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the terminal to a question while the block runs."""
        if self._bar:
            self._bar.stop()
        try:
            yield
        finally:
            if self._bar:
                self._bar.start()

    def show(self, text: str, fraction: float | None) -> None:
        """Show what is being done, and the fraction of it that is done (None: unknown)."""
        text = one_line(text)
        step, now = text.partition(":")[0], time.monotonic()
        is_due = step != self._step or now - self._printed_at >= LINE_EVERY_S
        if self._bar:
            (task,) = self._bar.task_ids
            is_measured = fraction is not None
            self._bar.update(task, completed=fraction, description=text, visible=is_measured)
            if is_due and not is_measured:
                self._bar.console.out(text, highlight=False)
            self._bar.refresh()
        elif is_due:
            write(self._stream, text + "\n")
        if is_due:
            self._printed_at = now
        self._step = step


def _bar(stream: TextIO) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        console=terminal(stream),
        auto_refresh=False,
        transient=True,
    )
    bar.add_task("", total=1.0, visible=False)
    return bar
