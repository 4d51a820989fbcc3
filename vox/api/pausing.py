"""Routes that have speech be silent: pause and resume, of all or of one source, and mute one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from . import schemas
from .context import Context
from .schemas import OfSource, OneSource, answers
from .writing import in_writer


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["queue"])
    engine = context.engine
    answer: dict[str, Any] = {
        "response_model": schemas.Paused,
        "response_model_exclude_none": True,
        "responses": answers(422),
    }

    @router.post("/pause", **answer)
    async def pause(body: OfSource | None = None) -> dict[str, Any]:
        """Pause speech until `/resume`, also after a restart. Jobs are still accepted.

        With `source`, only that source is silent, and others are heard meanwhile.
        """
        return await _set_paused(body, True)

    @router.post("/resume", **answer)
    async def resume(body: OfSource | None = None) -> dict[str, Any]:
        """Resume speech where `/pause` stopped it; with `source`, that of the source."""
        return await _set_paused(body, False)

    async def _set_paused(body: OfSource | None, is_paused: bool) -> dict[str, Any]:
        if body and body.source is not None:
            sources = engine.sources
            await in_writer(sources.pause if is_paused else sources.resume, body.source)
            return {"paused": is_paused, "source": body.source}
        await in_writer(engine.pause if is_paused else engine.resume)
        context.broadcaster.announce_paused(is_paused)
        if not is_paused:
            await in_writer(engine.sources.remind)
        return {"paused": is_paused}

    @router.post("/mute", response_model=schemas.Muted, responses=answers(422))
    async def mute(body: OneSource) -> dict[str, Any]:
        """Have what a source sends end at once, `done` and unheard, until `/unmute`.

        It stands in the history, and can be replayed. The settings say so: `sources.NAME.muted`.
        """
        await in_writer(engine.sources.mute, body.source, True)
        return {"muted": True, "source": body.source}

    @router.post("/unmute", response_model=schemas.Muted, responses=answers(422))
    async def unmute(body: OneSource) -> dict[str, Any]:
        """Have what a source sends spoken again."""
        await in_writer(engine.sources.mute, body.source, False)
        return {"muted": False, "source": body.source}

    return router
