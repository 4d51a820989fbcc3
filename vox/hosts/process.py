"""The subprocess that a host is: starts it, passes frames, kills it, and says how it ended.

Knows the protocol's frames, not what they are for. One thread reads the host's frames. Another
reads what the host prints: it goes into the log, and the last line is part of the error when it
dies.
"""

from __future__ import annotations

import collections
import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import IO, Any

from ..backends.base import Settings
from ..bootstrap import environ_for
from ..errors import HostCrashed, OutOfMemory, escaped
from . import answers, memory, pipes, protocol

log = logging.getLogger(__name__)

SEND_S = 10.0
"""A host reads its commands in a thread of their own, so it always does. One that does not is
broken."""
EXIT_S = 0.5
"""From the end of its output to its own end, for a host that dies by itself."""
_LOOK_S = 0.5
"""How often who waits for a frame looks whether the host still runs."""
MAX_LAST_LINE = 300
"""The characters of what it printed last that become part of an error."""


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
        self._fault: str | None = None
        """What it did that no host may do."""
        self._frames = pipes.FrameLine()
        self._write_lock = threading.Lock()
        self._kill_lock = threading.Lock()
        self._is_killed = False
        self._process = _start(command, spec, settings)
        self._end = pipes.End()
        assert self._process.stdin is not None
        self._commands: IO[bytes] = self._process.stdin
        os.set_blocking(self._commands.fileno(), False)
        self._readers = [
            self._started_thread(self._read_frames, self._process.stdout),
            self._started_thread(self._read_log, self._process.stderr),
        ]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def send(self, header: dict[str, Any]) -> None:
        """Send a command. Raises OSError or ValueError if the pipe is closed, or stays full."""
        with self._write_lock:
            try:
                pipes.write(self._commands.fileno(), protocol.pack(header), self._end, SEND_S)
            except TimeoutError:
                self._fault = "it does not read its commands"
                raise

    def next_frame(self, deadline: float) -> protocol.Frame | None:
        """The next frame but "stats"; None once the pipe has ended. Raises TimeoutError.

        `deadline`: by `time.monotonic`.
        """
        while (left_s := deadline - time.monotonic()) > _LOOK_S:
            with contextlib.suppress(TimeoutError):
                return self._frames.get(_LOOK_S)
            if not self.is_running:
                self._end.set()
        return self._frames.get(max(0.0, left_s))

    def kill(self) -> None:
        """End it and what it has started. Its memory is free when this returns."""
        with self._kill_lock:
            if self._is_killed:  # Its number may be another's by now.
                return
            self._is_killed = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._end.set()
            self._frames.close()
            for reader in self._readers:
                reader.join(timeout=1.0)
            with self._write_lock, contextlib.suppress(OSError):
                self._commands.close()
                if not any(reader.is_alive() for reader in self._readers):
                    self._end.close()

    def wait(self, timeout_s: float) -> None:
        """Wait for its end, at most so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)

    def end(self) -> HostCrashed | OutOfMemory:
        """Kill it, if it does not end by itself just now. Returns how it ended, as an error."""
        if not self._fault:
            self.wait(EXIT_S)
            if self.is_running and not self._is_killed:
                self._fault = "it closed its output"
        self.kill()
        status = self._process.returncode
        if self._fault:
            return HostCrashed(f"the {self.name} host was ended, for {self._fault}{self.last_line}")
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
        return f": {lines[-1].strip()[:MAX_LAST_LINE]}" if lines else ""

    def _read_frames(self, stream: io.BufferedReader) -> None:
        try:
            with stream:
                while (frame := protocol.read(stream)) is not None:
                    answers.check(frame.header)
                    if frame.header["event"] == "stats":
                        self._on_stats(frame.header)
                    else:
                        self._frames.put(frame)
        except protocol.CutOff as exc:
            log.info("[%s] %s", self.name, exc)
        except (protocol.ProtocolError, MemoryError) as exc:
            self._fault = f"its output is not a host's: {exc}"
        except (OSError, ValueError) as exc:
            log.warning("[%s] its output cannot be read: %s", self.name, exc)
        finally:
            self._frames.put(None)

    def _read_log(self, stream: io.BufferedReader) -> None:
        with contextlib.suppress(OSError, ValueError), stream:
            for text in pipes.lines(stream):
                line = escaped(text)
                self._printed.append(line)
                log.info("[%s] %s", self.name, line)

    def _started_thread(
        self, read: Callable[[io.BufferedReader], None], pipe: IO[bytes] | None
    ) -> threading.Thread:
        assert pipe is not None
        stream = io.BufferedReader(pipes.PipeReader(pipe, self._end))
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
        bufsize=0,
    )
