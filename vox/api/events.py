"""Routes of events: a job's, or all. A client that reconnects with its last id misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from fastapi import APIRouter, Request, Response

from ..callers import WENT_AWAY
from ..errors import VoxError
from ..jobs import LIVE, Job, State
from ..queue.events import Event
from . import sse
from .context import Context
from .event_streams import RECHECK_S, EncodedEvent, Item, ends_job, paused_event
from .jobs import NO_JOB, JobId
from .writing import in_writer

PACE_S = 0.05
"""Shortest time between two sends to a stream of all events: many of them must not hold up the
rest."""
BATCH = 1_000
FRAMES_AT_ONCE = 100
"""Of many frames that are at hand, those that are made and sent together."""
_SSE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["jobs"])

    @router.get(
        "/jobs/{job_id}/events",
        name="job_events",
        response_class=Response,
        responses={**_SSE, **NO_JOB},
    )
    async def job_events_stream(job_id: JobId, request: Request, bind: bool = False) -> Response:
        """The job's events as they happen (SSE), until it has ended.

        With `bind`, the job is cancelled when the connection goes before that.
        """
        job = await asyncio.to_thread(context.engine.store.get, job_id)
        return sse.response(job_events(context, job, sse.last_event_id(request), bind))

    @router.get("/events", name="events", response_class=Response, responses=_SSE)
    async def all_events_stream(request: Request) -> Response:
        """All events (SSE). `Last-Event-ID` resumes a lost connection where it ended."""
        return sse.response(all_events(context, sse.last_event_id(request)))

    return router


async def job_events(
    context: Context, job: Job, last_id: str | None, bind: bool
) -> AsyncIterator[bytes]:
    """The job's events until it has ended.

    Begins with what was missed since `last_id`, or with the job as it is now. With `bind`, a
    listener that goes before the end cancels the job.
    """
    follower = _Follower(context, job.id)
    try:
        with context.broadcaster.subscribe(job.id) as queue:
            if chunk := follower.missed(last_id):
                yield chunk
            if not follower.has_ended and (chunk := await follower.present()):
                yield chunk
            while not follower.has_ended:
                yield await follower.next(queue)
    finally:
        if bind and not follower.has_ended:
            # In a thread of its own: this coroutine is being cancelled.
            in_writer(follower.cancel_job)


class _Follower:
    """How far a stream has followed its job. Each method returns the next bytes to send."""

    def __init__(self, context: Context, job_id: str) -> None:
        self._context = context
        self._job_id = job_id
        self.has_ended = False
        """The job has ended, or the stream is cut off. Nothing is sent after this."""
        self._known_id = context.broadcaster.last_id
        self._last_missed = 0
        """Number of the last event that `missed` sent."""
        self._shown: State | None = None
        """The state that `present` sent."""

    def missed(self, last_id: str | None) -> bytes:
        """The events since `last_id`, if they are still known."""
        events = self._context.broadcaster.missed(last_id, self._job_id) or []
        self.has_ended = any(map(ends_job, events))
        self._last_missed = max((event.number for event in events), default=0)
        return b"".join(_frame(event) for event in events)

    async def present(self) -> bytes:
        """The job as it is now, unless missed events were sent, and whether speech is paused."""
        store = self._context.engine.store
        job = await asyncio.to_thread(store.get, self._job_id)
        self.has_ended = not job.is_live
        chunk = b""
        if not self._last_missed or self.has_ended:
            self._shown = job.state
            shown = await asyncio.to_thread(store.show, job)
            chunk = sse.frame("state", shown, self._known_id)
        engine = self._context.engine
        is_paused = engine.player.is_paused and not job.is_assistive
        if not self.has_ended and (is_paused or engine.sources.is_held(job)):
            chunk += paused_event(self._job_id, True).frame
        return chunk

    async def next(self, queue: asyncio.Queue[Item]) -> bytes:
        """The events that come, or a heartbeat."""
        items = await _batch(queue, RECHECK_S)
        if not items:
            job = await asyncio.to_thread(self._context.engine.store.get, self._job_id)
            self.has_ended = not job.is_live
            return sse.frame("state", job.to_dict()) if self.has_ended else sse.HEARTBEAT
        fresh = [
            item for item in _fresh(items, self._last_missed) if not self._is_behind(item.event)
        ]
        self.has_ended = None in items or any(item.ends_job for item in fresh)
        return b"".join(item.frame for item in fresh)

    def _is_behind(self, event: Event) -> bool:
        """Whether the state that `present` sent is this one or a later one."""
        if self._shown is None or event.name != "state" or event.data["state"] not in LIVE:
            return False
        return LIVE.index(event.data["state"]) <= LIVE.index(self._shown)

    def cancel_job(self) -> None:
        with contextlib.suppress(VoxError):  # it has ended by itself
            self._context.engine.cancel(self._job_id, WENT_AWAY)


async def all_events(context: Context, last_id: str | None) -> AsyncIterator[bytes]:
    """Every event after `last_id`. If that is not known any more, the live jobs come first."""
    broadcaster = context.broadcaster
    with broadcaster.subscribe() as queue:
        known_id = broadcaster.last_id
        missed = broadcaster.missed(last_id)
        if missed is None:
            async for part in _joined(lambda: _live(context)):
                yield part
            # Last, so that a client cut off in the middle of them asks for all of them again.
            yield f": these live now\nid: {known_id}\n\n".encode()
        async for part in _joined(lambda: map(_frame, missed or ())):
            yield part
        last = max((event.number for event in missed or ()), default=0)
        is_open = True
        while is_open:
            items = await _batch(queue, sse.HEARTBEAT_S)
            is_open = None not in items
            yield b"".join(item.frame for item in _fresh(items, last)) if items else sse.HEARTBEAT
            await asyncio.sleep(PACE_S)


def _live(context: Context) -> Iterator[bytes]:
    """All live jobs as events, in the order of hearing."""
    return (sse.frame("state", shown) for shown in context.engine.store.shown_queue())


async def _joined(build: Callable[[], Iterator[bytes]]) -> AsyncIterator[bytes]:
    """The frames of the iterator that `build` returns, in larger parts.

    Made in a thread: ten thousand of them take too long for the loop.
    """
    frames = await asyncio.to_thread(build)

    def next_part() -> bytes:
        return b"".join(itertools.islice(frames, FRAMES_AT_ONCE))

    while part := await asyncio.to_thread(next_part):
        yield part


def _frame(event: Event) -> bytes:
    return sse.frame(event.name, event.data, event.id)


async def _batch(queue: asyncio.Queue[Item], quiet_s: float) -> list[Item]:
    """All events at hand, or else the next one; none if there is none for `quiet_s`."""
    items: list[Item] = []
    if queue.empty():
        try:
            items.append(await asyncio.wait_for(queue.get(), quiet_s))
        except TimeoutError:
            return []
    while not queue.empty() and len(items) < BATCH:
        items.append(queue.get_nowait())
    return items


def _fresh(items: list[Item], last_missed: int) -> list[EncodedEvent]:
    """Those that were not among the missed ones. A transient event has no number and is fresh."""
    return [
        item
        for item in items
        if item is not None and (not item.event.number or item.event.number > last_missed)
    ]
