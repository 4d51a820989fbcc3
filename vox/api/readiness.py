"""`/ready`: whether a job would be spoken now."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from ..errors import StorageDamaged, StorageError, VoxError, WorkersAway
from ..files import cannot_write
from ..voices.choice import usual
from .context import Context
from .problems import problem
from .schemas import Readiness, answers

GOOD_FOR_S = 1.0
"""How long an answer is reused: frequent requests must not open the sound device each time."""
ROOM_BYTES = 20_000_000
"""With less free space than this a job's audio may not fit."""


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
    """Runs the checks. Each result is "ok" or one line that says what is wrong."""

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
        return {**self._answer, "queue": _result(self._check_queue)}

    def _check(self) -> dict[str, str]:
        return {
            "audio": _result(self._context.engine.player.check),
            "backend": _result(self._check_backend),
            "disk": _result(self._check_disk),
        }

    def _check_queue(self) -> None:
        engine = self._context.engine
        if self._context.is_leaving:
            raise VoxError("the daemon is stopping")
        if not engine.is_started:
            raise VoxError(
                "another process is speaking; the daemon takes over once it has finished"
            )
        engine.store.live_counts()  # it can be read
        if engine.damage is not None:
            raise StorageDamaged(engine.damage, "it is being made again from what can be read")
        if not engine.is_healthy:
            raise VoxError("the worker died", "run: vox daemon restart")
        if engine.player.is_paused:
            raise VoxError("speech is paused", "to resume: vox resume")

    def _check_backend(self) -> None:
        """The default backend is ready, and its host, if it is up, answers."""
        catalog = self._context.engine.catalog
        speaker = usual(catalog, self._context.config())
        if self._context.engine.pool.answers(speaker.backend) is False:
            raise VoxError(f"the host of {speaker.backend} does not answer", "see: vox daemon logs")
        catalog.check_ready(speaker.backend)
        if not (catalog.is_ready(speaker.backend) or catalog.is_served(speaker.backend)):
            raise WorkersAway(f"no worker serves {speaker.backend} now")

    def _check_disk(self) -> None:
        paths = self._context.paths
        for folder in (paths.data_dir, paths.spool_dir):
            try:
                # Not through SQLite, which has free pages to write to for a while.
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(b"\0" * 4096)
                    file.flush()
                room = os.statvfs(folder)
            except OSError as exc:
                raise cannot_write(folder, exc) from exc
            free = room.f_bavail * room.f_frsize
            if free < ROOM_BYTES:
                raise StorageError(
                    f"only {free / 1e6:.0f} MB are free in {folder}", "free disk space"
                )
        if not os.access(paths.db_path, os.W_OK):
            raise StorageError(f"cannot write {paths.db_path}", "fix its permissions")


def _result(check: Any) -> str:
    try:
        check()
    except VoxError as exc:
        return exc.line
    return "ok"
