"""A client's presence at the server: it announces itself and sees the workers.

Knows workers, no requests.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from threading import Condition
from typing import Any

from ..errors import VoxError, WorkersAway
from .lease_times import LeaseTimes
from .pace import Pace
from .server import Server
from .workers import Announced, Workers

log = logging.getLogger(__name__)

_FRESH_S = 2.0
"""What was seen within this time still holds."""


class Presence:
    """One session's. One thread looks, any may ask."""

    def __init__(self, server: Server, session_id: str, times: LeaseTimes) -> None:
        self.away: VoxError | None = WorkersAway(
            f"the Redis server {server.address} has not been reached yet"
        )
        """Why the server cannot be used now; None: it can."""
        self.workers: tuple[Announced, ...] = ()
        """All workers as of the last look, also of other versions."""
        self.is_forgotten = False
        """The server lost the session; its requests have yet to be sent again."""
        self.changed_at = -math.inf
        """When the server last went away, came back or was slow."""
        self.pace = Pace(times)
        self._id = session_id
        self._times = times
        self._announcements = Workers(server)
        self._known: tuple[Announced, ...] = ()
        """The workers that speak our protocol."""
        self._look_began: float | None = None
        """When the look under way began."""
        self._looked = Condition()
        self._looked_at: float | None = None

    def wait_looked(self, timeout_s: float) -> bool:
        """Wait until it is known whether the server is there now, and who else."""
        with self._looked:
            self.pace.use()
            return self._looked.wait_for(self._is_fresh, timeout_s)

    def _is_fresh(self) -> bool:
        at = self._looked_at
        return at is not None and (self.away is not None or time.monotonic() - at < _FRESH_S)

    def look(self, and_do: Callable[[], None]) -> None:
        """Find out whether the server can be used: for the session, and to do that."""
        self._look_began = time.monotonic()
        try:
            self.meet()
            and_do()
            error = None
        except VoxError as exc:
            error = exc
            if self.away is None or self.away.message != exc.message:
                log.warning("%s", exc.line)
        is_changed = self._looked_at is not None and (error is None) != (self.away is None)
        # A server that stays away is no change, however long each look takes.
        if is_changed or (error is None and self._is_slow):
            self.changed_at = time.monotonic()
        self._look_began = None
        with self._looked:
            self.away, self._looked_at = error, time.monotonic()
            self._looked.notify_all()

    def meet(self) -> None:
        """Keep the session alive, and see who else is there. Raises WorkersAway."""
        ttl_s = max(30.0, 3 * self._times.lease_s)
        was_known, found = self._announcements.look_as(self._id, ttl_s)
        self.is_forgotten = self.is_forgotten or not was_known
        self.workers = tuple(found)
        self._known = tuple(worker for worker in found if worker.is_ours)

    @property
    def _is_slow(self) -> bool:
        """The server answers slowly: all leases may run out at once."""
        began = self._look_began
        return began is not None and time.monotonic() - began > self._times.held_s / 2

    @property
    def is_troubled(self) -> bool:
        """Whether the server may be to blame for workers that are lost now."""
        since_s = time.monotonic() - self.changed_at
        # Leases that ran out meanwhile are reported up to one lease later.
        return self.away is not None or self._is_slow or since_s < 2 * self._times.held_s

    @property
    def state(self) -> tuple[Any, ...]:
        """What decides where requests go."""
        return self.away is None, [(each.id, each.lanes, each.warm) for each in self._known]

    def serving(self, lane: str) -> list[str]:
        """The ids of the workers that take requests from that lane."""
        return [worker.id for worker in self._known if lane in worker.lanes]

    def is_warm(self, lane: str) -> bool:
        """Whether a worker has the model of that lane loaded."""
        return any(lane in worker.warm for worker in self._known)

    @property
    def concurrency(self) -> int:
        """How many requests all workers make at once."""
        return sum(worker.concurrency for worker in self._known)

    def width(self, lane: str) -> int:
        """How many requests of that lane the workers make at once."""
        return sum(worker.concurrency for worker in self._known if lane in worker.lanes)
