"""Who may use the pool: one at a time, in the order in which they came.

The queue's worker takes a turn for each job, and whoever wants a model warm takes one too. So one
model at a time is loaded or synthesizes. Knows nothing of hosts.
"""

from __future__ import annotations

import collections
import contextlib
import threading
from collections.abc import Callable, Iterator

CHECK_S = 0.5
"""How often those who wait look whether they still want their turn."""


class Turns:
    """Any thread may take a turn."""

    def __init__(self) -> None:
        self._line: collections.deque[object] = collections.deque()
        self._changed = threading.Condition()

    @property
    def is_taken(self) -> bool:
        """Somebody has the turn."""
        return bool(self._line)

    @property
    def is_awaited(self) -> bool:
        """Somebody waits for the turn."""
        return len(self._line) > 1

    @contextlib.contextmanager
    def take(self, check_wanted: Callable[[], None]) -> Iterator[None]:
        """Wait for the turn and have it in the block.

        `check_wanted` is called while it waits and once it has the turn; it gives up by raising.
        """
        me = object()
        with self._changed:
            self._line.append(me)
        try:
            while not self._is_first(me):
                check_wanted()
            check_wanted()
            yield
        finally:
            with self._changed:
                self._line.remove(me)
                self._changed.notify_all()

    def _is_first(self, me: object) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._line[0] is me, CHECK_S)
