"""`/ready`: whether a job would be spoken now."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from ..errors import StorageError, VoxError
from ..files import cannot_write
from ..voices.choice import usual
from .context import Context
from .problems import problem
from .schemas import Readiness, answers

GOOD_FOR_S = 1.0
"""How long an answer is given again: whoever asks often must not hammer the sound device."""
ROOM_BYTES = 20_000_000
"""Free space below which a job's audio may well not fit."""


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["daemon"])
    readiness = Checks(context)

    @router.get("/ready", responses={200: {"model": Readiness}, **answers(503)})
    async def ready() -> Response:
        """200 only if a job would be spoken now, else 503 and why."""
        checks = await readiness.run()
        faults = {name: why for name, why in checks.items() if why != "ok"}
        if not faults:
            return JSONResponse({"ready": True, "checks": checks})
        detail = "; ".join(f"{name}: {why}" for name, why in faults.items())
        return problem(503, detail, "daemon-unavailable", checks=checks, ready=False)

    return router


class Checks:
    """Each check is "ok" or what is wrong, in a line. Those who ask at once share an answer."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = asyncio.Lock()
        self._checked_at = float("-inf")
        self._answer: dict[str, str] = {}

    async def run(self) -> dict[str, str]:
        async with self._lock:
            if time.monotonic() - self._checked_at > GOOD_FOR_S:
                self._answer = await asyncio.to_thread(self._check)
                self._checked_at = time.monotonic()
        return {**self._answer, "queue": _said(self._check_queue)}

    def _check(self) -> dict[str, str]:
        return {
            "audio": _said(self._context.engine.player.check),
            "backend": _said(self._check_backend),
            "disk": _said(self._check_disk),
        }

    def _check_queue(self) -> None:
        engine = self._context.engine
        if self._context.is_leaving:
            raise VoxError("the daemon leaves")
        if not engine.is_started:
            raise VoxError("another process speaks; this one takes over when it has finished")
        if not engine.is_healthy:
            raise VoxError("the worker died", "run: vox daemon restart")
        if engine.player.is_paused:
            raise VoxError("it is paused", "go on with: vox resume")

    def _check_backend(self) -> None:
        """The host of whatever speaks by default is up, or could be started."""
        catalog = self._context.engine.catalog
        speaker = usual(catalog, self._context.config())
        if self._context.engine.pool.answers(speaker.backend) is False:
            raise VoxError(f"the host of {speaker.backend} does not answer", "see: vox daemon logs")
        catalog.check_ready(speaker.backend)

    def _check_disk(self) -> None:
        paths = self._context.paths
        for folder in (paths.data_dir, paths.spool_dir):
            try:
                # SQLite writes to a full disk as long as its pages last: a new file does not.
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(b"\0" * 4096)
                    file.flush()
                room = os.statvfs(folder)
            except OSError as exc:
                raise cannot_write(folder, exc) from exc
            free = room.f_bavail * room.f_frsize
            if free < ROOM_BYTES:
                raise StorageError(f"only {free / 1e6:.0f} MB are free in {folder}", "make room")
        if not os.access(paths.db_path, os.W_OK):
            raise StorageError(f"cannot write {paths.db_path}", "mend its permissions")


def _said(check: Any) -> str:
    try:
        check()
    except VoxError as exc:
        return exc.line
    return "ok"
