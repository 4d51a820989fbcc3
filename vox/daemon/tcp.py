"""What listens on TCP: the HTTP API and the Wyoming server.

Each is off until its setting is set, and needs a second one to listen beyond this machine. An error
here never stops the daemon: it is logged and shown, the control socket is served, and the daemon
tries again: whoever has the port, a daemon that is leaving for example, may go.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..addresses import WYOMING_RISK, Target, are_local, resolve
from ..config import Config
from ..errors import BadConfig, DaemonUnavailable, VoxError
from ..paths import Paths
from ..tokens import read_token
from .activation import Inherited
from .listener import Listener

log = logging.getLogger(__name__)

BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Service:
    """One that listens where a setting says."""

    setting: str
    """Its address; SETTING_allow_remote lets it be reached from other machines."""
    name: str
    scheme: str
    needs_token: bool
    risk: str
    """What who reaches it from another machine can do."""


HTTP = Service(
    "http",
    "HTTP API",
    "http",
    needs_token=True,
    risk="anyone who reaches this machine and has the token can make it speak and read its "
    "history; the connection is not encrypted",
)
WYOMING = Service("wyoming", "Wyoming server", "tcp", needs_token=False, risk=WYOMING_RISK)


@dataclass(frozen=True, slots=True)
class Tcp:
    """The setting of a service, and the listening sockets or the error that there are none for."""

    address: str | None = None
    error: str | None = None
    sockets: list[socket.socket] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        return {"address": self.address, "error": self.error}


def open_tcp(
    service: Service,
    paths: Paths,
    config: Config,
    before: Tcp | None = None,
    inherited: Inherited | None = None,
) -> Tcp:
    """Listen where the service's setting says. Never raises: an error is logged and kept.

    `before`: what the last try came to, whose error is not logged again. `inherited`: the sockets
    that a service manager passed.
    """
    address = config[service.setting]
    if address is None:
        return Tcp()
    try:
        sockets = _open(service, paths, config, inherited)
    except VoxError as exc:
        if before is None or before.error != exc.line:
            log.error("no %s on TCP: %s", service.name, exc.line)
        return Tcp(address, exc.line)
    log.info("%s on %s://%s", service.name, service.scheme, address)
    return Tcp(address, None, sockets)


def _open(
    service: Service, paths: Paths, config: Config, inherited: Inherited | None
) -> list[socket.socket]:
    setting = service.setting
    address: str = config[setting]
    if service.needs_token and read_token(paths) is None:
        raise BadConfig(f"{setting} needs a token", f"make one: vox config set {setting} {address}")
    targets = resolve(setting, address, config[f"{setting}_allow_remote"])
    if not are_local(targets):
        log.warning("%s listens on %s: %s", setting, address, service.risk)
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
