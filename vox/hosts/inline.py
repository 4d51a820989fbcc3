"""A host in this process, for a backend that needs neither packages nor a model.

It saves the start of an interpreter, 130 ms. It cannot survive a crash of the backend, so a daemon
does not use it.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

from ..backends.base import Backend, Chunk, Loaded, Progress, Settings, Utterance
from ..errors import (
    HostCrashed,
    HostTimeout,
    LoadFailed,
    OutOfMemory,
    SynthesisFailed,
    VoxError,
)
from .base import no_progress, nothing
from .handle import Limits

End = VoxError | None
"""How a synthesis ended: with an error, or well."""


class InlineHost:
    """A `Host` in this process. Synthesis runs in a thread, which can be left behind."""

    def __init__(
        self,
        name: str,
        backend: Backend,
        limits: Limits,
    ) -> None:
        self.name = name
        self.settings: Settings = backend.settings
        self.limits = limits
        self.is_alive = True
        self.is_current = True
        self.device: str | None = None
        self.dtype: str | None = None
        self.model: str | None = backend.settings.model
        self.engine: str | None = None
        self.notes: list[str] = []
        self.load_s: float | None = None
        self.rss_mb: float | None = None
        self.vram_mb: float | None = None
        self.jobs = 0
        self.last_used = time.monotonic()
        self._backend = backend
        self._untold: list[str] = []
        self._is_busy = False
        self._is_cancelled = threading.Event()

    @property
    def made_on(self) -> str | None:
        return None

    @property
    def cut_off(self) -> bool:
        return self._backend.cut_off

    @property
    def idle_s(self) -> float:
        return 0.0 if self._is_busy else time.monotonic() - self.last_used

    def load(self, wish: Utterance | None = None, on_progress: Progress = no_progress) -> None:
        began = time.monotonic()
        try:
            if self.load_s is None:
                self._backend.wish = wish
                loaded: Loaded | None = self._backend.load(on_progress)
            else:
                loaded = self._backend.load_more(wish, on_progress)
        except Exception as exc:
            error = _translated(self.name, exc, LoadFailed)
            if self.load_s is None or isinstance(error, OutOfMemory):
                self.kill()
            raise error from exc
        if loaded is not None:
            self._note_loaded(loaded)
        self.last_used = time.monotonic()
        self.load_s = (self.load_s or 0.0) + self.last_used - began

    def _note_loaded(self, loaded: Loaded) -> None:
        self.device, self.dtype = loaded.device, loaded.dtype
        self.model = loaded.model or self.model
        self.engine = loaded.engine
        notes = self._backend.notes_on(loaded)
        self._untold += [note for note in notes if note not in self.notes]
        self.notes = notes

    def take_notes(self) -> list[str]:
        untold, self._untold = self._untold, []
        return untold

    def synthesize(
        self, utterance: Utterance, on_begun: Callable[[], None] = nothing
    ) -> Generator[Chunk, None, None]:
        self._is_cancelled.clear()
        on_begun()
        self._is_busy = True
        made: queue.SimpleQueue[Chunk | End] = queue.SimpleQueue()
        worker = threading.Thread(
            target=self._work, args=(utterance, made), name="synthesis", daemon=True
        )
        worker.start()
        try:
            yield from self._chunks(made)
        finally:
            self._is_cancelled.set()
            worker.join(self.limits.cancel_s)
            if worker.is_alive():
                self.kill()
            self._is_busy = False
            self.last_used = time.monotonic()

    def _chunks(self, made: queue.SimpleQueue[Chunk | End]) -> Generator[Chunk, None, None]:
        limit_s, what = self.limits.first_chunk_s, "produced no sound"
        while True:
            try:
                found = made.get(timeout=limit_s)
            except queue.Empty:
                self.kill()
                raise HostTimeout(f"{self.name} {what} for {limit_s:g} s") from None
            if isinstance(found, VoxError):
                raise found
            if found is None:
                if not self.is_alive:
                    raise HostCrashed(f"the {self.name} host was ended")
                return
            limit_s, what = self.limits.stall_s, "stalled"
            yield found

    def _work(self, utterance: Utterance, made: queue.SimpleQueue[Chunk | End]) -> None:
        # Ctrl-C in a terminal reaches the whole process group. A program that the backend starts
        # inherits this and goes on: the command line decides what becomes of the job.
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
        self._backend.cut_off = False
        chunks = self._backend.synthesize(utterance)
        end: End = None
        try:
            for chunk in chunks:
                if self._is_cancelled.is_set():
                    break
                if len(chunk.samples):
                    made.put(chunk)
        except Exception as exc:
            end = _translated(self.name, exc, SynthesisFailed)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
            made.put(end)

    def cancel(self) -> None:
        self._is_cancelled.set()

    def end_job(self) -> None:
        self.jobs += 1
        self.last_used = time.monotonic()

    def close(self) -> None:
        self.kill()

    def kill(self) -> None:
        self.is_alive = False
        self._is_cancelled.set()
        self._backend.close()

    def answers(self, timeout_s: float = 2.0) -> bool:
        return self.is_alive

    def describe(self) -> dict[str, Any]:
        return {
            "backend": self.name,
            "model": self.model,
            "device": self.device,
            "dtype": self.dtype,
            "engine": self.engine,
            "notes": self.notes,
            "state": "busy" if self._is_busy else "idle",
            "pid": os.getpid(),
            "load_s": None if self.load_s is None else round(self.load_s, 3),
            "idle_s": round(self.idle_s, 1),
            "jobs": self.jobs,
            "memory_mb": None,
            "vram_mb": None,
        }


def _translated(name: str, exc: Exception, kind: type[VoxError]) -> VoxError:
    return exc if isinstance(exc, VoxError) else kind(f"{name}: {type(exc).__name__}: {exc}")
