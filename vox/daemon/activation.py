"""Listening sockets that a service manager made and passed to this process, as systemd does.

The manager goes on listening when the daemon leaves: whoever connects then starts the next one. See
sd_listen_fds(3). On macOS launchd hands none over this way.
"""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Any

from .listener import Listener

_FIRST_FD = 3


class Inherited:
    """The sockets that were passed, each of which may be taken once."""

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = listeners

    @classmethod
    def of_process(cls, environ: MutableMapping[str, str] = os.environ) -> Inherited:
        """Those that the variables tell of, which processes that we start must not see."""
        pid, count, _ = (
            environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
        )
        if pid != str(os.getpid()) or not count.isdecimal():
            return cls([])
        return cls([_adopted(fd) for fd in range(_FIRST_FD, _FIRST_FD + int(count))])

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def take(self, family: int, address: Any) -> Listener | None:
        """The socket that listens there; None if none was passed, or it is taken."""
        for listener in self._listeners:
            if listener.family == family and listener.getsockname() == address:
                self._listeners.remove(listener)
                return listener
        return None

    def close(self) -> list[str]:
        """Close what was not taken; returns the addresses. The manager still listens there."""
        left = [str(listener.getsockname()) for listener in self._listeners]
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        return left


def _adopted(fd: int) -> Listener:
    os.set_inheritable(fd, False)
    listener = Listener(fileno=fd)
    listener.setblocking(False)
    return listener


def is_served(path: str) -> bool:
    """Whether somebody listens on a Unix socket. A service manager that does starts its daemon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect(path)
        except BlockingIOError:  # its backlog is full
            return True
        except OSError:
            return False
        return True
