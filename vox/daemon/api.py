"""The HTTP API: routes that translate between HTTP and the engine, nothing more.

On the control socket always, on TCP when asked for. Handlers never block the loop: whatever
touches the job table or a device runs in a thread, and `/health` touches neither for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.background import BackgroundTask
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..errors import VoxError
from ..jobs import Job, State
from . import openai, problems, readiness, security, sse
from .schemas import Speak, Stop

if TYPE_CHECKING:
    from .daemon import Daemon

QUIET_PATHS = ("/health", "/ready", "/metrics", "/ping")
"""Asking for these does not keep an idle daemon alive."""


def make_app(daemon: Daemon) -> FastAPI:
    """The ASGI app that serves this daemon."""
    app = FastAPI(
        title="vox",
        version=__version__,
        summary="A durable speech queue with warm voices.",
        docs_url="/docs",
        redoc_url=None,
    )
    problems.install(app)
    app.state.daemon = daemon
    for make_routes in (_jobs, _queue, _daemon, openai.make_router, readiness.make_router):
        app.include_router(make_routes(daemon))

    app.add_middleware(NoteActivity, daemon=daemon)
    security.install(app, daemon.paths, daemon.config)
    return app


class NoteActivity:
    """Requests keep an idle daemon alive, but for those that only look."""

    def __init__(self, app: ASGIApp, daemon: Daemon) -> None:
        self._app = app
        self._daemon = daemon

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in QUIET_PATHS:
            self._daemon.touch()
        await self._app(scope, receive, send)


async def _shown(daemon: Daemon, job: Job) -> dict[str, Any]:
    return job.to_dict(await asyncio.to_thread(daemon.engine.store.position, job))


def _jobs(daemon: Daemon) -> APIRouter:
    router = APIRouter(tags=["jobs"])
    engine = daemon.engine

    @router.post("/speak", responses={202: {"description": "accepted, with `async`"}})
    async def speak(body: Speak, request: Request) -> Response:
        """Speak: 200 with the job once it was heard, or 202 with the job at once if `async`."""
        job = await asyncio.to_thread(engine.submit, body.to_request())
        if body.is_async:
            return JSONResponse(await _shown(daemon, job), 202, {"Location": f"/jobs/{job.id}"})
        return problems.from_job(await wait_for_end(daemon, job, request))

    @router.get("/jobs")
    async def list_jobs(
        limit: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
        search: str | None = None,
        state: Annotated[list[State] | None, Query()] = None,
        source: str | None = None,
    ) -> list[dict[str, Any]]:
        """Jobs, newest first."""
        found = await asyncio.to_thread(
            engine.store.history, limit, search, tuple(state or ()), source
        )
        return [job.to_dict() for job in found]

    @router.delete("/jobs")
    async def clear(older_than_s: Annotated[float | None, Query(ge=0)] = None) -> dict[str, int]:
        """Forget ended jobs and their audio."""
        gone = await asyncio.to_thread(engine.clear, older_than_s)
        return {"cleared": len(gone)}

    @router.get("/jobs/{job_id}")
    async def show(job_id: str) -> dict[str, Any]:
        """One job, by its id or an unambiguous beginning of it."""
        return await _shown(daemon, await asyncio.to_thread(engine.store.get, job_id))

    @router.delete("/jobs/{job_id}")
    async def cancel(job_id: str) -> dict[str, Any]:
        """Cancel a job, whether it waits, is prepared or is being spoken."""
        return (await asyncio.to_thread(engine.cancel, job_id)).to_dict()

    @router.post("/jobs/{job_id}/replay", status_code=202)
    async def replay(job_id: str) -> dict[str, Any]:
        """Speak it again: a new job, from the kept audio if there is any."""
        return await _shown(daemon, await asyncio.to_thread(engine.replay, job_id))

    @router.get("/jobs/{job_id}/audio", response_class=FileResponse)
    async def audio(job_id: str) -> Response:
        """The job's audio as a WAV file, while the spool keeps it."""
        path = await asyncio.to_thread(engine.export_audio, job_id)
        return FileResponse(
            path, media_type="audio/wav", background=BackgroundTask(os.unlink, path)
        )

    @router.get("/jobs/{job_id}/events")
    async def job_events(job_id: str, request: Request, bind: bool = False) -> Response:
        """The job's events as they happen (SSE), until it has ended.

        With `bind`, the job is cancelled when the connection goes before that.
        """
        job = await asyncio.to_thread(engine.store.get, job_id)
        return sse.response(sse.job_events(daemon, job, sse.last_event_id(request), bind))

    @router.get("/events")
    async def events(request: Request) -> Response:
        """All events (SSE)."""
        return sse.response(sse.all_events(daemon, sse.last_event_id(request)))

    return router


