"""`/health` and `/status`: how the daemon is, live; `/status` also what it does."""

from __future__ import annotations

import os
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from .. import __version__
from ..errors import StorageError
from ..jobs import LIVE
from .context import Context
from .responses import json_response
from .schemas import Health, Status


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["daemon"])

    @router.get("/health", responses={200: {"model": Health}})
    async def health() -> JSONResponse:
        """Uptime, loaded models, memory, queue, audio and inbox, live."""
        return JSONResponse(describe(context))

    @router.get("/status", responses={200: {"model": Status}})
    async def status() -> Response:
        """As `/health`, with what is said now, what comes next and what failed last."""
        return await json_response(lambda: {**describe(context), **context.engine.overview()})

    return router


def _counts(context: Context) -> dict[str, int | None]:
    """How many jobs are in each live state; None for each if that cannot be read."""
    try:
        return dict(context.engine.store.live_counts())
    except StorageError:
        return dict.fromkeys(LIVE)


def describe(context: Context) -> dict[str, Any]:
    """The health document. Quick, and without the job table's lock: it may run in the loop."""
    engine = context.engine
    models = engine.pool.describe()
    vram = [model["vram_mb"] for model in models if model["vram_mb"] is not None]
    rss = [model["memory_mb"] for model in models if model["memory_mb"] is not None]
    status = "ok" if engine.is_healthy else "degraded"
    return {
        "status": "stopping" if context.is_leaving else status,
        "version": __version__,
        "pid": os.getpid(),
        "uptime": round(context.uptime_s, 3),
        "idle_timeout_s": context.idle_timeout_s,
        "stays_for": context.stays_for,
        "loaded_models": models,
        "keep_errors": engine.kept.errors,
        "vram_usage": {"total_mb": round(sum(vram), 1) if vram else None},
        "memory_mb": round(sum(rss), 1),
        "queue": {
            **_counts(context),
            "paused": engine.player.is_paused,
            "paused_sources": engine.sources.paused,
            "muted_sources": engine.sources.muted,
        },
        "database": {
            "error": engine.damage,
            "damaged_files": engine.store.set_aside,
        },
        "audio": engine.player.describe(),
        "inbox": context.inbox.describe(),
        "http": context.http,
        "wyoming": context.wyoming,
        "workers": {
            name: value for name, value in engine.fleet.describe().items() if name != "workers"
        },
    }
