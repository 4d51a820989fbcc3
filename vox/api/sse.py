"""Server-sent events: a job's, or everybody's, with ids, so that who reconnects misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import Request
from fastapi.responses import StreamingResponse

from ..errors import VoxError
from ..jobs import LIVE, Job, State
from ..queue.events import Event
from .context import Context
from .event_streams import RECHECK_S, Broadcaster, Item, Sent, ends_job, frame, paused

HEARTBEAT_S = 15.0
PACE_S = 0.05
"""At most so often is a listener to everything woken: a crowd of them must not hold up the rest."""
_STILL_HERE = b": still here\n\n"


def response(chunks: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(chunks, media_type="text/event-stream", headers=headers)


async def _batch(queue: asyncio.Queue[Item], quiet_s: float = HEARTBEAT_S) -> list[Item]:
    """The next events, all that are at hand; none if it was quiet for so long."""
    items: list[Item] = []
    if queue.empty():
        try:
            items.append(await asyncio.wait_for(queue.get(), quiet_s))
        except TimeoutError:
            return []
    while not queue.empty() and len(items) < 1000:
        items.append(queue.get_nowait())
    return items


def _missed(
    broadcaster: Broadcaster, last_id: str | None, job_id: str | None
) -> list[Event] | None:
    """What a listener missed since `last_id`; None if that cannot be told any more."""
    events = broadcaster.bus.since(last_id) if last_id else None
    if events is None:
        return None
    return [event for event in events if job_id is None or event.job_id == job_id]


async def job_events(
    context: Context, job: Job, last_id: str | None, bind: bool
) -> AsyncIterator[bytes]:
    """The job's events until it has ended.

    Begins with what was missed, or with the job as it is now. `bind`: whoever listens has gone
    before the end, so the job is cancelled.
    """
    has_ended = False
    try:
        with context.broadcaster.stream(job.id) as queue:
            known_id = context.broadcaster.last_id
            missed = _missed(context.broadcaster, last_id, job.id) or []
            for event in missed:
                has_ended = has_ended or ends_job(event)
                yield frame(event.name, event.data, event.id)
            store = context.engine.store
            told: State | None = None
            if not has_ended:
                now = await asyncio.to_thread(store.get, job.id)
                has_ended = not now.is_live
                if not missed or has_ended:
                    told = now.state
                    position = await asyncio.to_thread(store.position, now)
                    yield frame("state", now.to_dict(position), known_id)
                if not has_ended and context.engine.player.is_paused:
                    yield paused(job.id, True).frame
            last = max((event.number for event in missed), default=0)
            while not has_ended:
                items = await _batch(queue, RECHECK_S)
                fresh = [each for each in _fresh(items, last) if not _is_behind(each.event, told)]
                if not items and not (now := await asyncio.to_thread(store.get, job.id)).is_live:
                    yield frame("state", now.to_dict())
                    has_ended = True
                    break
                has_ended = None in items or any(sent.ends_job for sent in fresh)
                yield b"".join(sent.frame for sent in fresh) if items else _STILL_HERE
    finally:
        if bind and not has_ended:
            # In a thread of its own: this coroutine is being cancelled.
            asyncio.get_running_loop().run_in_executor(None, _cancel_quietly, context, job.id)


def _fresh(items: list[Item], last: int) -> list[Sent]:
    """Those that were not among what was missed; what has no number is told in passing."""
    return [
        item
        for item in items
        if item is not None and (not item.event.number or item.event.number > last)
    ]


def _is_behind(event: Event, told: State | None) -> bool:
    """Whether it tells no more than the state that was looked up while it was under way."""
    if told is None or event.name != "state" or event.data["state"] not in LIVE:
        return False
    return LIVE.index(event.data["state"]) <= LIVE.index(told)


def _cancel_quietly(context: Context, job_id: str) -> None:
    with contextlib.suppress(VoxError):
        context.engine.cancel(job_id, "its caller went away")


def _live(context: Context) -> bytes:
    """All live jobs as events: of ten thousand it takes too long for the loop's thread."""
    return b"".join(frame("state", job.to_dict()) for job in context.engine.store.live())


async def all_events(context: Context, last_id: str | None) -> AsyncIterator[bytes]:
    """Every event, from `last_id` on if it is still known, else after the live jobs as they are."""
    with context.broadcaster.stream() as queue:
        known_id = context.broadcaster.last_id
        missed = _missed(context.broadcaster, last_id, None)
        if missed is None:
            yield await asyncio.to_thread(_live, context) + b": these live now\n"
            # Last, so that whoever is cut off in the middle of them asks for all of them again.
            yield f"id: {known_id}\n\n".encode()
        for event in missed or ():
            yield frame(event.name, event.data, event.id)
        last = max((event.number for event in missed or ()), default=0)
        is_open = True
        while is_open:
            items = await _batch(queue)
            is_open = None not in items
            yield b"".join(sent.frame for sent in _fresh(items, last)) if items else _STILL_HERE
            await asyncio.sleep(PACE_S)


def last_event_id(request: Request) -> str | None:
    return request.headers.get("last-event-id") or request.query_params.get("last_event_id")
