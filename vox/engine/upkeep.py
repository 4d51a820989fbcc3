"""Keeps the history in order while jobs are spoken: little by little, in a thread of its own.

Takes ended jobs into the index for the search, and gets deleted texts out of it.
"""

from __future__ import annotations

import logging
import threading

from ..errors import StorageError, VoxError
from ..queue.store import Store

log = logging.getLogger(__name__)

FIRST_S = 5.0
"""So long after the start it begins: the first sound comes first."""
EVERY_S = 60.0
"""How often it looks for something to do."""
PAUSE_S = 0.03
"""Between two steps, of a few milliseconds each, others write."""


class Upkeep:
    """`start` begins it, `close` ends it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """No step begins after this."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def _run(self) -> None:
        pause_s = FIRST_S
        while not self._closing.wait(pause_s):
            pause_s = EVERY_S
            try:
                if self.step():
                    pause_s = PAUSE_S
            except StorageError as exc:
                log.error("the history is not kept in order: %s", exc.line)
            except VoxError:  # the store is closed
                return
            except Exception:
                log.exception("upkeep")

    def step(self) -> bool:
        """Do a little; True if there may be more to do. Raises StorageError."""
        index = self._store.history.index
        return index.add_some() or index.purge()
