"""The line on a terminal that shows what a call waits for. It is erased at the end.

Its clock goes on between the events, which put it right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO

from . import job_view
from .output import shortened, terminal_width

DELAY_S = 0.5
"""A call that takes no longer than this shows nothing."""
TICK_S = 1.0
"""How often a clock that is shown goes on."""
LEAST_QUOTED, MOST_QUOTED = 12, 40
"""Columns of the text that is heard now. Where there are fewer, it is left out."""

_ERASE = "\r\x1b[K"


class Progress:
    """Shows one job's progress. A thread writes, so that no event waits for the terminal."""

    def __init__(self, stream: TextIO, delay_s: float = DELAY_S, names_file: bool = True) -> None:
        self._stream = stream
        self._delay_s = delay_s
        self._view = View(names_file=names_file)
        self._changes = 0
        self._changed = threading.Condition()
        self._is_over = False
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
            self._view.take(name, data)
            self._changes += 1
            self._changed.notify()

    def _paint(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_over, self._delay_s)
        shown = ""
        while (text := self._next_text(shown)) is not None:
            shown = text
            self._write(_ERASE + shown)
        if shown:
            self._write(_ERASE)

    def _next_text(self, shown: str) -> str | None:
        """Wait for a text other than the one shown; None at the end."""
        with self._changed:
            while not self._is_over:
                text = self._view.text(terminal_width(self._stream) - 1)
                if text != shown:
                    return text
                self._wait()
        return None

    def _wait(self) -> None:
        """Until something has changed, or the clock goes on."""
        known = self._changes
        self._changed.wait_for(
            lambda: self._is_over or self._changes != known,
            TICK_S if self._view.has_clock else None,
        )

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._is_over = True


class View:
    """Turns the events of a job, or of the loading of a model, into the text of the line."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, names_file: bool = True
    ) -> None:
        self._clock = clock
        self._names_file = names_file
        self._job: dict[str, Any] = {}
        self._as_of = 0.0
        """When the job was so."""
        self._is_starting = False
        self._is_paused = False
        self._step: str | None = None
        """What a model's loading has come to, in its backend's words."""
        self._waiting_for: str | None = None

    def take(self, name: str, data: dict[str, Any]) -> None:
        """Take in one event."""
        self._is_starting = name == "starting"
        self._job, self._as_of = self._now(), self._clock()
        if "paused" in data:
            self._is_paused = data["paused"]
        elif "waiting_for" in data:
            self._waiting_for = data["waiting_for"]
        else:
            if "step" in data:
                self._step = data["step"]
            elif data.get("phase") not in (None, "loading"):
                self._step = None
            self._job.update(data)

    def _now(self) -> dict[str, Any]:
        age_s = 0.0 if self._is_held else self._clock() - self._as_of
        return job_view.aged(self._job, age_s)

    @property
    def _is_held(self) -> bool:
        """Whether nothing happens to the job, so that its clock stands."""
        is_silent = self._is_paused or self._waiting_for is not None
        return self._is_starting or (is_silent and not job_view.writes_file(self._job))

    @property
    def has_clock(self) -> bool:
        """Whether the text changes while nothing happens."""
        return not self._is_held and job_view.has_clock(self._job)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing of the job is heard or written yet."""
        phase = self._job.get("phase")
        is_begun = phase == "speaking" or (phase == "making" and job_view.writes_file(self._job))
        # A text that is still being written waits for its writer, who knows that.
        is_open = self._job.get("open") and not self._is_in_line
        return not (is_begun or self._is_paused or is_open)

    def text(self, width: int) -> str:
        """The line as it is now, in no more than `width` columns; "" if there is none yet."""
        text = self.summary()
        if (now := self._job.get("now")) and self._is_in_line:
            room = width - len(text) - len(' (now: "")')
            if room >= LEAST_QUOTED:
                text += f' (now: "{shortened(now, min(room, MOST_QUOTED))}")'
        return shortened(text, width)

    def summary(self) -> str:
        """The same without the text that is heard now, however long."""
        text = self._doing()
        is_named = self._names_file and not self._is_starting
        if not (text and is_named and job_view.writes_file(self._job)):
            return text
        return job_view.of_file(self._job, text)

    @property
    def _is_in_line(self) -> bool:
        """Whether others are heard before it, and that says more than what is done for it."""
        job = self._job
        is_behind = (job.get("position") or 0) > 1 and job.get("phase") != "speaking"
        is_made = job.get("phase") == "making" and job_view.writes_file(job)
        is_loading = job.get("phase") == "loading" and job.get("starts_in_s") is None
        return is_behind and not (self._is_held or is_made or is_loading)

    def _doing(self) -> str:
        if self._is_starting:
            return "starting the daemon"
        if self._is_held:
            return f"waiting for {self._waiting_for}" if self._waiting_for else "paused"
        job = self._now()
        phase = job.get("phase")
        if phase == "speaking":
            return job_view.heard(job)
        if phase == "waiting" and job.get("waits_for"):
            return f"waiting for {job['waits_for']}"
        if phase == "waiting" and job.get("open") and job["heard"]:
            return "waiting for more of the text"
        if self._is_in_line:
            return job_view.in_line(job)
        if phase == "making" and job_view.writes_file(job):
            return job_view.written(job)
        if phase in (None, "loading") or self._step:
            return self._loading()
        if phase == "waiting" and job.get("position"):
            return job_view.in_line(job)
        starts = job_view.starts_in(job)
        return job_view.phase_of(job) + (f", starts in {starts}" if starts else "")

    def _loading(self) -> str:
        text, fraction = self._step or "", self._job.get("loading")
        if not text and "backend" in self._job:
            text = f"loading {self._job['backend']}"
        # Where the backend counts megabytes there is no need for their share.
        if fraction is None or any(map(str.isdigit, text)):
            return text
        return f"{text} {job_view.percent(fraction)}"
