"""What the history adds up to."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from .context import Context
from .schemas import Stats


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["jobs"])

    @router.get("/stats", responses={200: {"model": Stats}})
    async def stats() -> JSONResponse:
        """Jobs, seconds heard, and seconds saved: of 7 days, 30 days and all that is kept."""
        return JSONResponse(await asyncio.to_thread(context.engine.store.history.stats))

    return router
