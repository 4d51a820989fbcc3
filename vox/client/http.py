"""A very small HTTP client for the control socket.

`http.client` alone costs 30 ms to import, a good part of the time to a warm first sound. Requests
are HTTP/1.0, so answers end where the connection does and event streams need no chunk decoding.
Speaks to our own daemon only.
"""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..quick import wire
from ..quick.begun import Begun
from ..quick.wire import Refused as Refused


class Dropped(Exception):
    """The connection ended before the answer did."""


class SseEvent(NamedTuple):
    name: str
    data: dict[str, Any]
    id: str


class _Incoming(io.RawIOBase):
    """What comes over a connection, of which something may have been received before."""

    def __init__(self, connection: socket.socket, received: bytes) -> None:
        self._connection = connection
        self._received = received

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._received:
            return self._connection.recv_into(buffer)
        part, self._received = self._received[: len(buffer)], self._received[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


class Answer:
    """A status line, headers, and a body that is read on demand."""

    def __init__(self, connection: socket.socket, received: bytes = b"") -> None:
        """`received`: what was read of it before."""
        self._connection = connection
        self._stream = io.BufferedReader(_Incoming(connection, received))
        parts = self._readline().split(None, 2)
        if len(parts) < 2 or not parts[1].isdigit():
            raise Dropped("no answer")
        self.status = int(parts[1])
        self.headers: dict[str, str] = {}
        while (line := self._readline()) != b"\r\n":
            if not line:
                raise Dropped("cut off in the headers")
            name, _, value = line.decode("latin-1").partition(":")
            self.headers[name.strip().lower()] = value.strip()

    def _readline(self) -> bytes:
        """The next line, b"" at the end. Raises Dropped, TimeoutError."""
        try:
            return self._stream.readline()
        except TimeoutError:
            raise
        except OSError as exc:
            raise Dropped(str(exc)) from exc

    def read(self) -> bytes:
        try:
            body = self._stream.read()
        except TimeoutError:
            raise
        except OSError as exc:
            raise Dropped(str(exc)) from exc
        if len(body) < int(self.headers.get("content-length", 0)):
            raise Dropped("cut off in the body")
        return body

    def json(self) -> Any:
        body = self.read()
        return json.loads(body) if body else None

    def items(self) -> Iterator[Any]:
        """The items of a JSON array that has one item a line, as they come.

        Raises Dropped, TimeoutError.
        """
        while line := self._readline().strip():
            if line == b"]":
                return
            if line.startswith(b"["):
                # An older daemon has the whole array on one line.
                if line != b"[":
                    yield from json.loads(line)
                    return
            else:
                yield json.loads(line.removesuffix(b","))
        raise Dropped("cut off in the body")

    def events(self, deadline: float | None = None) -> Iterator[SseEvent]:
        """The events of a stream, until the server ends it or the (monotonic) deadline passes.

        Raises Dropped, TimeoutError.
        """
        name, event_id, data = "message", "", list[str]()
        while True:
            if deadline is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                self._connection.settimeout(left)
            raw = self._readline()
            if not raw:
                return
            line = raw.decode().rstrip("\r\n")
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    yield SseEvent(name, json.loads("\n".join(data)), event_id)
                name, data = "message", []
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                event_id = value

    def close(self) -> None:
        self._stream.close()
        self._connection.close()

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def request(
    socket_path: str,
    method: str,
    target: str,
    body: dict[str, Any] | None = None,
    timeout_s: float | None = None,
) -> Answer:
    """Send one request over the Unix socket; the answer's headers are there when this returns.

    `timeout_s` bounds every wait for bytes. Raises Refused, Dropped, TimeoutError.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        wire.connect(connection, socket_path)
        payload = None if body is None else json.dumps(body)
        try:
            connection.sendall(wire.written(method, target, payload))
        except TimeoutError:
            raise
        except OSError as exc:
            raise Dropped(str(exc)) from exc
        return Answer(connection)
    except BaseException:
        connection.close()
        raise


def answer_to(begun: Begun, timeout_s: float | None) -> Answer:
    """The answer to a request that was sent. Raises Dropped, TimeoutError."""
    connection = socket.socket(fileno=begun.connection.detach())
    connection.settimeout(timeout_s)
    try:
        return Answer(connection, begun.received)
    except BaseException:
        connection.close()
        raise
