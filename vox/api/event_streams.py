"""From the bus, whose events come from many threads, to the API's event streams in one loop.

Every event is handed to the loop once and encoded once, however many streams want it. A stream
whose reader is too slow is ended; its client can come back with the last id that it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

from ..jobs import Job
from ..queue.announcer import Announcer
from ..queue.events import Bus, Event
from ..queue.outlooks import Outlooks
from .sse import frame

QUEUE_LIMIT = 5_000
"""Events that may wait for a stream's reader before the stream is ended."""
RECHECK_S = 2.0
"""How often a job that is waited for is looked up: another process may end it."""


def ends_job(event: Event) -> bool:
    return event.name == "state" and event.data.get("exit_code") is not None


class EncodedEvent(NamedTuple):
    """An event and how it goes over the wire."""

    event: Event
    frame: bytes

    @property
    def ends_job(self) -> bool:
        return ends_job(self.event)


Item = EncodedEvent | None
"""What a stream is given. None ends it."""


class JobTable(Protocol):
    """What streams need of the job table."""

    def get(self, job_id: str) -> Job:
        """A job by its id or an unambiguous beginning of it. Raises UnknownJob, AmbiguousId."""

    def live(self) -> list[Job]:
        """Live jobs in queue order; those being spoken or prepared come first."""

    def beginning(self, job_id: str) -> str:
        """That of the job's text."""

    outlooks: Outlooks
    """What is known and foreseen of the live jobs."""


class Broadcaster:
    """Hands every event to the streams that want it. Only used from the loop's thread."""

    def __init__(
        self,
        store: JobTable,
        bus: Bus,
        loop: asyncio.AbstractEventLoop,
        queue_limit: int = QUEUE_LIMIT,
        recheck_s: float = RECHECK_S,
    ) -> None:
        self._bus = bus
        self._store = store
        self._loop = loop
        self._queue_limit = queue_limit
        self._recheck_s = recheck_s
        self._streams: dict[asyncio.Queue[Item], str | None] = {}
        """The streams, and the id of the job that each follows; None: it follows all."""
        self._announcer = Announcer(store.outlooks.of_all, bus, store.beginning)
        self.last_id = f"{bus.epoch}-0"
        """Id of the last event that was sent. A new stream begins after it."""
        bus.subscribe(self._on_event)

    def _on_event(self, event: Event) -> None:
        """From any thread."""
        # The loop is closed at the very end, when there are no streams any more.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._dispatch, event)

    # -- for streams ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def subscribe(self, job_id: str | None = None) -> Iterator[asyncio.Queue[Item]]:
        """The events of one job, or of all, from now on."""
        queue: asyncio.Queue[Item] = asyncio.Queue()
        self._streams[queue] = job_id
        try:
            with self._announcer.following(job_id):
                yield queue
        finally:
            self._streams.pop(queue, None)

    def missed(self, last_id: str | None, job_id: str | None = None) -> list[Event] | None:
        """The events after that id, of one job or of all.

        None without an id, and if they are not all at hand any more.
        """
        events = self._bus.since(last_id) if last_id else None
        if events is None:
            return None
        return [event for event in events if job_id in (None, event.job_id)]

    async def wait_for_end(self, job_id: str) -> Job:
        """The job once it has ended; still live if the daemon leaves before that.

        Raises UnknownJob.
        """
        with self.subscribe(job_id) as queue:
            job = await asyncio.to_thread(self._store.get, job_id)
            while job.is_live:
                try:
                    item = await asyncio.wait_for(queue.get(), self._recheck_s)
                except TimeoutError:
                    job = await asyncio.to_thread(self._store.get, job_id)
                    continue
                if item is None:
                    break
                if item.ends_job:
                    job = await asyncio.to_thread(self._store.get, job_id)
                    if job.is_live:  # the disk is full: announced, but not written down yet
                        names = ("state", "error", "error_code")
                        return replace(job, **{name: item.event.data[name] for name in names})
        return job

    def _dispatch(self, event: Event) -> None:
        self.last_id = event.id or self.last_id
        wanting = [q for q, job_id in self._streams.items() if job_id in (None, event.job_id)]
        if wanting:
            item = EncodedEvent(event, frame(event.name, event.data, event.id))
            for queue in wanting:
                self._put(queue, item)

    def _put(self, queue: asyncio.Queue[Item], item: EncodedEvent) -> None:
        if queue.qsize() >= self._queue_limit:
            self._streams.pop(queue, None)
            queue.put_nowait(None)
        else:
            queue.put_nowait(item)

    # -- announcements --------------------------------------------------------------------------

    def announce_paused(self, is_paused: bool) -> None:
        """Tell every stream whether speech is paused; one that follows all jobs, of none."""
        for queue, job_id in list(self._streams.items()):
            self._put(queue, paused_event(job_id, is_paused))
        self._announcer.wake()

    def announce_leaving(self, reason: str, everybody: bool, but: Collection[str] = ()) -> None:
        """End the streams: all of them, or all but those of jobs that are being worked on.

        A stream of one of the jobs `but` ends without the `bye` event: a successor of the daemon
        will speak that job, and its client finds that out. So does one whose job has just ended,
        which the stream was not told yet.
        """
        live = {job.id: job.state for job in ([] if everybody else self._store.live())}
        for queue, job_id in list(self._streams.items()):
            if live.get(job_id or "", "queued") != "queued":
                continue
            has_ended = not everybody and job_id is not None and job_id not in live
            if job_id not in but and not has_ended:
                queue.put_nowait(_transient("bye", job_id or "", {"reason": reason}))
            queue.put_nowait(None)
            self._streams.pop(queue, None)

    def end_streams(self) -> None:
        """End all streams without the `bye` event: a successor goes on with their jobs."""
        for queue in list(self._streams):
            queue.put_nowait(None)
        self._streams.clear()


def paused_event(job_id: str | None, is_paused: bool) -> EncodedEvent:
    """For a stream that follows the job, or all: whether speech is paused now."""
    return _transient("progress", job_id or "", {"id": job_id, "paused": is_paused})


def _transient(name: str, job_id: str, data: dict[str, Any]) -> EncodedEvent:
    """An event that is true only now: it has no id, and a stream that reconnects misses none."""
    return EncodedEvent(Event("", 0, name, job_id, data), frame(name, data))
