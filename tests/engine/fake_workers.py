"""Workers on other machines, in this process: they do what a test's script of hosts says.

`FakeWorkers` is what the engine connects to, in place of `fleet.session.Session`.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vox.backends.base import Settings, Utterance
from vox.errors import VoxError, WorkerLost, WorkersAway
from vox.fleet.requests import Answer, Request
from vox.fleet.workers import Announced
from vox.jobs import Request as JobRequest

from .fakes import LIMIT_S, FakeHost, FakeHosts
from .rig import request

ELSEWHERE = "qwen"
"""A backend that is not installed here."""


class Anew(Exception):
    """Raised by a script: the worker is lost, and another one makes what the next script says."""


class FakeAsked:
    """A request, made at once in a thread of its own."""

    def __init__(self, workers: FakeWorkers, request: Request, worker: str) -> None:
        self.request = request
        self.worker: str | None = worker
        self.is_cancelled = False
        self.has_sound = self.was_away = False
        self._workers = workers
        self._answers: queue.SimpleQueue[Answer | VoxError | None] = queue.SimpleQueue()
        self._is_ended = False
        self._host = FakeHost(workers.hosts, request.backend, Settings("", ""))
        threading.Thread(target=self._make, daemon=True).start()

    def _make(self) -> None:
        text = self.request.text
        try:
            if text is None or self._workers.hosts.loads:
                self._host.load(None, self._tell_loading)
            if text is not None:
                if text in self._workers.loaded_for:
                    self._tell_loading("loading the script", None)
                for samples, rate in self._host.synthesize(Utterance(text)):
                    self._put("chunk", samples.astype("<f4").tobytes(), sample_rate=rate)
            self._is_ended = True
            self._put("end", cut_off=self._host.cut_off, notes=self._host.take_notes())
        except Anew:
            self._answers.put(WorkerLost("the worker was lost in the middle of an utterance"))
            self._host = FakeHost(self._workers.hosts, self.request.backend, Settings("", ""))
            self._make()
            return
        except (WorkerLost, WorkersAway) as exc:
            self._is_ended = True
            self._answers.put(exc)
            with self._workers.hosts.changed:
                self.was_away = isinstance(exc, WorkersAway)
                self._workers.hosts.changed.notify_all()
        except VoxError as exc:
            self._put("error", error=exc.to_dict())
        self._is_ended = True

    def _tell_loading(self, text: str, fraction: float | None) -> None:
        self._put("loading", text=text, fraction=fraction)

    def _put(self, event: str, pcm: bytes = b"", **header: object) -> None:
        self._answers.put(Answer(self.request.id, 0, {"event": event, **header}, pcm))
        with self._workers.hosts.changed:
            self.has_sound = self.has_sound or event == "chunk"
            self._workers.hosts.changed.notify_all()

    @property
    def is_going_on(self) -> bool:
        return not (self._is_ended and self._answers.empty())

    def next(self, timeout_s: float) -> Answer | None:
        try:
            found = self._answers.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(found, VoxError):
            raise found
        return found

    def cancel(self) -> None:
        with self._workers.hosts.changed:
            was_wanted, self.is_cancelled = not self.is_cancelled, True
            if was_wanted and not self._is_ended:
                self._workers.cancelled.append(self.request)
        self._host.cancel()
        self._host.kill()
        self._answers.put(None)


class FakeWorkers:
    """A `Session`. The worker `gpu1` serves the lane "scripted" unless the test says otherwise."""

    def __init__(self) -> None:
        self.hosts = FakeHosts()
        """What the workers' hosts do, and what they were asked for."""
        self.asked: list[Request] = []
        self.cancelled: list[Request] = []
        self.loaded_for: set[str] = set()
        """Texts that come to a worker which has to load the model first."""
        self.looks = 0
        self.expected = 0
        """How often it was told that it will be used."""
        self.refusal: VoxError | None = None
        """Why requests cannot be sent, although the workers seem to be there."""
        self.is_closed = threading.Event()
        self._away: VoxError | None = None
        self._workers: tuple[Announced, ...] = (worker("gpu1"),)
        self._ids = itertools.count(1)
        self._on_change: Callable[[], None] = lambda: None

    def connect(
        self, url: str, password_file: str | None, lease_s: float, on_change: Callable[[], None]
    ) -> FakeWorkers:
        """See `vox.engine.fleet.Connect`."""
        self._on_change = on_change
        self.is_closed.clear()
        return self

    def announce(self, *workers: Announced, away: VoxError | None = None) -> None:
        """From now on these are there."""
        self._workers, self._away = workers, away
        self._on_change()

    # -- Session -----------------------------------------------------------------------------

    @property
    def away(self) -> VoxError | None:
        self.looks += 1
        return self._away

    @property
    def workers(self) -> Sequence[Announced]:
        return self._workers

    @property
    def concurrency(self) -> int:
        return sum(each.concurrency for each in self._workers)

    def expect_use(self) -> None:
        self.expected += 1

    def wait_looked(self, timeout_s: float) -> bool:
        return True

    def serves(self, lane: str) -> bool:
        return any(lane in each.lanes for each in self._workers)

    def is_warm(self, lane: str) -> bool:
        return any(lane in each.warm for each in self._workers)

    def width(self, lane: str) -> int:
        return sum(each.concurrency for each in self._workers if lane in each.lanes)

    def ask(self, request: Request, recording: str | None = None) -> FakeAsked:
        if self.refusal is not None or not self._workers:
            raise self.refusal or WorkersAway("there are none")
        with self.hosts.changed:
            self.asked.append(request)
        return FakeAsked(self, request, self._workers[len(self.asked) % len(self._workers)].name)

    def close(self) -> None:
        self.is_closed.set()

    # -- what tests look at --------------------------------------------------------------------

    @property
    def texts(self) -> list[str | None]:
        """What was asked for, in order; None: a load."""
        return [request.text for request in self.asked]

    def until(self, is_so: Callable[[], object]) -> None:
        with self.hosts.changed:
            assert self.hosts.changed.wait_for(is_so, LIMIT_S)


def worker(
    name: str,
    lanes: Sequence[str] = ("scripted",),
    *,
    is_warm: bool = True,
    concurrency: int = 1,
    busy: int = 0,
    speed: float = 0.0,
) -> Announced:
    """`speed`: seconds of sound that it makes in a second."""
    return Announced(
        f"{name}#1",
        name,
        1,
        concurrency=concurrency,
        busy=busy,
        lanes=tuple(lanes),
        warm=tuple(lanes) if is_warm else (),
        audio_s=speed,
        synthesis_s=1.0 if speed else 0.0,
    )


GPU = worker("gpu1", ["scripted", ELSEWHERE])


def elsewhere(*sentences: str, **fields: Any) -> JobRequest:
    """Of a job that only workers can make."""
    return request(*sentences, **{"backend": ELSEWHERE, **fields})


def file_elsewhere(path: Path, *sentences: str, **fields: Any) -> JobRequest:
    return elsewhere(*sentences, sink="file", output=str(path), **fields)
