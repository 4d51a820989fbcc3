"""Hosts in this process that do what a test tells them, given to the engine by its factory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from vox.backends.base import Chunk, Progress, Settings, Utterance
from vox.errors import HostCrashed, HostTimeout, OutOfMemory
from vox.hosts.base import no_progress, nothing

RATE = 24_000
CHUNK_S = 0.05
SPEECH_S = 0.1
"""How long an utterance lasts of which nothing else was said."""
LIMIT_S = 20.0
CRASH = HostCrashed("the fake host is gone")


class Gate:
    """Where a host waits until the gate is opened, or the host is cancelled or killed."""

    def __init__(self, changed: threading.Condition) -> None:
        """`changed` is notified when a host is cancelled or killed."""
        self.changed = changed
        self._is_reached = False
        self._is_open = False

    def open(self) -> None:
        with self.changed:
            self._is_open = True
            self.changed.notify_all()

    def wait_reached(self) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self._is_reached, LIMIT_S), "no host came here"

    def pass_through(self, is_stopped: Callable[[], bool]) -> None:
        with self.changed:
            self._is_reached = True
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: self._is_open or is_stopped(), LIMIT_S)


Step = float | Gate | Exception
"""Seconds of a tone, a gate to wait at, or an error to raise."""


class FakeHost:
    """A `Host` whose model is a script."""

    def __init__(self, hosts: FakeHosts, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.is_alive = True
        self.is_current = True
        self.device: str | None = None
        self.load_s: float | None = None
        self.rss_mb: float | None = None
        self.vram_mb: float | None = None
        self.notes: list[str] = []
        self.wishes: list[Utterance | None] = []
        """Those that it was loaded with, one for each job."""
        self.cut_off = False
        self.jobs = 0
        self.cancels = 0
        self.last_used = time.monotonic()
        self._hosts = hosts
        self._is_cancelled = False

    @property
    def idle_s(self) -> float:
        return time.monotonic() - self.last_used

    def _is_stopped(self) -> bool:
        return self._is_cancelled or not self.is_alive

    def load(self, wish: Utterance | None = None, on_progress: Progress = no_progress) -> None:
        self.wishes.append(wish)
        todo = self._hosts.loads if self.load_s is None else self._hosts.further_loads
        steps = todo.pop(0) if todo else []
        if steps or self.load_s is None:
            on_progress("loading the script", 0.5)
        for step in steps:
            if isinstance(step, Gate):
                step.pass_through(lambda: not self.is_alive)
                if not self.is_alive:
                    raise HostCrashed("the fake host was killed")
            elif isinstance(step, Exception):
                if self.load_s is not None and isinstance(step, OutOfMemory):
                    self.kill()
                raise step
            elif isinstance(step, str):
                self.notes.append(step)
        self.device, self.load_s = "cpu", 0.0

    def take_notes(self) -> list[str]:
        notes, self.notes = self.notes, []
        return notes

    def synthesize(
        self, utterance: Utterance, on_begun: Callable[[], None] = nothing
    ) -> Generator[Chunk, None, None]:
        self._is_cancelled = False
        on_begun()
        self._hosts.asked.append(utterance)
        for step in self._hosts.next_steps(utterance.text):
            if isinstance(step, Gate):
                step.pass_through(self._is_stopped)
            elif isinstance(step, Exception):
                self.is_alive = not isinstance(step, HostCrashed | HostTimeout | OutOfMemory)
                raise step
            else:
                yield from self._tone(step)
            if not self.is_alive:
                raise HostCrashed("the fake host was killed")
            if self._is_cancelled:
                return

    def _tone(self, seconds: float) -> Generator[Chunk, None, None]:
        left = round(seconds * RATE)
        while left > 0 and not self._is_stopped():
            frames = min(left, round(CHUNK_S * RATE))
            wave = np.sin(2 * np.pi * 440 * np.arange(frames) / RATE) / 4
            yield Chunk(wave.astype(np.float32), RATE)
            left -= frames

    def cancel(self) -> None:
        with self._hosts.changed:
            self.cancels += 1
            self._is_cancelled = True
            self._hosts.changed.notify_all()

    def end_job(self) -> None:
        self.jobs += 1
        self.last_used = time.monotonic()

    def close(self) -> None:
        self.kill()

    def kill(self) -> None:
        with self._hosts.changed:
            self.is_alive = False
            self._hosts.changed.notify_all()

    def answers(self, timeout_s: float = 2.0) -> bool:
        return self.is_alive

    def describe(self) -> dict[str, Any]:
        return {"backend": self.name}


class FakeHosts:
    """A `HostFactory` that remembers what it started and what its hosts were asked for."""

    def __init__(self) -> None:
        self.started: list[FakeHost] = []
        self.asked: list[Utterance] = []
        self.loads: list[list[Step | str]] = []
        """What the next hosts do while they load, one list for each; a text is a note."""
        self.further_loads: list[list[Step | str]] = []
        """What loaded hosts do before their next jobs, one list for each job."""
        self.refusal: Exception | None = None
        """Why no host can be started."""
        self.changed = threading.Condition()
        self._scripts: dict[str, list[tuple[Step, ...]]] = {}

    def __call__(self, name: str, settings: Settings) -> FakeHost:
        if self.refusal is not None:
            raise self.refusal
        self.started.append(FakeHost(self, name, settings))
        return self.started[-1]

    def script(self, text: str, *steps: Step) -> None:
        """What is done the next time an utterance with that text is asked for."""
        self._scripts.setdefault(text, []).append(steps)

    def gate(self) -> Gate:
        return Gate(self.changed)

    def next_steps(self, text: str) -> tuple[Step, ...]:
        for known, scripts in self._scripts.items():
            if known in text and scripts:
                return scripts.pop(0)
        return (SPEECH_S,)

    @property
    def texts(self) -> list[str]:
        """The texts of the utterances that hosts were asked for, in order."""
        return [utterance.text for utterance in self.asked]
