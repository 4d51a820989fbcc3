"""Routes of the daemon itself: `/ping`, `/wake` and `/stop`."""

from __future__ import annotations

from fastapi import APIRouter

from . import schemas
from .context import Context
from .schemas import Stop, answers


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["daemon"])

    @router.get("/ping", status_code=204)
    async def ping() -> None:
        """Answers while a daemon listens."""

    @router.post("/wake", status_code=204)
    async def wake() -> None:
        """Check the queue now: another process has written to it."""
        await context.wake()

    @router.post("/stop", status_code=202, response_model=schemas.Stopping, responses=answers(422))
    async def stop(body: Stop | None = None) -> dict[str, bool]:
        """Finish the current job (not with `now`), then leave. Waiting jobs stay queued."""
        body = body or Stop()
        if body.when == "drained":
            context.stop_when_drained()
        else:
            context.stop(body.now)
        return {"stopping": True}

    return router
