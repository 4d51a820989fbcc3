"""The host: a subprocess in which one backend and its model live, warm.

It runs under the interpreter of the backend's own environment. So besides the standard library
and numpy it may import only `vox.errors`, `vox.backends` and its own protocol. The main thread
loads and synthesizes, because some libraries insist on it. Another thread reads commands: so a
cancel is seen during a synthesis, and the host exits at once when the daemon dies, and frees its
VRAM.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

from vox.backends.base import Backend, Clone, Loaded, Settings, Utterance
from vox.backends.registry import load_class
from vox.errors import LoadFailed, OutOfMemory, SynthesisFailed, VoxError

from . import protocol

NICENESS = 5


class Server:
    """Serves one backend's synthesis requests until an `exit` command or the end of the pipe."""

    def __init__(self, backend: Backend, commands: BinaryIO, answers: BinaryIO) -> None:
        self._backend = backend
        self._commands = commands
        self._answers = answers
        self._write_lock = threading.Lock()
        self._todo: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        self._loaded: Loaded | None = None
        self._load_s = 0.0

    def serve(self) -> None:
        threading.Thread(target=self._read_commands, name="commands", daemon=True).start()
        while True:
            command = self._todo.get()
            if command["op"] == "exit":
                self._backend.close()
                return
            if command["op"] == "load":
                wish = command["wish"]
                self._load(wish and _utterance(wish))
                if self._loaded is None:
                    return
            elif command["op"] == "synthesize":
                utterance = _utterance(command["utterance"])
                with _silent() if utterance.private else contextlib.nullcontext():
                    self._synthesize(command["id"], utterance)

    def _read_commands(self) -> None:
        try:
            while (frame := protocol.read(self._commands)) is not None:
                command = frame.header
                if command["op"] == "cancel":
                    self._cancelled.add(command["id"])
                elif command["op"] == "stats":
                    self._send({"event": "stats", **self._memory()})
                else:
                    self._todo.put(command)
        except Exception as exc:
            print(f"host: {exc}", file=sys.stderr)
        # The daemon is gone. The main thread may be deep in a library, so do not ask it to exit.
        os._exit(0)

    def _send(self, header: dict[str, Any], pcm: bytes = b"") -> None:
        try:
            with self._write_lock:
                protocol.write(self._answers, header, pcm)
        except OSError:
            os._exit(0)

    def _memory(self) -> dict[str, float | None]:
        return {"rss_mb": _rss_mb(), "vram_mb": self._backend.vram_mb()}

    def _load(self, wish: Utterance | None) -> None:
        """Load the model, or what the wish needs besides what is loaded."""
        began = time.monotonic()
        try:
            if self._loaded is None:
                self._backend.wish = wish
                self._loaded = self._backend.load(self._progress)
            else:
                self._loaded = self._backend.load_more(wish, self._progress) or self._loaded
        except Exception as exc:
            self._send_error(None, exc, LoadFailed)
            return
        self._load_s += time.monotonic() - began
        self._send(
            {
                "event": "ready",
                **asdict(self._loaded),
                "notes": self._backend.notes_on(self._loaded),
                "load_s": self._load_s,
                **self._memory(),
            }
        )

    def _progress(self, text: str, fraction: float | None) -> None:
        self._send({"event": "progress", "text": text, "fraction": fraction})

    def _synthesize(self, request_id: int, utterance: Utterance) -> None:
        self._backend.cut_off = False
        chunks = self._backend.synthesize(utterance)
        try:
            for samples, sample_rate in chunks:
                if request_id in self._cancelled:
                    break
                pcm = samples.astype("<f4", copy=False).tobytes()
                if pcm:
                    header = {"event": "chunk", "id": request_id, "sample_rate": sample_rate}
                    self._send(header, pcm)
        except Exception as exc:
            self._send_error(request_id, exc, SynthesisFailed)
            return
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        cancelled = request_id in self._cancelled
        self._cancelled.discard(request_id)
        self._send(
            {
                "event": "end",
                "id": request_id,
                "cancelled": cancelled,
                "cut_off": self._backend.cut_off,
                **self._memory(),
            }
        )

    def _send_error(self, request_id: int | None, exc: Exception, kind: type[VoxError]) -> None:
        if not isinstance(exc, VoxError):
            import traceback

            traceback.print_exc()
            kind = OutOfMemory if isinstance(exc, MemoryError) else kind
            exc = kind(f"{self._backend.info.name}: {type(exc).__name__}: {exc}")
        self._send({"event": "error", "id": request_id, "error": exc.to_dict()})


def _utterance(data: dict[str, Any]) -> Utterance:
    clone = data.pop("clone", None)
    return Utterance(**data, clone=Clone(**clone) if clone else None)


def _rss_mb() -> float | None:
    """Resident memory of this process in megabytes (current on Linux, the peak elsewhere)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            pages = int(statm.read().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
    except OSError:
        import resource

        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 1)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """While the block runs, nothing that this process prints reaches the log."""
    kept, nothing = (os.dup(1), os.dup(2)), os.open(os.devnull, os.O_WRONLY)
    try:
        for stream in (1, 2):
            os.dup2(nothing, stream)
        yield
    finally:
        sys.stderr.flush()
        for stream, before in zip((1, 2), kept, strict=True):
            os.dup2(before, stream)
        for each in (*kept, nothing):
            os.close(each)


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol; returns (commands, answers).

    What libraries print goes to stderr, which is the log. Programs that they run get an empty
    stdin.
    """
    commands, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return commands, answers


def main() -> None:
    """Run as `python -m vox.hosts.host IMPORT_STRING SETTINGS_JSON`, stdin and stdout piped."""
    # Ctrl-C in a terminal reaches the whole process group. The daemon decides when hosts exit.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Synthesis may use every core, and the player in the daemon must not run dry.
    os.nice(NICENESS)
    commands, answers = _claim_pipes()
    spec, settings = sys.argv[-2], Settings(**json.loads(sys.argv[-1]))
    try:
        backend = load_class(spec)(settings)
    except VoxError as exc:
        protocol.write(answers, {"event": "error", "id": None, "error": exc.to_dict()})
        return
    Server(backend, commands, answers).serve()


if __name__ == "__main__":
    main()
