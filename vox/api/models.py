"""Routes of models: load one ahead of its use, and unload them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ..errors import DaemonLeaving, JobFailed, VoxError
from . import problems, schemas, sse
from .context import Context, Warming
from .event_streams import RECHECK_S
from .responses import disconnected
from .schemas import Unload, Warm, answers

log = logging.getLogger(__name__)


class Step(NamedTuple):
    """What becomes of the loading of a model: `progress`, `loaded` or `error`."""

    name: str
    data: dict[str, Any]
    error: VoxError | None = None


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["daemon"])
    events: dict[str, Any] = {"text/event-stream": {}}
    loaded = {"model": schemas.LoadedModel, "content": events}

    @router.post("/warm", responses={200: loaded, **answers(422, 500, 503)})
    async def warm(body: Warm, request: Request) -> Response:
        """Load a model now, in its turn among the jobs; answers once it is loaded.

        If the caller disconnects before that, it is not loaded.
        """
        if context.is_leaving:
            raise DaemonLeaving("the daemon is stopping")
        context.expect_model()
        wanted = (body.backend, body.model or None, body.voice or None, body.keep_alive)
        warming = await asyncio.to_thread(context.engine.models.warming, *wanted)
        if body.stream:
            return sse.response(_frames(warming))
        return await _answer(warming, request)

    @router.post("/unload", responses={200: {"model": schemas.Unloaded}, **answers(422)})
    async def unload(body: Unload | None = None) -> Response:
        """Unload the models of a backend, or all. One that is in use is unloaded afterwards."""
        backend = body.backend if body else None
        unloaded, busy = await asyncio.to_thread(context.engine.models.unload, backend)
        return JSONResponse({"unloaded": unloaded, "busy": busy})

    return router


async def steps(warming: Warming) -> AsyncGenerator[Step | None, None]:
    """What becomes of it; None now and then. It is cancelled if the generator is closed early."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Step] = asyncio.Queue()

    def tell(step: Step) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(queue.put_nowait, step)

    # It may take minutes: the threads of the loop are for what is quick.
    threading.Thread(target=_run, args=(warming, tell), name="warming", daemon=True).start()
    has_ended = False
    try:
        while not has_ended:
            try:
                step = await asyncio.wait_for(queue.get(), RECHECK_S)
            except TimeoutError:
                yield None
                continue
            has_ended = step.name != "progress"
            yield step
    finally:
        if not has_ended:
            # In a thread of its own: this coroutine is being cancelled.
            loop.run_in_executor(None, warming.cancel)


def _run(warming: Warming, tell: Callable[[Step], None]) -> None:
    try:
        loaded = warming.run(
            lambda text, fraction: tell(Step("progress", {"step": text, "loading": fraction}))
        )
        last = Step("loaded", loaded)
    except VoxError as exc:
        last = Step("error", exc.to_dict(), exc)
    except Exception as exc:
        log.exception("loading a model")
        error = JobFailed(f"{type(exc).__name__}: {exc}", "see: vox daemon logs")
        last = Step("error", error.to_dict(), error)
    tell(last)


async def _frames(warming: Warming) -> AsyncIterator[bytes]:
    async with contextlib.aclosing(steps(warming)) as found:
        async for step in found:
            yield sse.HEARTBEAT if step is None else sse.frame(step.name, step.data)


async def _answer(warming: Warming, request: Request) -> Response:
    last = asyncio.create_task(_last(warming))
    gone = asyncio.create_task(disconnected(request.receive))
    await asyncio.wait([last, gone], return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not last.done():
        last.cancel()
        return Response(status_code=499)  # Nobody reads it.
    step = last.result()
    if step.error is not None:
        return problems.from_error(step.error, request.url.path)
    return JSONResponse(step.data)


async def _last(warming: Warming) -> Step:
    async with contextlib.aclosing(steps(warming)) as found:
        async for step in found:
            if step is not None and step.name != "progress":
                return step
    raise JobFailed("loading ended without a result")