def _queue(daemon: Daemon) -> APIRouter:
    router = APIRouter(tags=["queue"])
    engine = daemon.engine

    @router.get("/queue")
    async def queue() -> list[dict[str, Any]]:
        """Live jobs in queue order, what is being spoken first."""
        position = 0
        shown = []
        for job in await asyncio.to_thread(engine.store.live):
            position += job.state == "queued"
            shown.append(job.to_dict(position if job.state == "queued" else 0))
        return shown

    @router.post("/cancel")
    async def cancel_all() -> list[dict[str, Any]]:
        """Cancel every live job."""
        return [job.to_dict() for job in await asyncio.to_thread(engine.cancel_all)]

    @router.post("/skip")
    async def skip() -> dict[str, Any]:
        """Cut off what is being spoken and go on with the next."""
        job = await asyncio.to_thread(engine.skip)
        return {"skipped": job.to_dict() if job else None}

    @router.post("/pause")
    async def pause() -> dict[str, bool]:
        """Fall silent until `/resume`; jobs are taken in meanwhile."""
        await asyncio.to_thread(engine.pause)
        return {"paused": True}

    @router.post("/resume")
    async def resume() -> dict[str, bool]:
        await asyncio.to_thread(engine.resume)
        return {"paused": False}

    return router


def _daemon(daemon: Daemon) -> APIRouter:
    router = APIRouter(tags=["daemon"])
    engine = daemon.engine

    @router.get("/ping", status_code=204)
    async def ping() -> None:
        """Whether somebody listens."""

    @router.post("/wake", status_code=204)
    async def wake() -> None:
        """Look at the queue now: another process has written to it."""
        await asyncio.to_thread(engine.look_again)

    @router.get("/health")
    async def health() -> dict[str, Any]:
        """Uptime, loaded models, memory, queue, audio and inbox, live."""
        return daemon.describe()

    @router.post("/stop", status_code=202)
    async def stop(body: Stop | None = None) -> dict[str, bool]:
        """Finish what is being said (or not: `now`), then leave; what waits stays queued."""
        if body is not None and body.when == "drained":
            daemon.leaves_when_drained = True
        else:
            daemon.stop(now=body is not None and body.now)
        return {"stopping": True}

    @router.get("/voices")
    async def voices(backend: str | None = None) -> list[dict[str, Any]]:
        found = await asyncio.to_thread(engine.catalog.voices, backend)
        return [asdict(voice) for voice in found]

    @router.get("/backends")
    async def backends() -> list[dict[str, Any]]:
        return await asyncio.to_thread(engine.catalog.describe)

    @router.get("/inbox")
    async def inbox() -> dict[str, Any]:
        return await asyncio.to_thread(daemon.inbox.describe)

    @router.post("/inbox/scan", status_code=202)
    async def scan() -> None:
        daemon.inbox.scan_soon()

    @router.post("/inbox/retry")
    async def retry() -> list[str]:
        """Put every failed file back into the inbox."""
        return await asyncio.to_thread(daemon.inbox.retry)

    return router


async def wait_for_end(daemon: Daemon, job: Job, request: Request) -> Job:
    """The job once it has ended; cancels it if the caller goes away before that."""
    ended = asyncio.create_task(_ended(daemon, job))
    gone = asyncio.create_task(_disconnected(request))
    await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not ended.done():
        ended.cancel()
        with contextlib.suppress(VoxError):
            return await asyncio.to_thread(daemon.engine.cancel, job.id, "its caller went away")
    return await ended


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _ended(daemon: Daemon, job: Job) -> Job:
    assert daemon.hub is not None
    store = daemon.engine.store
    with daemon.hub.stream(job.id) as queue:
        while (now := await asyncio.to_thread(store.get, job.id)).is_live:
            if await queue.get() is None:
                break
    return now
