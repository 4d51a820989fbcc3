"""Waiting for a job: progress is reported, and who gives up cancels the job, as Ctrl-C does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import anyio
import anyio.to_thread

from ..errors import VoxError, WaitTimeout
from .answers import Answer, Job, doing, sent, still_goes_on
from .caller import Caller

MOST_WAITING = 256
"""Calls that wait at once. They have threads of their own, so that others need not wait."""
TICK_S = 1.0
"""Progress is reported so often."""
CANCEL_TIMEOUT_S = 5.0


class Waiting:
    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(MOST_WAITING)

    async def until_heard(self, caller: Caller, job: Job, wait_s: float) -> Answer:
        """The answer once the job has ended, or after `wait_s`. Raises VoxError.

        If this is cancelled the job is, unless it is this process that leaves.
        """
        shown = _Shown(job)
        reporting = asyncio.create_task(_report(caller, shown))
        try:
            ended = await anyio.to_thread.run_sync(
                lambda: caller.jobs.follow(job["id"], shown.take, wait_s),
                abandon_on_cancel=True,
                limiter=self._threads,
            )
        except WaitTimeout:
            return still_goes_on(await in_thread(caller.jobs.get, job["id"]), wait_s)
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await in_thread(_give_up, caller, job["id"])
            raise
        finally:
            reporting.cancel()
        return sent(ended, caller.notes)


def _give_up(caller: Caller, job_id: str) -> None:
    with contextlib.suppress(VoxError):  # it has ended
        if caller.is_leaving():
            caller.jobs.release(job_id)
        else:
            caller.jobs.cancel(job_id, CANCEL_TIMEOUT_S)


async def in_thread(function: Any, *args: Any) -> Any:
    return await anyio.to_thread.run_sync(function, *args)


class _Shown:
    """The job as its events tell it."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._is_starting = False
        self._is_paused = False
        self._waiting_for: str | None = None

    def take(self, name: str, data: dict[str, Any]) -> None:
        """In the thread that follows the job."""
        self._is_starting = name == "starting"
        if "paused" in data:
            self._is_paused = data["paused"]
        elif "waiting_for" in data:
            self._waiting_for = data["waiting_for"]
        elif not self._is_starting:
            self._job = {**self._job, **data}

    @property
    def text(self) -> str:
        if self._is_starting:
            return "starting the daemon"
        if self._waiting_for:
            return f"waiting for {self._waiting_for}"
        return "speech is paused" if self._is_paused else doing(self._job)


async def _report(caller: Caller, shown: _Shown) -> None:
    began = time.monotonic()
    with contextlib.suppress(Exception):  # the caller has gone; its call is cancelled
        while True:
            await asyncio.sleep(TICK_S)
            await caller.report(round(time.monotonic() - began, 1), shown.text)
