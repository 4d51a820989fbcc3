"""The API's listener on TCP.

Off until `http` is set. It needs a token, and a second setting to listen beyond this machine. An
error here never stops the daemon: it is logged and shown, the control socket is served, and the
daemon tries again: whoever has the port, a daemon that is leaving for example, may go.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..addresses import Target, are_local, resolve
from ..config import Config
from ..errors import BadConfig, DaemonUnavailable, VoxError
from ..paths import Paths
from ..tokens import read_token
from .activation import Inherited
from .listener import Listener

log = logging.getLogger(__name__)

BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Tcp:
    """The setting `http`, and the listening sockets or the error that there are none for."""

    address: str | None = None
    error: str | None = None
    sockets: list[socket.socket] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        return {"address": self.address, "error": self.error}


def open_tcp(
    paths: Paths, config: Config, before: Tcp | None = None, inherited: Inherited | None = None
) -> Tcp:
    """Listen where the setting `http` says. Never raises: an error is logged and kept.

    `before`: what the last try came to, whose error is not logged again. `inherited`: the sockets
    that a service manager passed.
    """
    address = config["http"]
    if address is None:
        return Tcp()
    try:
        sockets = _open(paths, address, bool(config["http_allow_remote"]), inherited)
    except VoxError as exc:
        if before is None or before.error != exc.line:
            log.error("no HTTP API on TCP: %s", exc.line)
        return Tcp(address, exc.line)
    log.info("HTTP API on http://%s", address)
    return Tcp(address, None, sockets)


def _open(
    paths: Paths, address: str, may_be_remote: bool, inherited: Inherited | None
) -> list[socket.socket]:
    if read_token(paths) is None:
        raise BadConfig("http needs a token", f"make one: vox config set http {address}")
    targets = resolve(address)
    if not are_local(targets):
        if not may_be_remote:
            raise BadConfig(
                f"http: {address.rpartition(':')[0]} is reachable from other machines",
                "to allow it: vox config set http_allow_remote true",
            )
        log.warning(
            "http listens on %s: anyone who reaches this machine and has the token can make it "
            "speak and read its history; the connection is not encrypted",
            address,
        )
    return _bind_all(address, targets, inherited)


def _bind_all(
    address: str, targets: Sequence[Target], inherited: Inherited | None
) -> list[socket.socket]:
    """Listen on each that this machine has: `localhost` may be two addresses, and one missing."""
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    for family, target in targets:
        try:
            passed = inherited.take(family, target) if inherited else None
            sockets.append(passed or _bind(family, target))
        except OSError as exc:
            failure = exc
    if not sockets:
        reason = failure.strerror if failure else "no address"
        raise DaemonUnavailable(f"cannot listen on {address}: {reason}", "choose another port")
    return sockets


def _bind(family: int, target: Any) -> socket.socket:
    listener = Listener(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(target)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
