"""What a server may ask for whose requests ssh leads here (`vox remote`).

They come over a Unix socket of the server's own (`Paths.remote_socket_path`), without a token: who
is the user there, or root, can ask whatever that socket answers. So it answers little: a server may
speak, and follow and cancel what it sent itself. It reads no history, no setting and no state, and
names no file. Whose a job is, the socket says, not the server.
"""

from __future__ import annotations

import asyncio
import os
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import BadOption, UnknownJob, VoxError
from ..jobs import ID_ALPHABET, ID_LENGTH, OPTIONS, Job, Request
from .context import Context, Engine
from .problems import from_error, problem
from .security import remote_host

_ALWAYS = {("GET", "/ping"), ("POST", "/speak"), ("POST", "/cancel")}
_OF_JOB = re.compile(rf"/jobs/(?P<id>[{ID_ALPHABET}]{{{ID_LENGTH}}})(?P<more>/events|/text)?")
_METHODS = {None: ("GET", "DELETE"), "/events": ("GET",), "/text": ("POST",)}


class Gate:
    """ASGI middleware: refuses what a server may not ask for."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = remote_host(scope.get("server"))
        if host is None:
            await self._app(scope, receive, send)
            return
        method, path = scope.get("method", ""), scope["path"]
        job = _OF_JOB.fullmatch(path)
        if (method, path) in _ALWAYS:
            await self._app(scope, receive, send)
        elif job is None or method not in _METHODS[job["more"]]:
            detail = f"a server ({host}) may not ask for {method} {path}"
            hint = "it may speak, and see to what it sent; the rest: on the machine that speaks"
            await problem(403, detail, "forbidden", path=path, hint=hint)(scope, receive, send)
        elif not await asyncio.to_thread(self._is_of, host, job["id"]):
            # Also of a job that another one sent: whether there is one is nobody's business.
            error = UnknownJob(f"there is no job {job['id']!r} of {host}", "see there: vox history")
            await from_error(error, path)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_of(self, host: str, job_id: str) -> bool:
        try:
            return is_of(host, self._context.engine.store.get(job_id))
        except VoxError:
            return False


def is_of(host: str, job: Job) -> bool:
    """Whether the server sent that job. What it sent and the user replays is the user's."""
    return job.via == "remote" and job.source.partition(":")[0] == host


def limited(request: Request, host: str | None) -> Request:
    """The request as a server may make it; `host` None: it is no server's, and stays as it is.

    Raises BadOption for what no server may ask for.
    """
    if host is None:
        return request
    if request.output is not None or request.umask is not None:
        raise BadOption("no file is written for a server", "write it there: vox -o FILE", "output")
    if request.unkept:
        # With `interrupt` it would be heard although speech is paused, and leave no trace of it.
        raise BadOption("what a server sends is kept in the history", field="unkept")
    if (request.keep_alive or 0.0) < 0:
        raise BadOption("a server may not keep a model loaded for ever", field="keep_alive")
    if request.model and os.sep in request.model:
        raise BadOption(
            "a server may choose a model by its name, not by a path or repository", field="model"
        )
    request.source = _named(host, request.source) if request.source else host
    request.replace = request.replace and f"{host}:{request.replace}"
    request.source_name, request.via = None, "remote"
    return request


def _named(host: str, source: str) -> str:
    """The server's source as jobs have it."""
    return f"{host}:{source}"[: OPTIONS["source"].max_length]


def cancel_all(engine: Engine, host: str, source: str | None) -> list[Job]:
    """Cancel what the server sent, or what one source there did; these jobs, in queue order."""
    named = source and _named(host, source)
    cancelled = []
    for job in engine.store.live():
        if is_of(host, job) and named in (None, job.source):
            try:
                cancelled.append(engine.cancel(job.id))
            except VoxError:  # it has ended meanwhile
                continue
    return cancelled
