"""Where the daemon's Wyoming server listens."""

from __future__ import annotations

import asyncio

from ..api.context import Context
from ..wyoming.server import Server
from .activation import Inherited
from .tcp import WYOMING, Tcp, open_tcp


class WyomingPort:
    """The setting `wyoming` and what comes of it. Only used from the loop's thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._server = Server(context)
        self.tcp = Tcp()

    async def open(self, inherited: Inherited | None = None) -> None:
        """Listen there, or note why that is not possible: see `open_tcp`."""
        context = self._context
        found = await asyncio.to_thread(
            open_tcp, WYOMING, context.paths, context.config(), self.tcp, inherited
        )
        await self._server.listen(found.sockets)
        self.tcp = found

    def stop_listening(self) -> None:
        self._server.stop_listening()

    async def end(self, within_s: float) -> None:
        """End the connections: what is being answered may come to its end within that time."""
        await self._server.end(within_s)
