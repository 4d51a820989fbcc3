"""Events: what happens to jobs, for the API's streams and, through them, the command line.

Knows nothing of tables, tasks or sockets.
"""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

RING = 20_000
RING_BYTES = 16_000_000
"""The events that are kept are about so large at most, whatever their number."""
_EVENT_BYTES = 2_000
"""About what an event takes without its texts."""


@dataclass(frozen=True, slots=True)
class Event:
    id: str
    """"EPOCH-N": the daemon's start and a number that rises by one."""
    number: int
    name: str
    """`state` (it changed), `progress` (how far, what for), `mark` (one is heard) or `note`."""
    job_id: str
    data: dict[str, Any]


Listener = Callable[[Event], None]


class Bus:
    """Hands every event to every listener, and keeps the last ones.

    - Any thread may publish. Publishing never blocks and never fails: the job table is the truth,
      and events only tell of it.
    - Each listener gets every event, in the order of the events' numbers, from the publishing
      thread. It must not block, raise, or use the bus.
    - Ids rise, so a listener that reconnects misses nothing that is still kept (`since`). One that
      is too far behind reads the job table instead.
    """

    def __init__(self, epoch: str | None = None, ring: int = RING) -> None:
        self.epoch = epoch or f"{time.time_ns() // 1_000_000:x}"
        self._ring: collections.deque[Event] = collections.deque()
        self._ring_length = ring
        self._ring_bytes = 0
        self._number = 0
        self._dropped = 0
        """Number of the last event that is not kept any more."""
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def publish(self, name: str, job_id: str, data: dict[str, Any]) -> None:
        with self._lock:
            self._number += 1
            event = Event(f"{self.epoch}-{self._number}", self._number, name, job_id, data)
            self._keep(event)
            for listener in self._listeners:
                listener(event)

    def tell(
        self, name: str, job_id: str, data: dict[str, Any], is_true: Callable[[], bool]
    ) -> None:
        """Publish what is true only now, if it still is: it has no id and is not kept.

        No event comes between `is_true`, which must not block, and this one.
        """
        event = Event("", 0, name, job_id, data)
        with self._lock:
            if not is_true():
                return
            for listener in self._listeners:
                listener(event)

    def _keep(self, event: Event) -> None:
        self._ring.append(event)
        self._ring_bytes += _size(event)
        while len(self._ring) > self._ring_length or self._ring_bytes > RING_BYTES:
            oldest = self._ring.popleft()
            self._ring_bytes -= _size(oldest)
            self._dropped = oldest.number

    def forget(self, job_ids: Collection[str]) -> None:
        """Keep no event of these jobs: they were cleared from the history."""
        gone = set(job_ids)
        with self._lock:
            # Not all are weighed again: a screen reader's jobs end many times a second.
            self._ring_bytes -= sum(_size(e) for e in self._ring if e.job_id in gone)
            self._ring = collections.deque(e for e in self._ring if e.job_id not in gone)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Hear every event from now on; returns what ends it."""
        with self._lock:
            self._listeners.append(listener)

        def unsubscribe() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return unsubscribe

    def since(self, last_id: str) -> list[Event] | None:
        """The events after that id, or None if they are not all at hand any more."""
        epoch, _, number = last_id.rpartition("-")
        if epoch != self.epoch or not number.isdecimal() or len(number) > 18:
            return None
        last = int(number)
        with self._lock:
            if last > self._number or last < self._dropped:
                return None
            return [event for event in self._ring if event.number > last]


def _size(event: Event) -> int:
    """About how many bytes of memory it takes."""
    return _EVENT_BYTES + sum(len(value) for value in event.data.values() if type(value) is str)
