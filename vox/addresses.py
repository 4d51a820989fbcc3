"""Addresses of what the daemon serves on TCP: where a name leads to, and who can reach that."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

from .errors import BadConfig

WYOMING_RISK = (
    "Wyoming knows no token and no encryption: anyone who reaches this port can have texts "
    "synthesized here, which fills the queue and the history"
)
"""What it means that other machines reach the Wyoming server."""

Target = tuple[int, Any]
"""An address family and a socket address of it."""


def is_loopback(name: str) -> bool:
    """`localhost`, or an address in 127.0.0.0/8 or ::1 (in brackets or not)."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def resolve(setting: str, address: str, may_be_remote: bool) -> list[Target]:
    """Where to listen for the "HOST:PORT" of that setting, without duplicates.

    Raises BadConfig if the host has no address, or one that other machines reach and must not.
    """
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as exc:
        raise BadConfig(f"{setting}: {host} has no address: {exc.strerror}") from exc
    targets: list[Target] = list(
        dict.fromkeys((family, target) for family, _, _, _, target in found)
    )
    if not may_be_remote and not are_local(targets):
        raise BadConfig(
            f"{setting}: {host} is reachable from other machines",
            f"to allow it: vox config set {setting}_allow_remote true",
        )
    return targets


def are_local(targets: Sequence[Target]) -> bool:
    """Whether only this machine can reach what `resolve` found."""
    return all(is_loopback(str(target[0])) for _, target in targets)
