"""The HTTP API: routes that translate between HTTP and the engine, nothing more.

On the control socket always, on TCP when asked for. Handlers never block the loop: whatever
touches the job table or a device runs in a thread, and `/health` touches neither for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response, Security
from fastapi.responses import FileResponse
from fastapi.security import HTTPBearer
from starlette.background import BackgroundTask
from starlette.types import ASGIApp, Receive, Scope, Send

from .. import __version__
from ..errors import VoxError
from ..jobs import Job, State
from . import health, openai, problems, readiness, schemas, security, sse
from .context import Context
from .schemas import Speak, Stop, answers

QUIET_PATHS = ("/health", "/ready", "/metrics", "/ping")
"""Asking for these does not keep an idle daemon alive."""

JobId = Annotated[str, Path(max_length=100, description="Or an unambiguous beginning of it.")]
_NO_JOB = answers(404, 409, 422)
_JOB = {200: {"model": schemas.Job}, **_NO_JOB}
_SSE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
_WAV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}}
}


def make_app(context: Context) -> FastAPI:
    """The ASGI app that serves this daemon."""
    app = FastAPI(
        title="vox",
        version=__version__,
        summary="A durable speech queue with warm voices.",
        docs_url="/docs",
        redoc_url=None,
        # Said here, asked for by the guard: over TCP every request needs the token.
        dependencies=[Security(HTTPBearer(auto_error=False, description="`vox daemon token`"))],
        responses=answers(401, 403, 413, 421, 507),
    )
    own = (_jobs, _streams, _queue, _daemon, _inbox)
    families = (health, openai, readiness)
    routers = [make(context) for make in (*own, *(family.make_router for family in families))]
    for router in routers:
        app.include_router(router)
    problems.install(app, [route for router in routers for route in router.routes])

    app.add_middleware(NoteActivity, context=context)
    app.add_middleware(security.Guard, paths=context.paths, config=context.config)
    return app


class NoteActivity:
    """Requests keep an idle daemon alive, but for those that only look."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in QUIET_PATHS:
            self._context.touch()
        await self._app(scope, receive, send)


async def _answer(build: Callable[[], Any], status: int = 200) -> Response:
    """What `build` returns as JSON, both made in a thread: a long list must not hold the loop."""
    body = await asyncio.to_thread(lambda: _encoded(build()))
    return Response(body, status, media_type="application/json")


def _encoded(value: Any) -> bytes:
    """JSON. Of what is iterated one item at a time: the encoder lets no other thread run."""
    dumps = functools.partial(json.dumps, ensure_ascii=False)
    if isinstance(value, Iterator):
        return f"[{', '.join(map(dumps, value))}]".encode()
    return dumps(value).encode()


def _jobs(context: Context) -> APIRouter:
    router = APIRouter(tags=["jobs"])
    engine = context.engine

    def shown(job: Job) -> dict[str, Any]:
        return job.to_dict(engine.store.position(job))

    @router.post(
        "/speak",
        responses={
            200: {"model": schemas.Job, "description": "It was heard."},
            202: {"model": schemas.Job, "description": "Accepted, with `async`."},
            **answers(409, 422, 500, 503),
        },
    )
    async def speak(body: Speak, request: Request) -> Response:
        """Speak: 200 with the job once it was heard, or 202 with the job at once if `async`."""
        job = await asyncio.to_thread(engine.submit, body.to_request())
        if body.is_async:
            answer = await _answer(lambda: shown(job), 202)
            answer.headers["Location"] = f"/jobs/{job.id}"
            return answer
        return problems.from_job(await wait_for_end(context, job, request))

    @router.get("/jobs", responses={200: {"model": list[schemas.Job]}, **answers(422)})
    async def list_jobs(
        limit: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
        search: str | None = None,
        state: Annotated[list[State] | None, Query()] = None,
        source: str | None = None,
    ) -> Response:
        """Jobs, newest first."""

        def found() -> Iterator[dict[str, Any]]:
            jobs = engine.store.history(limit, search, tuple(state or ()), source)
            return engine.store.shown(jobs)

        return await _answer(found)

    @router.delete("/jobs", response_model=schemas.Cleared, responses=answers(422))
    async def clear(
        older_than_s: Annotated[float | None, Query(ge=0, le=1e12)] = None,
    ) -> dict[str, int]:
        """Forget ended jobs and their audio."""
        return {"cleared": len(await asyncio.to_thread(engine.clear, older_than_s))}

    @router.get("/jobs/{job_id}", responses=_JOB)
    async def show(job_id: JobId) -> Response:
        """One job, by its id or an unambiguous beginning of it."""
        return await _answer(lambda: shown(engine.store.get(job_id)))

    @router.delete("/jobs/{job_id}", responses=_JOB)
    async def cancel(job_id: JobId) -> Response:
        """Cancel a job, whether it waits, is prepared or is being spoken."""
        return await _answer(lambda: engine.cancel(job_id).to_dict())

    @router.post(
        "/jobs/{job_id}/replay",
        status_code=202,
        responses={202: {"model": schemas.Job}, **answers(404, 409, 422, 503)},
    )
    async def replay(job_id: JobId) -> Response:
        """Speak it again: a new job, from the kept audio if there is any."""
        return await _answer(lambda: shown(engine.replay(job_id)), 202)

    return router


