"""The line on a terminal that shows what a call waits for. It is erased at the end."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Any, TextIO

from .output import is_dumb, shortened, terminal_width

DELAY_S = 0.5
"""A call that takes no longer than this shows nothing."""

_ERASE = "\r\x1b[K"


class Progress:
    """Shows one job's progress. A thread writes, so that no event waits for the terminal."""

    def __init__(self, stream: TextIO, delay_s: float = DELAY_S) -> None:
        self._stream = stream
        self._delay_s = delay_s
        self._view = View()
        self._text = ""
        self._changed = threading.Condition()
        self._is_over = is_dumb()
        self._thread = threading.Thread(target=self._paint, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join(timeout=1.0)

    def on_event(self, name: str, data: dict[str, Any]) -> None:
        with self._changed:
            self._text = self._view.after(name, data)
            self._changed.notify()

    def _paint(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over, self._delay_s)
        shown = ""
        while (text := self._next_text(shown)) is not None:
            shown = text
            self._write(_ERASE + shortened(shown, terminal_width(self._stream) - 1))
        if shown:
            self._write(_ERASE)

    def _next_text(self, shown: str) -> str | None:
        """Wait for a text other than the one shown; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._text != shown)
            return None if self._is_over else self._text

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._is_over = True


class View:
    """Turns the events of a job into the text of the line."""

    def __init__(self) -> None:
        self._job: dict[str, Any] = {}
        self._step: str | None = None
        self._place = ""
        self._is_paused = False
        self._waiting_for: str | None = None

    def after(self, name: str, data: dict[str, Any]) -> str:
        """Take in one event; returns the text."""
        if name == "starting":
            return "starting the daemon"
        if "state" in data:
            self._job = data
            if data["state"] not in ("queued", "preparing"):
                self._step = None
        elif "step" in data:
            self._step = data["step"]
        elif "paused" in data:
            self._is_paused = data["paused"]
        elif "waiting_for" in data:
            self._waiting_for = data["waiting_for"]
        elif "position" in data:
            self._place = f"position {data['position']} of {data['queue_length']}"
        return (not self._waiting_for and self._step) or self._doing()

    def _doing(self) -> str:
        state = self._job.get("state")
        if self._is_paused and not self._job.get("output"):
            return "paused"
        if self._waiting_for:
            return f"waiting for {self._waiting_for}"
        if state == "queued" and self._job.get("open") and self._job.get("heard"):
            return "waiting for more of the text"
        if state == "queued":
            position = self._job.get("position")
            return self._place or (f"position {position}" if position else "queued")
        count = self._job.get("utterances")
        what = "speaking"
        if self._job.get("output"):
            what = f"writing {os.path.basename(self._job['output'])}:"
        elif state == "preparing":
            return "preparing"
        if not count:
            return what.rstrip(":")
        return f"{what} {min(self._job['heard'] + 1, count)} of {count}"
