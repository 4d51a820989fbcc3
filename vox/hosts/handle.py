"""The daemon's side of a host in a subprocess: what it does, how it did, and how long it may take.

A handle knows one subprocess (`process`), and nothing of jobs, queues or other hosts.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..backends.base import Chunk, Progress, Settings, Utterance
from ..errors import HostCrashed, HostError, HostTimeout, OutOfMemory, VoxError
from . import answers, memory, protocol
from .base import no_progress, nothing
from .process import HostProcess

log = logging.getLogger(__name__)

HandleState = Literal["starting", "loading", "idle", "busy", "dead"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a host may take before it counts as hung and is killed, in seconds."""

    load_s: float = 1800.0
    """Until a model is loaded, or what a request needs besides: qwen-native on a CPU takes 11
    minutes."""
    first_chunk_s: float = 300.0
    """Also until a warm host answers to the next request."""
    stall_s: float = 120.0
    """Between two chunks."""
    exit_s: float = 3.0
    cancel_s: float = 2.0
    """From a cancel to its confirmation. A host whose model took longer to load has as long as
    the load took, but at most a minute: to kill it and load it again would take longer."""


class Handle:
    """A `Host` in a subprocess of this machine."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        spec: str,
        settings: Settings,
        limits: Limits = Limits(),
        is_current: Callable[[], bool] = lambda: True,
        gpu: str | None = None,
        oom_kills: Callable[[], int | None] = memory.oom_kills,
    ) -> None:
        """`gpu`: what the model is to run on ("cuda"); None: anything will do."""
        self.name = name
        self.settings = settings
        self.limits = limits
        self.state: HandleState = "starting"
        self.device: str | None = None
        self.dtype: str | None = None
        self.model: str | None = settings.model
        self.engine: str | None = None
        self.notes: list[str] = []
        self.load_s: float | None = None
        self.rss_mb: float | None = None
        self.vram_mb: float | None = None
        self.cut_off = False
        self.made_on: str | None = None
        self.jobs = 0
        self.audio_s = 0.0
        """Seconds of audio made so far, in `synthesis_s` seconds of work."""
        self.synthesis_s = 0.0
        self.first_chunk_s: float | None = None
        """Seconds from the latest request to its first sound."""
        self.last_used = time.monotonic()
        self._next_id = 0
        self._is_current = is_current
        self._gpu = gpu
        self._untold: list[str] = []
        self._current_id: int | None = None
        self._has_answered = threading.Event()
        self._process = HostProcess(name, command, spec, settings, self._take_stats, oom_kills)

    # -- life --------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self.state != "dead" and self._process.is_running

    @property
    def is_current(self) -> bool:
        return self._is_current()

    @property
    def idle_s(self) -> float:
        return 0.0 if self.state in ("busy", "loading") else time.monotonic() - self.last_used

    def answers(self, timeout_s: float = 2.0) -> bool:
        """Whether the host reacts in time. One that loads or synthesizes has its own limits."""
        if not self.is_alive or self.state != "idle":
            return self.is_alive
        self._has_answered.clear()
        try:
            self._command({"op": "stats"})
        except HostError:
            return False
        return self._has_answered.wait(timeout_s)

    @property
    def _cancel_s(self) -> float:
        return max(self.limits.cancel_s, min(self.load_s or 0.0, 60.0))

    def load(self, wish: Utterance | None = None, on_progress: Progress = no_progress) -> None:
        """Load the model, or what the wish needs besides (see `Host.load`)."""
        self.state = "loading"
        if self.load_s is not None:
            self._begin_request()  # mostly nothing is to be loaded, so a cancel ends it soon
        self._command({"op": "load", "wish": asdict(wish) if wish else None})
        usable = False
        try:
            self._note_loaded(self._ready(on_progress))
            usable = True
        except OutOfMemory:
            # What the library holds afterwards cannot be relied on.
            raise
        except VoxError:
            usable = self.load_s is not None
            raise
        finally:
            self._current_id = None
            self._settle(usable)

    def _ready(self, on_progress: Progress) -> dict[str, Any]:
        deadline = time.monotonic() + self.limits.load_s
        frame = self._first_answer() if self.load_s is not None else None
        while True:
            frame = frame or self._next(deadline, f"did not load within {self.limits.load_s:g} s")
            header, frame = frame.header, None
            if header["event"] == "progress":
                on_progress(header["text"], header.get("fraction"))
            elif header["event"] == "ready":
                return header
            elif header["event"] == "error":
                raise answers.error_of(header)

    def _first_answer(self) -> protocol.Frame:
        """What a loaded host says first. It mostly has nothing to load, so one that hangs is seen.

        Raises HostCrashed for that: a new host may do better.
        """
        limit_s = min(self.limits.first_chunk_s, self.limits.load_s)
        try:
            return self._next(time.monotonic() + limit_s, f"did not answer within {limit_s:g} s")
        except HostTimeout as exc:
            raise HostCrashed(exc.message) from exc

    def _note_loaded(self, header: dict[str, Any]) -> None:
        self.device, self.dtype = header["device"], header.get("dtype")
        self.model = header.get("model") or self.model
        self.engine = header.get("engine")
        notes = [*header["notes"], *self._fallback()]
        self._untold += [note for note in notes if note not in self.notes]
        self.notes = notes
        self.load_s = header["load_s"]
        self._note_memory(header)

    def _settle(self, usable: bool) -> None:
        """The work that was asked for is over: the host is idle if it is usable, else dead."""
        self.last_used = time.monotonic()
        if usable and self.is_alive:
            self.state = "idle"
        else:
            self.kill()

    def _fallback(self) -> list[str]:
        if self._gpu is None or self.device != "cpu":
            return []
        what = f"{self.name} runs on the CPU, although it was installed for {self._gpu}"
        return [f"{what}; see: vox backends test {self.name}"]

    def take_notes(self) -> list[str]:
        untold, self._untold = self._untold, []
        return untold

    def end_job(self) -> None:
        self.jobs += 1
        self.last_used = time.monotonic()

    def kill(self) -> None:
        """End the host now, whatever it does. Its memory is free when this returns."""
        self.state = "dead"
        self._process.kill()

    def close(self) -> None:
        """Ask the host to exit; kill it if it does not within `exit_s`."""
        if self._process.is_running and self.state == "idle":
            with contextlib.suppress(HostError):
                self._command({"op": "exit"})
                self._process.wait(self.limits.exit_s)
        self.kill()

    # -- synthesis ---------------------------------------------------------------------------

    def synthesize(
        self, utterance: Utterance, on_begun: Callable[[], None] = nothing
    ) -> Generator[Chunk, None, None]:
        """Yield the utterance's chunks as the host makes them (see `Host.synthesize`).

        Closing the generator, or `cancel` from another thread, stops the work. The host stays
        warm if it confirms that in time, and is killed if not.
        """
        request_id = self._begin_request()
        try:
            on_begun()
        except BaseException:
            self._current_id = None
            raise
        self.state = "busy"
        began = time.monotonic()
        self._command({"op": "synthesize", "id": request_id, "utterance": asdict(utterance)})
        ended = False
        try:
            yield from self._chunks(request_id)
            ended = True
        except GeneratorExit:
            ended = self._drain_cancelled(request_id)
            raise
        except OutOfMemory:
            # What the library holds afterwards cannot be relied on.
            raise
        except VoxError:
            # SynthesisFailed or UnknownVoice: the host sent it and waits for the next request.
            ended = self.is_alive
            raise
        finally:
            self._current_id = None
            self.synthesis_s += time.monotonic() - began
            self._settle(usable=ended)

    def _chunks(self, request_id: int) -> Iterator[Chunk]:
        import numpy as np

        limit_s, what = self.limits.first_chunk_s, "produced no sound"
        began, is_first = time.monotonic(), True
        deadline = began + limit_s
        while True:
            frame = self._next(deadline, f"{what} for {limit_s:g} s")
            header = frame.header
            if header.get("id") != request_id:
                continue
            if header["event"] == "chunk" and frame.pcm:
                limit_s, what = self.limits.stall_s, "stalled"
                if is_first:
                    is_first, self.first_chunk_s = False, time.monotonic() - began
                samples = np.frombuffer(frame.pcm, "<f4").astype(np.float32, copy=False)
                self.audio_s += len(samples) / header["sample_rate"]
                yield Chunk(samples, header["sample_rate"])
                deadline = time.monotonic() + limit_s
            elif header["event"] == "end":
                self.cut_off = header["cut_off"]
                self._note_memory(header)
                return
            elif header["event"] == "error":
                raise answers.error_of(header)

    def _drain_cancelled(self, request_id: int) -> bool:
        """Cancel, and wait for the confirmation. True if the host is ready for a next request."""
        try:
            self._command({"op": "cancel", "id": request_id})
            deadline = time.monotonic() + self._cancel_s
            while True:
                header = self._next(deadline, "did not stop").header
                if header.get("id") == request_id and header["event"] in ("end", "error"):
                    return True
        except HostError as exc:
            log.warning("%s: cancelled, then %s", self.name, exc.message)
            return False

    def _begin_request(self) -> int:
        self._next_id += 1
        self._current_id = self._next_id
        return self._next_id

    def cancel(self) -> None:
        """End the current request within `cancel_s`, if need be by killing the host.

        That is a synthesis, or the look of a loaded host what a request needs besides.
        """
        request_id = self._current_id
        if request_id is None:
            return
        with contextlib.suppress(HostError):
            self._command({"op": "cancel", "id": request_id})
        timer = threading.Timer(self._cancel_s, self._kill_if_still, args=(request_id,))
        timer.daemon = True
        timer.start()

    def _kill_if_still(self, request_id: int) -> None:
        if self._current_id == request_id:
            log.warning("%s did not stop when cancelled: killed", self.name)
            self.kill()

    # -- talking to it -----------------------------------------------------------------------

    def _command(self, header: dict[str, Any]) -> None:
        try:
            self._process.send(header)
        except (OSError, ValueError) as exc:
            raise self._crashed() from exc

    def _next(self, deadline: float, what: str) -> protocol.Frame:
        try:
            frame = self._process.next_frame(deadline)
        except TimeoutError:
            self.kill()
            raise HostTimeout(f"{self.name} {what}{self._process.last_line}") from None
        if frame is None:
            raise self._crashed()
        return frame

    def _crashed(self) -> HostCrashed | OutOfMemory:
        error = self._process.end()
        self.kill()
        return error

    def _take_stats(self, header: dict[str, Any]) -> None:
        self._note_memory(header)
        self._has_answered.set()

    def _note_memory(self, header: dict[str, Any]) -> None:
        self.rss_mb = header.get("rss_mb") or self.rss_mb
        self.vram_mb = header.get("vram_mb", self.vram_mb)

    def describe(self) -> dict[str, Any]:
        """The host as `/health` and `vox daemon status` show it. Sizes are in megabytes."""
        return {
            "backend": self.name,
            "model": self.model,
            "device": self.device,
            "dtype": self.dtype,
            "engine": self.engine,
            "notes": self.notes,
            "state": self.state,
            "pid": self.pid,
            "load_s": None if self.load_s is None else round(self.load_s, 3),
            "idle_s": round(self.idle_s, 1),
            "jobs": self.jobs,
            "audio_s": round(self.audio_s, 3),
            "synthesis_s": round(self.synthesis_s, 3),
            "first_chunk_s": None if self.first_chunk_s is None else round(self.first_chunk_s, 3),
            "memory_mb": self.rss_mb,
            "vram_mb": self.vram_mb,
        }
