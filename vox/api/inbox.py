"""Routes of the inbox."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter

from .context import Context


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["inbox"])

    @router.get("/inbox")
    async def inbox() -> dict[str, Any]:
        """The inbox's folder and status."""
        return await asyncio.to_thread(context.inbox.describe)

    @router.post("/inbox/retry")
    async def retry() -> list[str]:
        """Put every failed file back into the inbox."""
        return await asyncio.to_thread(context.inbox.retry)

    return router
