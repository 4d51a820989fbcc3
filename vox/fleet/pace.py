"""How often a client looks at the server: each second while it is used, seldom while it rests.

A thousand clients may share a server, and most of them rest.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from .lease_times import LeaseTimes

REST_AFTER_S = 15.0
"""A client rests after this time without a request."""


class Pace:
    """One thread waits; any may use it."""

    def __init__(self, times: LeaseTimes, clock: Callable[[], float] = time.monotonic) -> None:
        self._times = times
        self._clock = clock
        self._used_at = clock()
        self._is_due = threading.Event()
        self._is_ended = False

    def use(self) -> None:
        """Note a use of the workers: after a rest, a look is due at once."""
        now = self._clock()
        if now - self._used_at > REST_AFTER_S:
            self.hurry()
        self._used_at = now

    def hurry(self) -> None:
        """A look is due at once."""
        self._is_due.set()

    def pause_s(self, is_busy: bool) -> float:
        """Seconds between two looks. `is_busy`: requests are under way."""
        if is_busy or self._clock() - self._used_at < REST_AFTER_S:
            return min(1.0, self._times.beat_s)
        return self._times.rest_s

    def wait(self, is_busy: bool) -> None:
        """Wait until a look is due."""
        # Clients that lost their server at one instant do not come back to it at one instant.
        self._is_due.wait(self.pause_s(is_busy) * random.uniform(0.8, 1.0))
        if not self._is_ended:
            self._is_due.clear()

    def end(self) -> None:
        """End the waiting for good."""
        self._is_ended = True
        self.hurry()
