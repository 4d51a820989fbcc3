"""`/ready` and `/metrics`: whether a job would be spoken now, and how it has gone so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

if TYPE_CHECKING:
    from .daemon import Daemon


def make_router(daemon: Daemon) -> APIRouter:
    return APIRouter(tags=["daemon"])
