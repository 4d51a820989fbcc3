"""uvicorn without its clock: it sleeps until it is to end.

uvicorn wakes ten times a second to see whether it is to end, and to renew the `Date` header. An
idle daemon would spend most of its processor time on that.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import uvicorn
from uvicorn.server import ServerState


class _State(ServerState):
    """As uvicorn's, with a `Date` header that is renewed when an answer needs it."""

    def __init__(self) -> None:
        self._second = -1
        self._headers: list[tuple[bytes, bytes]] = []
        super().__init__()

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        now = int(time.time())
        if now != self._second:
            self._headers = [(b"date", formatdate(now, usegmt=True).encode())]
            self._second = now
        return self._headers

    @default_headers.setter
    def default_headers(self, _: list[tuple[bytes, bytes]]) -> None:
        """uvicorn's own have no place here."""


class Server(uvicorn.Server):
    """Serves until `end`. The daemon owns the signals."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.server_state = _State()
        self._ending = asyncio.Event()
        self.is_listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening.set()

    async def replace_first(self, listener: socket.socket) -> None:
        """Listen there instead of at the first of the sockets. Its connections stay."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._make_protocol, sock=listener)
        self.servers[0].close()
        self.servers[0] = server

    async def listen_also(self, listener: socket.socket) -> asyncio.Server:
        """Listen there too, until what is returned is closed and taken out of `servers`."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._make_protocol, sock=listener)
        self.servers.append(server)
        return server

    def _make_protocol(self) -> asyncio.Protocol:
        """As uvicorn makes them in `startup`."""
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        return make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def main_loop(self) -> None:
        await self._ending.wait()

    def end(self) -> None:
        """From the loop's thread."""
        self.should_exit = True
        self._ending.set()
