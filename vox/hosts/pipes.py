"""The daemon's ends of a host's pipes: reading and writing until the host is gone.

A program that the host started may hold the host's pipes open when the host has ended. So whoever
reads or writes here is also woken by an `End`. Knows nothing of what goes through the pipes.
"""

from __future__ import annotations

import collections
import contextlib
import io
import os
import select
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

from . import protocol

MAX_LINE = 4096
"""The bytes of one printed line that are kept; a progress bar may print for hours without an end
of line."""
MAX_HELD = 64 * 1024 * 1024
"""The bytes of audio that wait to be taken. The host waits while there are more."""
_MAX_AFTER_END = 1024 * 1024
"""What is still read when the host is gone. Its children must not hold us up."""


class End:
    """A flag that wakes who polls `fd`: it becomes readable once `set` was called."""

    def __init__(self) -> None:
        self.fd, self._other = os.pipe()
        self._lock = threading.Lock()
        self.is_set = False

    def set(self) -> None:
        with self._lock:
            if not self.is_set:
                self.is_set = True
                os.close(self._other)

    def close(self) -> None:
        """Nobody polls any more. May be called once, after `set`."""
        os.close(self.fd)


class PipeReader(io.RawIOBase):
    """Reads a pipe until it ends or, once `end` is set, until it is empty."""

    def __init__(self, pipe: IO[bytes], end: End) -> None:
        self._pipe = pipe
        self._end = end
        self._left = _MAX_AFTER_END
        self._poll = select.poll()
        self._poll.register(pipe.fileno(), select.POLLIN)
        self._poll.register(end.fd, select.POLLIN)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        ready = [fd for fd, _ in self._poll.poll()]
        if self._pipe.fileno() not in ready or self._left <= 0:
            return 0
        data = os.read(self._pipe.fileno(), len(buffer))
        if self._end.is_set:
            self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._pipe.close()
        super().close()


def write(fd: int, data: bytes, end: End, timeout_s: float) -> None:
    """Write all of it to a pipe that does not block. Raises OSError, TimeoutError among them."""
    left = memoryview(data)
    deadline = time.monotonic() + timeout_s
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.register(end.fd, select.POLLIN)
    while left:
        ready = [fd for fd, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)]
        if end.fd in ready:
            raise BrokenPipeError
        if not ready:
            raise TimeoutError
        with contextlib.suppress(BlockingIOError):
            left = left[os.write(fd, left) :]


def lines(stream: io.BufferedReader) -> Iterator[str]:
    """What is printed, line by line. Of a line that is too long only the beginning."""
    is_rest = False
    while raw := stream.readline(MAX_LINE):
        if not is_rest:
            line = raw.decode(errors="replace").rstrip()
            yield line if raw.endswith(b"\n") or len(raw) < MAX_LINE else f"{line} ..."
        is_rest = not raw.endswith(b"\n")


class FrameLine:
    """Frames on their way from the thread that reads them; `put` waits while too much waits."""

    def __init__(self) -> None:
        self._frames: collections.deque[protocol.Frame | None] = collections.deque()
        self._held = 0
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, frame: protocol.Frame | None) -> None:
        """`None`: no other will come."""
        size = _size(frame)
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._held < MAX_HELD)
            self._frames.append(frame)
            self._held += size
            self._changed.notify_all()

    def get(self, timeout_s: float) -> protocol.Frame | None:
        """The next frame. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._frames, timeout_s):
                raise TimeoutError
            frame = self._frames.popleft()
            self._held -= _size(frame)
            self._changed.notify_all()
            return frame

    def close(self) -> None:
        """Nobody will take what comes: `put` waits no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def _size(frame: protocol.Frame | None) -> int:
    """What it takes, about."""
    return 0 if frame is None else len(frame.pcm) + 1024 + frame.header_bytes
