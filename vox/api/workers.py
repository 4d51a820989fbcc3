"""The workers on other machines that synthesize for this one."""

from __future__ import annotations

from fastapi import APIRouter, Response

from .context import Context
from .responses import json_response
from .schemas import Workers


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["daemon"])

    @router.get("/workers", responses={200: {"model": Workers}})
    async def workers() -> Response:
        """Who they are, what they serve and how they do, also those of other versions of vox."""
        return await json_response(context.engine.fleet.look)

    return router
