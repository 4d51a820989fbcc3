"""A request to speak on its way to a daemon of our version that is up."""

from __future__ import annotations

import _socket
import os

from .. import __version__
from ..flat_json import flat_json
from ..options import OPTIONS
from . import place, wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ANSWER_S = 1.0
"""An answer that takes longer is waited for by the command line, which then says what is wrong."""
ACCEPTED = b" 202 "


def hand_in(
    values: dict[str, Any], environ: Mapping[str, str] = os.environ
) -> _socket.socket | None:
    """Send a daemon of our version the request of these fields, which have an `id`.

    Returns the connection over which its answer comes; None: no daemon is up.
    """
    socket_path = daemon_socket(environ)
    connection = connected(socket_path) if socket_path else None
    if connection is None:
        return None
    try:
        connection.sendall(wire.written("POST", "/speak", body_of(values), environ))
    except OSError:
        connection.close()
        return None
    return connection


def is_taken(connection: _socket.socket, within_s: float) -> bool | None:
    """Whether the daemon has made the job; None: it has not answered within that time."""
    connection.settimeout(within_s)
    try:
        return connection.recv(64)[8:13] == ACCEPTED
    except TimeoutError:
        return None
    except OSError:
        return False


def body_of(values: dict[str, Any]) -> str:
    """The body of `POST /speak` for the fields of a request, answered at once."""
    named = {OPTIONS[n].key if n in OPTIONS else n: value for n, value in values.items()}
    return flat_json({"via": "cli", **named, "async": True})


def daemon_socket(environ: Mapping[str, str]) -> str | None:
    """The socket of a daemon, if there is one that is not known to be of another version, and no
    laptop may hear it instead."""
    if place.may_be_elsewhere(environ):
        return None
    found = place.files(environ)
    return None if found is None or _other_version(found[1]) else found[0]


def connected(socket_path: str) -> _socket.socket | None:
    """A connection to the daemon that listens there, if one does."""
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S)
    try:
        wire.connect(connection, socket_path)
    except (wire.Refused, TimeoutError):
        connection.close()
        return None
    return connection


def _other_version(pid_path: str) -> bool:
    """Whether the PID file names another version than ours; see `client.remote`."""
    try:
        with open(pid_path, "rb", buffering=0) as file:
            words = file.read(256).split()
    except OSError:
        return False
    return len(words) > 1 and words[1] != __version__.encode()
