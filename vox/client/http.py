"""A very small HTTP client for the control socket.

`http.client` alone costs 30 ms to import, a good part of the time to a warm first sound. Requests
are HTTP/1.0, so answers end where the connection does and event streams need no chunk decoding.
Speaks to our own daemon only.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ..sound_variables import HEADER, to_header


class Refused(Exception):
    """Nobody listens on the socket."""


class Dropped(Exception):
    """The connection ended before the answer did."""


class SseEvent(NamedTuple):
    name: str
    data: dict[str, Any]
    id: str


class Answer:
    """A status line, headers, and a body that is read on demand."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream: BinaryIO = connection.makefile("rb")
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


def _is_private(socket_path: str) -> bool:
    """False if another user could have put the socket there to read our requests."""
    try:
        folder = os.lstat(os.path.dirname(socket_path))
    except OSError:
        return False
    return (
        stat.S_ISDIR(folder.st_mode) and folder.st_uid == os.getuid() and not folder.st_mode & 0o077
    )


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
        if not _is_private(socket_path):
            raise Refused(socket_path)
        try:
            connection.connect(socket_path)
        except (BlockingIOError, TimeoutError) as exc:  # so many wait that no more may
            raise TimeoutError from exc
        except OSError as exc:
            raise Refused(f"{socket_path}: {exc.strerror}") from exc
        payload = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{method} {target} HTTP/1.0",
            "Host: localhost",
            f"Content-Length: {len(payload)}",
        ]
        if body is not None:
            lines.append("Content-Type: application/json")
        if sound := to_header(os.environ):
            lines.append(f"{HEADER}: {sound}")
        try:
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
        except TimeoutError:
            raise
        except OSError as exc:
            raise Dropped(str(exc)) from exc
        return Answer(connection)
    except BaseException:
        connection.close()
        raise
