"""Who may use the pool: one at a time, whoever has the first rank, and of these who came first.

Runs of jobs take turns, and whoever wants a model warm takes one too. So one model at a time is
loaded or synthesizes. But who goes before all that have a turn need not wait for its end, if its
model shares nothing with theirs (`Pool.turn`). Knows nothing of hosts and jobs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

CHECK_S = 0.5
"""How often those who wait look whether they still want their turn."""

Rank = Callable[[], tuple[int, ...]]
"""Says who goes first, the smaller; it may change while somebody waits."""


def no_rank() -> tuple[int, ...]:
    """In the order in which they came."""
    return ()


def never(_keys: Collection[str]) -> bool:
    """It shares something with every other."""
    return False


class _Turn(NamedTuple):
    key: str
    rank: Rank
    shares_nothing: Callable[[Collection[str]], bool]
    mark: object
    """To be told from another of the same key and rank."""


class Turns:
    """Any thread may take a turn."""

    def __init__(self) -> None:
        self._waiting: list[_Turn] = []
        self._taken: list[_Turn] = []
        self._changed = threading.Condition()

    @property
    def is_taken(self) -> bool:
        """Somebody has a turn, or waits for it."""
        return bool(self._taken or self._waiting)

    @property
    def is_awaited(self) -> bool:
        """Somebody waits for it."""
        return bool(self._waiting)

    @contextlib.contextmanager
    def take(
        self,
        check_wanted: Callable[[], None],
        rank: Rank = no_rank,
        key: str = "",
        shares_nothing: Callable[[Collection[str]], bool] = never,
    ) -> Iterator[None]:
        """Wait for the turn and have it in the block.

        `check_wanted` is called while it waits and once it has the turn; it gives up by raising.
        `shares_nothing`: given the keys of those that have a turn, whether it may begin beside
        them; `key`: its own.
        """
        me = _Turn(key, rank, shares_nothing, object())
        self._wait(check_wanted, me)
        try:
            check_wanted()
            yield
        finally:
            with self._changed:
                self._taken.remove(me)
                self._changed.notify_all()

    def _wait(self, check_wanted: Callable[[], None], me: _Turn) -> None:
        with self._changed:
            self._waiting.append(me)
        try:
            while not self._has_begun(me):
                check_wanted()
        except BaseException:
            with self._changed:
                self._waiting.remove(me)
                self._changed.notify_all()
            raise

    def _has_begun(self, me: _Turn) -> bool:
        with self._changed:
            if not self._changed.wait_for(lambda: self._may_begin(me), CHECK_S):
                return False
            self._waiting.remove(me)
            self._taken.append(me)
            return True

    def _may_begin(self, me: _Turn) -> bool:
        if min(self._waiting, key=lambda each: each.rank()) is not me:
            return False
        goes_first = all(me.rank() < other.rank() for other in self._taken)
        return not self._taken or (
            goes_first and me.shares_nothing([other.key for other in self._taken])
        )
