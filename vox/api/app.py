"""The HTTP API: one ASGI app, its routes in a module for each family.

Served on the control socket always, and on TCP if the setting `http` says so. Routes translate
between HTTP and the context, nothing more. They never block the loop: whatever touches the job
table or a device runs in a thread.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..sound_variables import HEADER, from_header
from . import (
    daemon,
    events,
    head,
    health,
    inbox,
    jobs,
    metrics,
    models,
    open_texts,
    openai,
    pausing,
    problems,
    queue,
    readiness,
    remote_hosts,
    security,
    stats,
    voices,
    workers,
)  # fmt: skip
from .context import Context
from .schemas import answers

FAMILIES = (
    open_texts,
    jobs,
    events,
    queue,
    pausing,
    daemon,
    models,
    health,
    readiness,
    metrics,
    voices,
    inbox,
    stats,
    workers,
    openai,
)
QUIET_PATHS = ("/health", "/status", "/ready", "/metrics", "/ping", "/workers")
"""Asking for these does not keep an idle daemon alive."""
_SOUND_HEADER = HEADER.lower().encode()


def make_app(context: Context, others: Mapping[str, ASGIApp] | None = None) -> FastAPI:
    """The ASGI app that serves this context. `others`: further apps, by their paths.

    They are guarded as all else is, and are no part of the schema.
    """
    app = FastAPI(
        title="vox",
        version=__version__,
        summary="A durable speech queue with warm voices.",
        docs_url="/docs",
        redoc_url=None,
        # Declared for the documents only; the guard is what asks for it.
        dependencies=[Security(HTTPBearer(auto_error=False, description="`vox daemon token`"))],
        responses=answers(401, 403, 413, 421, 507),
    )
    routers = [family.make_router(context) for family in FAMILIES]
    for router in routers:
        app.include_router(router)
    for path, other in (others or {}).items():
        app.router.routes.append(Route(path, other, include_in_schema=False))
    problems.install(app, [route for router in routers for route in router.routes])

    app.add_middleware(NoteActivity, context=context)
    app.add_middleware(NoteSoundVariables, context=context)
    app.add_middleware(head.AnswerHead)
    app.add_middleware(remote_hosts.Gate, context=context)
    app.add_middleware(security.Guard, paths=context.paths, config=context.config)
    return app


class NoteSoundVariables:
    """ASGI middleware: a caller's variables may lead the player to the sound server.

    Only those that come over the control socket, from the same user.
    """

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context
        self._last = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and security.is_control(scope.get("server")):
            given = next((value for name, value in scope["headers"] if name == _SOUND_HEADER), b"")
            # Most calls come from the same desktop.
            if given and given != self._last:
                self._last = given
                self._context.engine.player.offer_environment(from_header(given.decode("latin-1")))
        await self._app(scope, receive, send)


class NoteActivity:
    """ASGI middleware: every request keeps an idle daemon alive, except those that only look."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"] not in QUIET_PATHS:
            self._context.touch()
        await self._app(scope, receive, send)
