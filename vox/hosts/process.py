"""The subprocess that a host is, and its pipes: starts it, passes frames, kills it.

Knows the protocol's frames, not what is in them. One thread reads the host's frames. Another reads
what the host prints: it goes into the log, and the last line is part of the error when it dies.
"""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import IO, Any

from ..backends.base import Settings
from ..bootstrap import environ_for
from ..errors import HostCrashed, OutOfMemory
from . import memory, protocol

log = logging.getLogger(__name__)


class HostProcess:
    """A running `hosts.host`. Any thread may use it; one at a time takes its frames."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        spec: str,
        settings: Settings,
        on_stats: Callable[[dict[str, Any]], None],
        oom_kills: Callable[[], int | None] = memory.oom_kills,
    ) -> None:
        """Start it. `on_stats` gets the "stats" frames' headers, in a thread. Raises OSError."""
        self.name = name
        self._on_stats = on_stats
        self._oom_kills = oom_kills
        self._oom_kills_before = oom_kills()
        self._printed: collections.deque[str] = collections.deque(maxlen=20)
        self._frames: queue.SimpleQueue[protocol.Frame | None] = queue.SimpleQueue()
        self._write_lock = threading.Lock()
        self._process = _start(command, spec, settings)
        assert self._process.stdin is not None
        self._commands: IO[bytes] = self._process.stdin
        self._readers = [
            _started_thread(self._read_frames, self._process.stdout),
            _started_thread(self._read_log, self._process.stderr),
        ]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, header: dict[str, Any]) -> None:
        """Send a command. Raises OSError or ValueError if the pipe is closed."""
        with self._write_lock:
            protocol.write(self._commands, header)  # type: ignore[arg-type]  # IO is BinaryIO here

    def next_frame(self, deadline: float) -> protocol.Frame | None:
        """The next frame but "stats"; None once the pipe has ended. Raises TimeoutError.

        `deadline`: by `time.monotonic`.
        """
        try:
            return self._frames.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise TimeoutError from None

    def kill(self) -> None:
        """End it and what it has started. Its memory is free when this returns."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with contextlib.suppress(OSError):
            self._commands.close()
        for reader in self._readers:
            if reader is not threading.current_thread():
                reader.join(timeout=1.0)

    def wait(self, timeout_s: float) -> None:
        """Wait for its end, at most so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def end(self) -> HostCrashed | OutOfMemory:
        """How it ended, as an error. It has been killed, or has died."""
        status = self._process.returncode
        if status == -signal.SIGKILL and self._oom_kills() != self._oom_kills_before:
            return OutOfMemory(f"memory ran out, and the system killed the {self.name} host")
        if status < 0:
            try:
                how = f"was killed by {signal.Signals(-status).name}"
            except ValueError:
                how = f"was killed by signal {-status}"
        else:
            how = f"ended with status {status}"
        return HostCrashed(f"the {self.name} host {how}{self.last_line}")

    @property
    def last_line(self) -> str:
        """What it printed last, behind a colon; "" if it printed nothing."""
        lines = [line for line in self._printed if line.strip()]
        return f": {lines[-1].strip()[:300]}" if lines else ""

    def _read_frames(self, stream: IO[bytes]) -> None:
        try:
            with stream:
                while (frame := protocol.read(stream)) is not None:  # type: ignore[arg-type]  # same
                    if frame.header.get("event") == "stats":
                        self._on_stats(frame.header)
                    else:
                        self._frames.put(frame)
        except (protocol.ProtocolError, OSError, ValueError) as exc:
            self._printed.append(f"protocol error: {exc}")
        finally:
            self._frames.put(None)

    def _read_log(self, stream: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError), stream:
            for raw in stream:
                line = raw.decode(errors="replace").rstrip()
                self._printed.append(line)
                log.info("[%s] %s", self.name, line)


def _started_thread(
    read: Callable[[IO[bytes]], None], stream: IO[bytes] | None
) -> threading.Thread:
    thread = threading.Thread(target=read, args=(stream,), daemon=True)
    thread.start()
    return thread


def _start(command: Sequence[str], spec: str, settings: Settings) -> subprocess.Popen[bytes]:
    """Start the subprocess, in a process group of its own. Raises OSError."""
    payload = json.dumps({**asdict(settings), "options": dict(settings.options)})
    return subprocess.Popen(
        [*command, spec, payload],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ_for(command[0]),
        start_new_session=True,
    )