def _streams(context: Context) -> APIRouter:
    router = APIRouter(tags=["jobs"])
    engine = context.engine

    @router.get("/jobs/{job_id}/audio", response_class=FileResponse, responses={**_WAV, **_NO_JOB})
    async def audio(job_id: JobId) -> Response:
        """The job's audio as a WAV file, while the spool keeps it."""
        path = await asyncio.to_thread(engine.export_audio, job_id)
        return FileResponse(
            path, media_type="audio/wav", background=BackgroundTask(os.unlink, path)
        )

    @router.get("/jobs/{job_id}/events", response_class=Response, responses={**_SSE, **_NO_JOB})
    async def job_events(job_id: JobId, request: Request, bind: bool = False) -> Response:
        """The job's events as they happen (SSE), until it has ended.

        With `bind`, the job is cancelled when the connection goes before that.
        """
        job = await asyncio.to_thread(engine.store.get, job_id)
        return sse.response(sse.job_events(context, job, sse.last_event_id(request), bind))

    @router.get("/events", response_class=Response, responses=_SSE)
    async def events(request: Request) -> Response:
        """All events (SSE). `Last-Event-ID` goes on where a connection was lost."""
        return sse.response(sse.all_events(context, sse.last_event_id(request)))

    return router


def _queue(context: Context) -> APIRouter:
    router = APIRouter(tags=["queue"])
    engine = context.engine

    @router.get("/queue", responses={200: {"model": list[schemas.Job]}})
    async def queue() -> Response:
        """Live jobs in queue order, what is being spoken first."""
        return await _answer(lambda: engine.store.shown(engine.store.live()))

    @router.post("/cancel", responses={200: {"model": list[schemas.Job]}})
    async def cancel_all() -> Response:
        """Cancel every live job."""
        return await _answer(lambda: (job.to_dict() for job in engine.cancel_all()))

    @router.post("/skip", response_model=schemas.Skipped)
    async def skip() -> Response:
        """Cut off what is being spoken and go on with the next."""

        def skipped() -> dict[str, Any]:
            job = engine.skip()
            return {"skipped": job.to_dict() if job else None}

        return await _answer(skipped)

    @router.post("/pause", response_model=schemas.Paused)
    async def pause() -> dict[str, bool]:
        """Fall silent until `/resume`; jobs are taken in meanwhile."""
        await asyncio.to_thread(engine.pause)
        _tell_paused(context, True)
        return {"paused": True}

    @router.post("/resume", response_model=schemas.Paused)
    async def resume() -> dict[str, bool]:
        await asyncio.to_thread(engine.resume)
        _tell_paused(context, False)
        return {"paused": False}

    return router


def _tell_paused(context: Context, is_paused: bool) -> None:
    context.broadcaster.tell_paused(is_paused)


def _daemon(context: Context) -> APIRouter:
    router = APIRouter(tags=["daemon"])
    engine = context.engine

    @router.get("/ping", status_code=204)
    async def ping() -> None:
        """Whether somebody listens."""

    @router.post("/wake", status_code=204)
    async def wake() -> None:
        """Look at the queue now: another process has written to it."""
        await context.wake()

    @router.post("/stop", status_code=202, response_model=schemas.Stopping, responses=answers(422))
    async def stop(body: Stop | None = None) -> dict[str, bool]:
        """Finish what is being said (or not: `now`), then leave; what waits stays queued."""
        body = body or Stop()
        if body.when == "drained":
            context.stop_when_drained()
        else:
            context.stop(body.now)
        return {"stopping": True}

    @router.get("/voices", responses={200: {"model": list[schemas.Voice]}, **answers(422)})
    async def voices(backend: str | None = None) -> Response:
        return await _answer(lambda: [asdict(v) for v in engine.catalog.voices(backend)])

    @router.get("/backends", responses={200: {"model": list[schemas.Backend]}})
    async def backends() -> Response:
        return await _answer(engine.catalog.describe)

    return router


def _inbox(context: Context) -> APIRouter:
    router = APIRouter(tags=["inbox"])

    @router.get("/inbox")
    async def inbox() -> dict[str, Any]:
        return await asyncio.to_thread(context.inbox.describe)

    @router.post("/inbox/retry")
    async def retry() -> list[str]:
        """Put every failed file back into the inbox."""
        return await asyncio.to_thread(context.inbox.retry)

    return router


async def wait_for_end(context: Context, job: Job, request: Request) -> Job:
    """The job once it has ended; cancels it if the caller goes away before that."""
    ended = asyncio.create_task(context.broadcaster.wait_for_end(job.id))
    gone = asyncio.create_task(_disconnected(request))
    await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not ended.done():
        ended.cancel()
        with contextlib.suppress(VoxError):
            return await asyncio.to_thread(context.engine.cancel, job.id, "its caller went away")
    return await ended


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
