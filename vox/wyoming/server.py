"""The Wyoming server: its connections, how many there may be, and their end.

Nobody shows a token here, so strangers can neither take the files that everything else needs nor
fill the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Iterable
from typing import Any

from ..api.context import Context
from ..errors import QueueFull, VoxError
from .conversation import Conversation
from .frames import LINE_BYTES
from .info import info

log = logging.getLogger(__name__)

MOST = 64
"""Connections at a time. Beyond that the one that is idle for longest goes, if there is one."""
CLOSE_S = 5.0
"""How long a reader may take for what is left when its connection is closed."""
LOG_EVERY_S = 10.0
"""An error that a client was told is logged no more often than that."""


class Server:
    """Only used from the loop's thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._servers: list[asyncio.Server] = []
        self._open: dict[Conversation, asyncio.Task[Any]] = {}
        """In the order in which they came."""
        self._making_info: asyncio.Task[dict[str, Any]] | None = None
        self._log_again_at = 0.0
        self._not_logged = 0

    async def listen(self, sockets: Iterable[socket.socket]) -> None:
        """Serve connections to these too."""
        for listener in sockets:
            self._servers.append(
                await asyncio.start_server(self._serve, sock=listener, limit=LINE_BYTES)
            )

    def stop_listening(self) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()

    async def end(self, within_s: float) -> None:
        """Close all connections; what is being answered may come to its end within that time."""
        self.stop_listening()
        for conversation in [each for each in self._open if each.is_idle]:
            conversation.writer.transport.abort()
        tasks = list(self._open.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = Conversation(self._context, reader, writer, self._info)
        task = asyncio.current_task()
        assert task is not None
        try:
            if self._has_room():
                self._open[conversation] = task
                await conversation.hold()
            else:
                await conversation.refuse(
                    QueueFull(f"{MOST} connections are open already", "try again later")
                )
        except VoxError as exc:
            self._log(writer, exc)
        except ConnectionError:
            pass
        except Exception:
            log.exception("a Wyoming connection")
        finally:
            self._open.pop(conversation, None)
            await _close(writer)

    def _has_room(self) -> bool:
        if len(self._open) < MOST:
            return True
        idle = next((each for each in self._open if each.is_idle), None)
        if idle is None:
            return False
        del self._open[idle]
        idle.writer.transport.abort()
        return True

    async def _info(self) -> dict[str, Any]:
        """Made anew for each client, as voices come and go; those that ask at a time share it."""
        if self._making_info is None:
            making = asyncio.to_thread(info, self._context.engine.catalog)
            self._making_info = asyncio.create_task(making)
            self._making_info.add_done_callback(self._info_is_made)
        return await asyncio.shield(self._making_info)

    def _info_is_made(self, _task: asyncio.Task[dict[str, Any]]) -> None:
        self._making_info = None

    def _log(self, writer: asyncio.StreamWriter, error: VoxError) -> None:
        if time.monotonic() < self._log_again_at:
            self._not_logged += 1
            return
        more = f" ({self._not_logged} more since the last)" if self._not_logged else ""
        self._log_again_at, self._not_logged = time.monotonic() + LOG_EVERY_S, 0
        peer = writer.get_extra_info("peername") or ("?",)
        log.warning("Wyoming client %s: %s%s", peer[0], error.line, more)


async def _close(writer: asyncio.StreamWriter) -> None:
    """A reader that takes nothing does not keep it open."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()
    writer.transport.abort()
