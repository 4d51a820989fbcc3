"""Server-sent events: a job's, or everybody's, with ids, so that who reconnects misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import StreamingResponse

from ..errors import VoxError
from ..jobs import Job
from ..queue.events import Event
from .hub import Hub, Item

if TYPE_CHECKING:
    from .daemon import Daemon

HEARTBEAT_S = 15.0


def frame(name: str, data: dict[str, Any], event_id: str = "") -> bytes:
    """One event as it goes over the wire."""
    prefix = f"id: {event_id}\n" if event_id else ""
    return f"{prefix}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def response(chunks: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(chunks, media_type="text/event-stream", headers=headers)


async def _next(queue: asyncio.Queue[Item]) -> Item | bytes:
    """The next event, or a comment that keeps the connection alive."""
    try:
        return await asyncio.wait_for(queue.get(), HEARTBEAT_S)
    except TimeoutError:
        return b": still here\n\n"


def _missed(hub: Hub, last_id: str | None, job_id: str | None) -> list[Event] | None:
    """What a listener missed since `last_id`; None if that cannot be told any more."""
    events = hub.bus.since(last_id) if last_id else None
    if events is None:
        return None
    return [event for event in events if job_id is None or event.job_id == job_id]


async def job_events(
    daemon: Daemon, job: Job, last_id: str | None, bind: bool
) -> AsyncIterator[bytes]:
    """The job's events until it has ended.

    Begins with what was missed, or with the job as it is now. `bind`: whoever listens has gone
    before the end, so the job is cancelled.
    """
    assert daemon.hub is not None
    has_ended = False
    try:
        with daemon.hub.stream(job.id) as queue:
            store = daemon.engine.store
            missed = _missed(daemon.hub, last_id, job.id)
            for event in missed or ():
                yield frame(event.name, event.data, event.id)
            now = await asyncio.to_thread(store.get, job.id)
            has_ended = not now.is_live
            if not missed or has_ended:
                position = await asyncio.to_thread(store.position, now)
                yield frame("state", now.to_dict(position))
            last = max((event.number for event in missed or ()), default=0)
            while not has_ended:
                item = await _next(queue)
                if item is None:
                    has_ended = True
                elif isinstance(item, bytes):
                    yield item
                elif not item.number or item.number > last:
                    has_ended = item.data.get("exit_code") is not None
                    yield frame(item.name, item.data, item.id)
    finally:
        if bind and not has_ended:
            with contextlib.suppress(VoxError):
                # In a thread of its own: this coroutine is being cancelled.
                asyncio.get_running_loop().run_in_executor(None, _cancel_quietly, daemon, job.id)


def _cancel_quietly(daemon: Daemon, job_id: str) -> None:
    with contextlib.suppress(VoxError):
        daemon.engine.cancel(job_id, "its caller went away")


async def all_events(daemon: Daemon, last_id: str | None) -> AsyncIterator[bytes]:
    """Every event, from `last_id` on if it is still known, else after the live jobs as they are."""
    assert daemon.hub is not None
    with daemon.hub.stream() as queue:
        missed = _missed(daemon.hub, last_id, None)
        if missed is None:
            yield b": the live jobs as they are now\n\n"
            for job in await asyncio.to_thread(daemon.engine.store.live):
                yield frame("state", job.to_dict())
        for event in missed or ():
            yield frame(event.name, event.data, event.id)
        last = max((event.number for event in missed or ()), default=0)
        while (item := await _next(queue)) is not None:
            if isinstance(item, bytes):
                yield item
            elif not item.number or item.number > last:
                yield frame(item.name, item.data, item.id)


def last_event_id(request: Request) -> str | None:
    return request.headers.get("last-event-id") or request.query_params.get("last_event_id")
