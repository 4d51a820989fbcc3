"""Where the daemon's Wyoming server listens, and whether the network is told."""

from __future__ import annotations

import asyncio
from typing import Any

from ..api.context import Context
from ..wyoming.discovery import Announcement
from ..wyoming.server import Server
from .activation import Inherited
from .tcp import WYOMING, Tcp, open_tcp


class WyomingPort:
    """The setting `wyoming` and what comes of it. Only used from the loop's thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._server = Server(context)
        self._announcement = Announcement()
        self.tcp = Tcp()

    def describe(self) -> dict[str, Any]:
        announcement = self._announcement
        about = {"announced_as": announcement.name, "not_announced": announcement.error}
        return {**self.tcp.describe(), **about}

    async def open(self, inherited: Inherited | None = None) -> None:
        """Listen there, or note why that is not possible: see `open_tcp`."""
        context = self._context
        found = await asyncio.to_thread(
            open_tcp, WYOMING, context.paths, context.config(), self.tcp, inherited
        )
        await self._server.listen(found.sockets)
        self.tcp = found
        if found.sockets and context.config()["wyoming_zeroconf"]:
            self._announcement.begin(found.sockets)

    def stop_listening(self) -> None:
        self._server.stop_listening()

    async def end(self, within_s: float) -> None:
        """End the connections: what is being answered may come to its end within that time."""
        await self._announcement.end()
        await self._server.end(within_s)
