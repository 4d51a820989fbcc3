"""Calls to the player's listener that wait until the sound written before them is audible."""

from __future__ import annotations

import collections
import logging
from collections.abc import Callable
from typing import NamedTuple

from .playback import Playback

log = logging.getLogger(__name__)


class _Notice(NamedTuple):
    at: float
    playback: Playback
    notify: Callable[[], None]


class Notices:
    """Calls in the order in which they were added. For the player's thread alone."""

    def __init__(self) -> None:
        self._waiting: collections.deque[_Notice] = collections.deque()

    @property
    def next_at(self) -> float | None:
        """When (monotonic) the first is due; None if none waits."""
        return self._waiting[0].at if self._waiting else None

    def add(self, at: float, playback: Playback, notify: Callable[[], None]) -> None:
        """Make the call at `at` (monotonic), never earlier than the call before it."""
        self._waiting.append(_Notice(at, playback, notify))

    def drop(self, playback: Playback) -> None:
        """Forget the calls about a playback: it is not heard after all, or later again."""
        self._waiting = collections.deque(
            notice for notice in self._waiting if notice.playback is not playback
        )

    def deliver(self, now: float) -> None:
        """Make the calls that are due. What they raise is logged."""
        while self._waiting and self._waiting[0].at <= now:
            try:
                self._waiting.popleft().notify()
            except Exception:
                log.exception("a listener of the player failed")
