"""What a service manager needs to know to start the daemon: command, environment, sockets, folders.

Knows no manager.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ..addresses import resolve
from ..config import Config
from ..inbox.folders import RESERVED, inbox_dir
from ..paths import Paths

_VARIABLES = ("VOX_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
"""They decide where vox keeps its files; a service manager may not have them."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The daemon of these paths and settings, as a service."""

    command: list[str]
    environment: dict[str, str]
    socket_paths: list[str]
    """The control socket, and those at which servers are heard (`vox remote`)."""
    addresses: list[str]
    """"HOST:PORT" of each TCP address that the daemon listens at."""
    inbox_folders: list[str]
    """The inbox and its subfolders that somebody made; empty: the inbox is off."""


def make_spec(paths: Paths, config: Config, environ: Mapping[str, str] = os.environ) -> Spec:
    """Raises BadConfig if `http` or `wyoming` is no address that may be listened at."""
    return Spec(
        [sys.executable, "-m", "vox.daemon"],
        home_variables(environ),
        [paths.socket_path, *map(paths.remote_socket_path, config["remote_hosts"])],
        [*_addresses(config, "http"), *_addresses(config, "wyoming")],
        _folders(inbox_dir(paths, config)) if config["inbox.enabled"] else [],
    )


def home_variables(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables by which another process finds vox's files where this one does."""
    if home := environ.get("VOX_HOME"):
        return {"VOX_HOME": os.path.abspath(os.path.expanduser(home))}
    return {name: environ[name] for name in _VARIABLES if environ.get(name)}


def _addresses(config: Config, setting: str) -> list[str]:
    if config[setting] is None:
        return []
    found = []
    for family, target in resolve(setting, config[setting], config[f"{setting}_allow_remote"]):
        host, port, *_ = target
        if _is_ours(family, host):
            found.append(f"[{host}]:{port}" if family == socket.AF_INET6 else f"{host}:{port}")
    return found


def _is_ours(family: int, host: str) -> bool:
    """Whether this machine has the address: `localhost` may be two, of which one is missing."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _folders(inbox: str) -> list[str]:
    found = [inbox]
    try:
        with os.scandir(inbox) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return found
    return found + [
        os.path.join(inbox, name)
        for name in names
        if name not in RESERVED and not name.startswith(".")
    ]
