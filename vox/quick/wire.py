"""Requests to the daemon over its control socket: what is sent, and over which connection.

They are HTTP/1.0, so an answer ends where the connection does. `client.http` reads answers.
"""

from __future__ import annotations

import _socket
import os
import stat

from ..sound_variables import HEADER, to_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Refused(Exception):
    """Nobody listens on the socket."""


def is_private(socket_path: str) -> bool:
    """False if another user could have put the socket there to read our requests."""
    try:
        folder = os.lstat(os.path.dirname(socket_path))
    except OSError:
        return False
    is_ours = folder.st_uid == os.getuid() and not folder.st_mode & 0o077
    return stat.S_ISDIR(folder.st_mode) and is_ours


def connect(connection: _socket.socket, socket_path: str) -> None:
    """Connect to the daemon that listens there. Raises Refused, TimeoutError."""
    if not is_private(socket_path):
        raise Refused(socket_path)
    try:
        connection.connect(socket_path)
    except (BlockingIOError, TimeoutError) as exc:  # so many wait that no more may
        raise TimeoutError from exc
    except OSError as exc:
        raise Refused(f"{socket_path}: {exc.strerror}") from exc


def written(
    method: str, target: str, body: str | None = None, environ: Mapping[str, str] = os.environ
) -> bytes:
    """A request as it is sent; `body`: JSON in ASCII."""
    lines = [
        f"{method} {target} HTTP/1.0",
        "Host: localhost",
        f"Content-Length: {len(body or '')}",
    ]
    if body is not None:
        lines.append("Content-Type: application/json")
    if sound := to_header(environ):
        lines.append(f"{HEADER}: {sound}")
    return "\r\n".join([*lines, "", body or ""]).encode()
