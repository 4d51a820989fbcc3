"""Between the bus, whose events come from many threads, and the API's event streams in one loop.

One hop into the loop for every event, whatever the number of listeners; a listener that does not
read is cut off visibly and can come back with the last id that it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from ..queue.events import Bus, Event
from ..queue.store import Store

QUEUE_LIMIT = 5_000
POSITION_EVERY_S = 0.25

Item = Event | None
"""None ends a stream."""


class Hub:
    """Hands every event to the streams that want it. Only used from the loop's thread."""

    def __init__(self, store: Store, bus: Bus, loop: asyncio.AbstractEventLoop) -> None:
        self.bus = bus
        self._store = store
        self._loop = loop
        self._streams: dict[asyncio.Queue[Item], str | None] = {}
        self._positions_due = False
        bus.subscribe(self._from_any_thread)

    @contextlib.contextmanager
    def stream(self, job_id: str | None = None) -> Iterator[asyncio.Queue[Item]]:
        """The events of one job, or of all, from now on."""
        queue: asyncio.Queue[Item] = asyncio.Queue()
        self._streams[queue] = job_id
        if job_id is not None:
            self._plan_positions()
        try:
            yield queue
        finally:
            self._streams.pop(queue, None)

    def _from_any_thread(self, event: Event) -> None:
        # The loop is closed at the very end of leaving, when nobody listens any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._dispatch, event)

    def _dispatch(self, event: Event) -> None:
        for queue, job_id in list(self._streams.items()):
            if job_id is None or job_id == event.job_id:
                self._put(queue, event)
        if event.name == "state":
            self._plan_positions()

    def _put(self, queue: asyncio.Queue[Item], event: Event) -> None:
        if queue.qsize() >= QUEUE_LIMIT:
            self._streams.pop(queue, None)
            queue.put_nowait(None)
        else:
            queue.put_nowait(event)

    def _plan_positions(self) -> None:
        """Tell who waits where it stands, now and then rather than at every change."""
        if self._positions_due or not any(self._streams.values()):
            return
        self._positions_due = True
        self._loop.call_later(POSITION_EVERY_S, self._start_positions)

    def _start_positions(self) -> None:
        task = self._loop.create_task(self._tell_positions())
        task.add_done_callback(lambda done: done.exception())

    async def _tell_positions(self) -> None:
        try:
            wanted = {job_id for job_id in self._streams.values() if job_id is not None}
            order = await asyncio.to_thread(self._store.queued_ids)
        finally:
            self._positions_due = False
        for position, job_id in enumerate(order, start=1):
            if job_id in wanted:
                data = {"id": job_id, "position": position, "queue_length": len(order)}
                for queue, stream_id in list(self._streams.items()):
                    if stream_id == job_id:
                        self._put(queue, Event("", 0, "progress", job_id, data))

    def say_bye(self, reason: str, everybody: bool) -> None:
        """End the streams: of everybody, or of those whose job is not being worked on."""
        working = () if everybody else {j.id for j in self._store.live() if j.state != "queued"}
        for queue, job_id in list(self._streams.items()):
            if job_id is None or job_id not in working:
                queue.put_nowait(Event("", 0, "bye", job_id or "", {"reason": reason}))
                queue.put_nowait(None)
                self._streams.pop(queue, None)
