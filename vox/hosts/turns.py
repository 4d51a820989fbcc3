"""Who may use the pool: one at a time, whoever has the first rank, and of these who came first.

The queue's worker takes a turn for each job, and whoever wants a model warm takes one too. So one
model at a time is loaded or synthesizes. Knows nothing of hosts and jobs.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator

CHECK_S = 0.5
"""How often those who wait look whether they still want their turn."""

Rank = Callable[[], tuple[int, ...]]
"""Says who goes first, the smaller; it may change while somebody waits."""


def no_rank() -> tuple[int, ...]:
    """In the order in which they came."""
    return ()


class Turns:
    """Any thread may take a turn."""

    def __init__(self) -> None:
        self._waiting: list[Rank] = []
        self._is_taken = False
        self._changed = threading.Condition()

    @property
    def is_taken(self) -> bool:
        """Somebody has the turn, or waits for it."""
        return self._is_taken or bool(self._waiting)

    @property
    def is_awaited(self) -> bool:
        """Somebody waits for it."""
        return bool(self._waiting)

    @contextlib.contextmanager
    def take(self, check_wanted: Callable[[], None], rank: Rank = no_rank) -> Iterator[None]:
        """Wait for the turn and have it in the block.

        `check_wanted` is called while it waits and once it has the turn; it gives up by raising.
        """
        self._wait(check_wanted, rank)
        try:
            check_wanted()
            yield
        finally:
            with self._changed:
                self._is_taken = False
                self._changed.notify_all()

    def _wait(self, check_wanted: Callable[[], None], rank: Rank) -> None:
        mine = functools.partial(rank)  # to be told from another one's of the same rank
        with self._changed:
            self._waiting.append(mine)
        try:
            while not self._has_begun(mine):
                check_wanted()
        except BaseException:
            with self._changed:
                self._waiting.remove(mine)
                self._changed.notify_all()
            raise

    def _has_begun(self, mine: Rank) -> bool:
        def is_next() -> bool:
            return not self._is_taken and min(self._waiting, key=lambda each: each()) is mine

        with self._changed:
            if not self._changed.wait_for(is_next, CHECK_S):
                return False
            self._waiting.remove(mine)
            self._is_taken = True
            return True
