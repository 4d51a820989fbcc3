"""The OpenAI-compatible routes: audio streams back instead of being played."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

if TYPE_CHECKING:
    from .daemon import Daemon


def make_router(daemon: Daemon) -> APIRouter:
    return APIRouter(tags=["openai"], prefix="/v1")
