"""Addresses of the HTTP API on TCP: where a name leads to, and whether that is this machine."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from typing import Any

from .errors import BadConfig

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


def resolve(address: str) -> list[Target]:
    """Where to listen for "HOST:PORT", without duplicates.

    Raises BadConfig if the host has no address.
    """
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as exc:
        raise BadConfig(f"http: {host} has no address: {exc.strerror}") from exc
    return list(dict.fromkeys((family, target) for family, _, _, _, target in found))


def are_local(targets: Sequence[Target]) -> bool:
    """Whether only this machine can reach what `resolve` found."""
    return all(is_loopback(str(target[0])) for _, target in targets)
