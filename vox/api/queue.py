"""Routes of the queue as a whole: show it, cancel it, skip."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from . import remote_hosts, schemas
from .context import Context
from .responses import json_array, json_response
from .schemas import OfSource, answers
from .security import remote_host
from .writing import in_writer

_MOVED: dict[int | str, dict[str, Any]] = {200: {"model": schemas.Job}, **answers(409, 422)}


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["queue"])
    engine = context.engine

    @router.get("/queue", responses={200: {"model": list[schemas.Job]}})
    async def queue() -> Response:
        """Live jobs in the order in which they are heard; the one being spoken comes first."""
        return await json_array(engine.store.shown_queue)

    @router.post("/cancel", responses={200: {"model": list[schemas.Job]}, **answers(422)})
    async def cancel_all(request: Request, body: OfSource | None = None) -> Response:
        """Cancel every live job, or those of one source."""
        host = remote_host(request.scope.get("server"))
        source = body.source if body else None
        if host is not None:
            mine = await in_writer(remote_hosts.cancel_all, engine, host, source)
            return await json_array(lambda: (job.to_dict() for job in mine))
        cancelled = await in_writer(engine.cancel_all, source)
        return await json_array(lambda: (job.to_dict() for job in cancelled))

    @router.post("/skip", response_model=schemas.Skipped)
    async def skip() -> Response:
        """Cancel the job that is being spoken, or is the next to be, and go on after it."""

        def skipped() -> dict[str, Any]:
            job = engine.skip()
            return {"skipped": job.to_dict() if job else None}

        return await json_response(skipped, writes=True)

    @router.post("/back", responses=_MOVED)
    async def back(steps: schemas.Steps | None = None) -> Response:
        """Go back in what is being spoken: to the beginning of its sentence or, within the first
        1.5 s of that, of the sentence before. `heard` of the answer is where it goes on."""
        return await _moved(-(steps or schemas.Steps()).n)

    @router.post("/next", responses=_MOVED)
    async def forward(steps: schemas.Steps | None = None) -> Response:
        """Go to the next sentence of what is being spoken; after the last, the job is done."""
        return await _moved((steps or schemas.Steps()).n)

    async def _moved(steps: int) -> Response:
        return await json_response(lambda: engine.store.show(engine.move(steps)), writes=True)

    return router
