"""The stages of one warm call, from exec to exit: when each was over, as the outside sees it.

A proxy lies between the call and the daemon and notes when what comes by; the sound is recorded. So
nothing in vox measures itself, and the same stages are told of an older vox.
"""

from __future__ import annotations

import contextlib
import os
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from types import TracebackType

from tests.sound import Recorder, segments_of_sound

STAGES = (
    "options understood, connected",
    "request sent",
    "job made",
    "first audio written",
    "first sound heard",
    "last sound heard",
    "end told to the call",
    "exit",
)
CONNECTED, SENT, MADE, WRITTEN, HEARD, SILENT, TOLD, EXIT = STAGES
SETTLE_S = 0.3


class Proxy:
    """Passes all on to the daemon's socket, in a home of its own, and notes the times."""

    def __init__(self, socket_path: str) -> None:
        self._daemon = socket_path
        self.home = tempfile.mkdtemp(prefix="vox-stages-", dir="/tmp")
        self.times: dict[str, float] = {}

    def __enter__(self) -> Proxy:
        os.mkdir(os.path.join(self.home, "run"), mode=0o700)
        self._path = os.path.join(self.home, "run", "vox.sock")
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self._path)
        self._server.listen()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # `close` alone does not wake who accepts.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._note(CONNECTED)
                daemon = socket.socket(socket.AF_UNIX)
                daemon.connect(self._daemon)
                for one, other in ((client, daemon), (daemon, client)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._look(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def _look(self, data: bytes) -> None:
        if data.startswith(b"POST /speak"):
            self._note(SENT)
        if b" 202 Accepted" in data:
            self._note(MADE)
        if b'"phase": "speaking"' in data:
            self._note(WRITTEN)
        if b"event: state" in data and b'"exit_code": 0' in data:
            self._note(TOLD)

    def _note(self, stage: str) -> None:
        self.times.setdefault(stage, time.monotonic())


def measure(
    command: list[str], environ: Mapping[str, str], socket_path: str, recorder: Recorder
) -> dict[str, float]:
    """Seconds from exec to the end of each stage of that call."""
    recorder.wait_for_silence(SETTLE_S)
    with Proxy(socket_path) as proxy:
        began = time.monotonic()
        done = subprocess.run(
            command,
            env={**environ, "VOX_HOME": proxy.home},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        ended = time.monotonic()
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode().strip())
    recorder.wait_for_silence(SETTLE_S)
    heard = recorder.recording().after(began)
    sounds = segments_of_sound(heard)
    offset = heard.started_at - began
    times = {stage: at - began for stage, at in proxy.times.items()}
    times |= {HEARD: sounds[0][0] + offset, SILENT: sounds[-1][1] + offset, EXIT: ended - began}
    return times


def rows(measured: list[dict[str, float]]) -> Iterator[list[str]]:
    """A row for each stage: when it was over, and how long after the one before it."""
    before = 0.0
    for stage in STAGES:
        over = statistics.median(times[stage] for times in measured)
        yield [stage, f"{over * 1000:,.0f} ms", f"{(over - before) * 1000:+,.0f} ms"]
        before = over
