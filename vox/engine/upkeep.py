"""Keeps the history in order while jobs are spoken: little by little, in a thread of its own.

Takes ended jobs into the index for the search, forgets those that are older than `history_days`,
and gets deleted texts out of the index and the log.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..audio.utterances import UtteranceCache
from ..config import Config
from ..errors import StorageError, VoxError
from ..queue.forgetting import ForgetAudio
from ..queue.store import Store

log = logging.getLogger(__name__)

FIRST_S = 5.0
"""So long after the start it begins: the first sound comes first."""
EVERY_S = 60.0
"""How often it looks for something to do."""
PAUSE_S = 0.03
"""Between two steps, of a few milliseconds each, others write."""
FORGET_EVERY_S = 3_600.0
DAY_S = 86_400.0


class Upkeep:
    """`start` begins it, `close` ends it."""

    def __init__(
        self,
        store: Store,
        config: Callable[[], Config],
        utterances: UtteranceCache,
        forget_audio: ForgetAudio,
    ) -> None:
        self._store = store
        self._config = config
        self._utterances = utterances
        self._forget_audio = forget_audio
        self._forgets_at = 0.0
        """When it looks for old jobs next, by the monotonic clock."""
        self._log_holds_texts = False
        """Whether deleted texts may be in the write-ahead log."""
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
        if self._forget_old() or index.add_some() or index.purge():
            return True
        if self._log_holds_texts:
            self._store.truncate_log()
            self._log_holds_texts = False
        return False

    def _forget_old(self) -> bool:
        """Forget some jobs that ended too long ago; True if there may be more."""
        days = self._config()["history_days"]
        if not days or time.monotonic() < self._forgets_at:
            return False
        gone = self._store.forgetting.clear_some(days * DAY_S, self._forget_audio)
        if gone:
            log.info("%d jobs ended more than %g days ago: forgotten", len(gone), days)
            self._log_holds_texts = True
            return True
        self._utterances.clear(days * DAY_S)
        self._forgets_at = time.monotonic() + FORGET_EVERY_S
        return False
