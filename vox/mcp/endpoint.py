"""`/mcp` of the daemon: MCP over streamable HTTP, as an ASGI app.

The package is imported, in a thread, at the first request: a daemon that nobody asks pays nothing.
Whatever the transport, jobs are asked of `client`; here that is this daemon's own control socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..api.problems import from_error, problem
from ..errors import DaemonLeaving, NotAvailable
from ..paths import Paths
from .package import check_package

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
    from starlette.types import Receive, Scope, Send

PATH = "/mcp"
_WATCHER = "_shutdown_watcher"
"""A coroutine of sse_starlette: it polls twice a second for ever once there was a stream."""


class Endpoint:
    """Only used from the loop's thread. `is_leaving`: see `server.make_server`."""

    def __init__(self, paths: Paths, is_leaving: Callable[[], bool]) -> None:
        self._paths = paths
        self._is_leaving = is_leaving
        self._starting = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._running: asyncio.Task[None] | None = None
        self._end = asyncio.Event()
        self._served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            manager = await self._ready()
        except NotAvailable as exc:
            refusal = problem(501, exc.message, exc.code, path=scope["path"], hint=exc.hint)
            await refusal(scope, receive, send)
            return
        except DaemonLeaving as exc:
            await from_error(exc, scope["path"])(scope, receive, send)
            return
        self._served += 1
        try:
            await manager.asgi_app(scope, receive, send)
        finally:
            self._served -= 1
            if not self._served:
                _end_watcher()

    async def _ready(self) -> StreamableHTTPSessionManager:
        """Raises NotAvailable, DaemonLeaving."""
        async with self._starting:
            if self._end.is_set():
                raise DaemonLeaving("the daemon is exiting", "try again in a moment")
            if self._manager is None:
                manager = await asyncio.to_thread(self._make)
                is_up = asyncio.Event()
                self._running = asyncio.create_task(self._run(manager, is_up), name="mcp")
                await is_up.wait()
                self._manager = manager
            return self._manager

    def _make(self) -> StreamableHTTPSessionManager:
        check_package()
        from .manager import make_manager

        return make_manager(self._paths, self._is_leaving)

    async def _run(self, manager: StreamableHTTPSessionManager, is_up: asyncio.Event) -> None:
        """One task enters and leaves it, for it holds a task group."""
        async with manager.run():
            is_up.set()
            await self._end.wait()

    async def close(self, within_s: float) -> None:
        """End all sessions. What waits for a job has been told of the end by now."""
        self._end.set()
        if self._running is not None:
            await asyncio.wait([self._running], timeout=within_s)


def _end_watcher() -> None:
    for task in asyncio.all_tasks():
        if getattr(task.get_coro(), "__name__", "") == _WATCHER:
            task.cancel()
