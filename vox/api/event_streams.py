"""Between the bus, whose events come from many threads, and the API's event streams in one loop.

One hop into the loop for every event, whatever the number of listeners; a listener that does not
read is cut off visibly and can come back with the last id that it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from ..jobs import Job
from ..queue.events import Bus, Event

QUEUE_LIMIT = 5_000
POSITION_EVERY_S = 0.25
RECHECK_S = 2.0
"""How often whoever waits for a job looks at the table: another process may have ended it."""


def frame(name: str, data: dict[str, Any], event_id: str = "") -> bytes:
    """One event as it goes over the wire."""
    prefix = f"id: {event_id}\n" if event_id else ""
    return f"{prefix}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def ends_job(event: Event) -> bool:
    return event.name == "state" and event.data.get("exit_code") is not None


class Sent(NamedTuple):
    """An event on its way to streams, put into words once for all of them."""

    event: Event
    frame: bytes

    @property
    def ends_job(self) -> bool:
        return ends_job(self.event)


Item = Sent | None
"""None ends a stream."""


class JobTable(Protocol):
    """What streams need of the job table."""

    def get(self, job_id: str) -> Job:
        """A job by its id or an unambiguous beginning of it. Raises UnknownJob, AmbiguousId."""

    def live(self) -> list[Job]:
        """Live jobs in queue order: what is being spoken or prepared first."""

    def queued_ids(self) -> list[str]:
        """Ids of the queued jobs in queue order."""


class Broadcaster:
    """Hands every event to the streams that want it. Only used from the loop's thread."""

    def __init__(self, store: JobTable, bus: Bus, loop: asyncio.AbstractEventLoop) -> None:
        self.bus = bus
        self._store = store
        self._loop = loop
        self._streams: dict[asyncio.Queue[Item], str | None] = {}
        self._positions_due = False
        self.last_id = f"{bus.epoch}-0"
        """Of the last event that was handed out: what a stream that begins now has not seen."""
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

    async def wait_for_end(self, job_id: str) -> Job:
        """The job once it has ended; still live if the daemon leaves before that.

        Raises UnknownJob.
        """
        with self.stream(job_id) as queue:
            job = await asyncio.to_thread(self._store.get, job_id)
            while job.is_live:
                try:
                    sent = await asyncio.wait_for(queue.get(), RECHECK_S)
                except TimeoutError:
                    job = await asyncio.to_thread(self._store.get, job_id)
                    continue
                if sent is None:
                    break
                if sent.ends_job:
                    job = await asyncio.to_thread(self._store.get, job_id)
                    if job.is_live:  # the disk is full: told, but not written down yet
                        told = sent.event.data
                        names = ("state", "error", "error_code")
                        return replace(job, **{name: told[name] for name in names})
        return job

    def _dispatch(self, event: Event) -> None:
        self.last_id = event.id
        wanting = [q for q, job_id in self._streams.items() if job_id in (None, event.job_id)]
        if wanting:
            sent = Sent(event, frame(event.name, event.data, event.id))
            for queue in wanting:
                self._put(queue, sent)
        if event.name == "state":
            self._plan_positions()

    def _put(self, queue: asyncio.Queue[Item], sent: Sent) -> None:
        if queue.qsize() >= QUEUE_LIMIT:
            self._streams.pop(queue, None)
            queue.put_nowait(None)
        else:
            queue.put_nowait(sent)

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
                        self._put(queue, _passing("progress", job_id, data))

    def tell_paused(self, is_paused: bool) -> None:
        """Tell everybody who follows one job whether speech is paused."""
        for queue, job_id in list(self._streams.items()):
            if job_id is not None:
                self._put(queue, paused(job_id, is_paused))

    def say_bye(self, reason: str, everybody: bool, but: Collection[str] = ()) -> None:
        """End the streams: of everybody, or of those whose job is not being worked on.

        Whoever waits for one of the jobs `but` is left to find out that a successor speaks it.
        """
        working = () if everybody else {j.id for j in self._store.live() if j.state != "queued"}
        for queue, job_id in list(self._streams.items()):
            if job_id is None or job_id not in working:
                if job_id not in but:
                    queue.put_nowait(_passing("bye", job_id or "", {"reason": reason}))
                queue.put_nowait(None)
                self._streams.pop(queue, None)


def paused(job_id: str, is_paused: bool) -> Sent:
    """For who follows the job: whether speech is paused now."""
    return _passing("progress", job_id, {"id": job_id, "paused": is_paused})


def _passing(name: str, job_id: str, data: dict[str, Any]) -> Sent:
    """An event that is true only now, so nobody who reconnects is told of it."""
    return Sent(Event("", 0, name, job_id, data), frame(name, data))
