"""HEAD wherever GET is: the same answer without its body.

Knows nothing of routes: the request goes on as a GET, and what it answers is not sent.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AnswerHead:
    """ASGI middleware. A stream of events, which never ends, is cancelled once it has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        is_endless = asyncio.Event()

        async def send_head(message: Message) -> None:
            if message["type"] != "http.response.start":
                return
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            if Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-"):
                is_endless.set()

        answering = asyncio.ensure_future(self._app({**scope, "method": "GET"}, receive, send_head))
        waiting = asyncio.create_task(is_endless.wait())
        try:
            await asyncio.wait([answering, waiting], return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            if not answering.done():
                answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering
