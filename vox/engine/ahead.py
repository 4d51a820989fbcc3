"""Makes the pieces of a long text ahead of who takes them, in a thread of its own.

So the first sound does not wait for them, and their number is known soon all the same.
"""

from __future__ import annotations

import collections
import contextlib
import threading
import time
from collections.abc import Iterator

from ..text.speakable import Piece

MOST_AHEAD = 50_000
"""So many pieces are kept until they are taken."""


class Ahead:
    """Takes what an iterator gives in a thread of its own, and gives it on in order.

    The thread works half of the time while nobody waits for it: others need the interpreter too.
    """

    def __init__(
        self,
        source: Iterator[Piece | None],
        most: int = MOST_AHEAD,
        inside: contextlib.AbstractContextManager[None] | None = None,
    ) -> None:
        """`inside`: what the thread works in."""
        self._source = source
        self._inside = inside or contextlib.nullcontext()
        self._most = most
        self._ready: collections.deque[Piece | None] = collections.deque()
        self._changed = threading.Condition()
        self._is_over = self._is_closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="pieces", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Piece | None]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._is_over)
                if not self._ready:
                    if self._error is not None:
                        raise self._error
                    return
                piece = self._ready.popleft()
                self._changed.notify_all()
            yield piece

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._inside:
                while not self._is_closed:
                    self._make_one()
        except StopIteration:
            pass
        except BaseException as exc:  # raised again in the thread that takes the pieces
            self._error = exc
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _make_one(self) -> None:
        began = time.monotonic()
        piece = next(self._source)
        took_s = time.monotonic() - began
        with self._changed:
            self._ready.append(piece)
            self._changed.notify_all()
            self._changed.wait_for(self._is_wanted_now, took_s)
            self._changed.wait_for(lambda: self._is_closed or self._has_room)

    def _is_wanted_now(self) -> bool:
        return self._is_closed or not self._ready

    @property
    def _has_room(self) -> bool:
        return len(self._ready) < self._most
