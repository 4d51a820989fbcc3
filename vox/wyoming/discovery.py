"""Announces the server in the local network (mDNS, DNS-SD), where Home Assistant finds it.

Needs the package `zeroconf`, which joins multicast groups and hears every such packet of the
network: so it is imported only where that is wanted.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import socket
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..addresses import is_loopback
from ..errors import BadConfig, VoxError
from ..extras import install_hint

log = logging.getLogger(__name__)

SERVICE_TYPE = "_wyoming._tcp.local."
AGAIN_S = 60.0
"""How long after a failure it tries again: there may be a network by then."""
GOODBYE_S = 2.0
_ELSEWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}
"""Addresses for documentation (RFC 5737, RFC 3849). To name one sends nothing."""


def check_package() -> None:
    """Raises BadConfig if the package is not installed."""
    if importlib.util.find_spec("zeroconf") is None:
        raise BadConfig(
            "wyoming_zeroconf needs the package zeroconf", install_hint("wyoming", "zeroconf")
        )


class Announcement:
    """That the server listens at these sockets. Only used from the loop's thread."""

    def __init__(self, interfaces: Sequence[str] | None = None) -> None:
        """`interfaces`: addresses of those to announce it on; None: all."""
        self._interfaces = interfaces
        self._task: asyncio.Task[None] | None = None
        self.name: str | None = None
        """What it is announced as; None: it is not."""
        self.error: str | None = None

    def begin(self, listeners: Sequence[socket.socket]) -> None:
        """Announce it until `end`, in a task: whether the name is free takes 2 s to find out."""
        names = [(each.family, *each.getsockname()[:2]) for each in listeners]
        self._task = asyncio.create_task(self._keep(names))

    async def end(self) -> None:
        """Take it back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task], timeout=GOODBYE_S)

    async def _keep(self, listeners: Sequence[tuple[int, str, int]]) -> None:
        while True:
            try:
                check_package()
                await self._announce(reached_at(listeners), listeners[0][2])
            except (VoxError, OSError) as exc:
                error = exc.line if isinstance(exc, VoxError) else str(exc)
                if error != self.error:
                    log.error("wyoming is not announced: %s", error)
                self.error = error
            await asyncio.sleep(AGAIN_S)

    async def _announce(self, addresses: list[str], port: int) -> None:
        """Until it is cancelled. Raises OSError, BadConfig."""
        await asyncio.to_thread(importlib.import_module, "zeroconf.asyncio")  # takes 0.1 s
        from zeroconf import Error
        from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

        service = AsyncServiceInfo(
            SERVICE_TYPE,
            f"vox on {socket.gethostname().partition('.')[0][:50]}.{SERVICE_TYPE}",
            parsed_addresses=addresses,
            port=port,
            properties={"version": __version__},
        )
        options: dict[str, Any] = {"interfaces": self._interfaces} if self._interfaces else {}
        zeroconf = AsyncZeroconf(**options)
        try:
            await (await zeroconf.async_register_service(service, allow_name_change=True))
            self.name, self.error = service.name.removesuffix(f".{SERVICE_TYPE}"), None
            log.info("announced as %s at %s", self.name, ", ".join(addresses))
            await asyncio.Event().wait()
        except Error as exc:
            raise BadConfig(f"zeroconf: {exc or type(exc).__name__}") from exc
        finally:
            if self.name is not None:
                self.name = None
                await (await zeroconf.async_unregister_service(service))
            await zeroconf.async_close()


def reached_at(listeners: Sequence[tuple[int, str, int]]) -> list[str]:
    """The addresses at which other machines reach who listens at these (family, host, port).

    Of all interfaces the one that leads out: those of containers lead nowhere. Raises BadConfig
    if there are none.
    """
    found = [
        address
        for family, host, _ in listeners
        if (address := _outward(family) if host in ("0.0.0.0", "::") else host)
        and not is_loopback(address)
    ]
    if not found:
        raise BadConfig(
            "no other machine reaches the address of wyoming",
            "to listen to the network: vox config set wyoming 0.0.0.0:10200",
        )
    return found


def _outward(family: int) -> str | None:
    """This machine's own address on the way to the others; None: there is no network."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE[socket.AddressFamily(family)])
        except OSError:
            return None
        return str(probe.getsockname()[0])
