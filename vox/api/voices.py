"""Routes of what can speak: voices and backends."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response

from . import schemas
from .context import Context
from .responses import json_response
from .schemas import answers


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["voices"])
    catalog = context.engine.catalog

    @router.get("/voices", responses={200: {"model": list[schemas.Voice]}, **answers(422)})
    async def voices(backend: str | None = None) -> Response:
        """The voices of all backends, or of one."""
        return await json_response(lambda: [asdict(voice) for voice in catalog.voices(backend)])

    @router.get("/backends", responses={200: {"model": list[schemas.Backend]}})
    async def backends() -> Response:
        """The backends, and whether each is ready to speak."""
        return await json_response(catalog.describe)

    return router
