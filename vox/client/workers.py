"""The workers on other machines: asked of the daemon that is up, else of their Redis server."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..config import Config, load
from ..errors import VoxError
from ..fleet import keys
from ..fleet.checks import line_of
from ..fleet.server import Server
from ..fleet.summary import summary
from ..fleet.workers import Announced, Workers
from ..paths import Paths
from ..redis_url import parse, password
from .jobs import NoDaemon
from .remote import Remote

MAX_WORD = 40
LEAST_VERSION = (6, 2)
"""Of Redis. Valkey names the version of Redis that it is like."""


def workers(paths: Paths) -> dict[str, Any]:
    """See `fleet.summary`. Raises BadConfig, DaemonUnavailable."""
    try:
        found: dict[str, Any] = Remote(paths).call("GET", "/workers")
    except NoDaemon:
        return _look(load(paths.config_path))
    return found


def _look(config: Config) -> dict[str, Any]:
    if config["workers"] is None:
        return summary(None)
    address = str(parse(config["workers"]))
    try:
        server = _server(config)
        try:
            return summary(address, Workers(server).look())
        finally:
            server.close()
    except VoxError as exc:
        return summary(address, trouble=exc)


def _server(config: Config) -> Server:
    """Raises BadConfig if the package `redis` is not installed."""
    password_file = config["workers_password_file"]
    return Server(parse(config["workers"]), lambda: password(password_file))


class Inspection(NamedTuple):
    """What `vox doctor` finds out about the server and who is there."""

    address: str
    ping_s: float
    product: str
    """ "Redis 7.0.15"; "" if the server does not tell its user."""
    is_too_old: bool
    evicts: str | None
    """How it makes room when it is full, if it does; None: it refuses, or that is not known."""
    workers: list[Announced]


def inspect(config: Config) -> Inspection:
    """Look at the server of the settings. Raises BadConfig, WorkersAway."""
    password(config["workers_password_file"])
    server = _server(config)
    try:
        server.call("ping")  # which connects
        began = time.monotonic()
        server.call("ping")
        ping_s = time.monotonic() - began
        # As the daemon does, so that what keeps it from using the server is met here too.
        session_id = f"{keys.named(platform.node() or 'vox')}.doctor"
        _, found = Workers(server).look_as(session_id, 1.0)
        return Inspection(str(server.address), ping_s, *_told(server), found)
    finally:
        server.close()


def _told(server: Server) -> tuple[str, bool, str | None]:
    try:
        return told(server.call("info", "server"), server.call("info", "memory"))
    except VoxError:  # its user need not have the right to ask
        return "", False, None


def told(about: Mapping[str, Any], memory: Mapping[str, Any]) -> tuple[str, bool, str | None]:
    """What the sections of INFO say: see the fields of `Inspection`."""
    name, version = "Redis", _word(about.get("redis_version"))
    is_too_old = _numbers(version) < LEAST_VERSION
    if "valkey_version" in about:
        name, version = "Valkey", _word(about["valkey_version"])
    policy, limit = memory.get("maxmemory_policy"), memory.get("maxmemory")
    evicts = _word(policy) if limit and policy not in (None, "noeviction") else None
    return f"{name} {version}", is_too_old, evicts


def _word(told: object) -> str:
    """What the server says of itself, such that it can be shown."""
    return line_of(str(told))[:MAX_WORD]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isascii() and part.isdigit())
