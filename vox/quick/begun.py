"""A request that was sent to the daemon, and its answer as far as it has come."""

from __future__ import annotations

import _socket


class Begun:
    """A request that was sent, and what has come of its answer."""

    __slots__ = ("connection", "received")

    def __init__(self, connection: _socket.socket) -> None:
        self.connection = connection
        self.received = b""

    def is_answered(self) -> bool:
        """Wait for the whole answer; False if there is none, or none so far."""
        try:
            while part := self.connection.recv(1 << 16):
                self.received += part
                if _is_whole(self.received):
                    return True
        except OSError:
            pass
        return False

    @property
    def status(self) -> bytes:
        return self.received[8:13]

    @property
    def body(self) -> bytes:
        return self.received.partition(b"\r\n\r\n")[2]


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0].strip()
    return bool(end) and length.isdigit() and len(body) >= int(length)
