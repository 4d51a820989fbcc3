"""Does what other processes, which found no daemon, ask for in the job table.

They cancel jobs there, pause speech and move in it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from ..errors import StorageError
from ..queue.store import PAUSE
from .parts import Parts

log = logging.getLogger(__name__)


class TableRequests:
    """`look` and `is_changed` are for one thread; any may pause."""

    def __init__(self, parts: Parts, may_wait: Callable[[], bool]) -> None:
        """`may_wait`: whether a pause need not be in the table at once: this process speaks."""
        self._parts = parts
        self._store = parts.store
        self._player = parts.player
        self._may_wait = may_wait
        self._was_flagged = False
        """Whether the table said last that speech is paused."""
        self._version = -1
        """Of the table, when it was looked at last."""

    def is_changed(self) -> bool:
        """Whether the table was changed by others since this was asked last."""
        before = self._version
        with contextlib.suppress(StorageError):  # the next tick tells
            self._version = self._store.version
        return self._version != before

    def look(self) -> None:
        """Do what the table says. Raises StorageError."""
        self._stop_cancelled()
        self.look_for_pause()
        self._parts.sources.look()
        self._move()

    def _stop_cancelled(self) -> None:
        at_work = {*self._parts.worker.running_ids, self._player.current, *self._player.waiting}
        found = (self._store.find(job_id) for job_id in at_work if job_id)
        ended = {job.id: job for job in found if job is not None and not job.is_live}
        self._parts.dropped &= ended.keys()
        for job_id in ended.keys() - self._parts.dropped:
            self._parts.drop(job_id)
            self._store.publish("state", ended[job_id])

    def look_for_pause(self) -> None:
        """Pause or resume if the table says so."""
        is_flagged = self._store.is_set(PAUSE)
        if is_flagged != self._was_flagged:
            self._was_flagged = is_flagged
            self._player.pause() if is_flagged else self._player.resume()
            for job_id in filter(None, (self._player.current, *self._player.waiting)):
                paused = {"id": job_id, "paused": is_flagged}
                self._parts.bus.publish("progress", job_id, paused)

    def _move(self) -> None:
        if steps := self._store.moves.asked:
            if moved := self._player.move(steps):
                job_id, heard = moved
                self._store.note(job_id, heard=heard)
            self._store.moves.done(steps)

    def set_paused(self, is_paused: bool) -> None:
        """Pause or resume, and have the table say so, now or once that can be written."""
        self._player.pause() if is_paused else self._player.resume()
        self._flag_pause(is_paused)

    def _flag_pause(self, is_paused: bool) -> None:
        try:
            self._store.set_flag(PAUSE, is_paused)
            self._was_flagged = is_paused
        except StorageError as exc:
            if not self._may_wait():
                raise
            log.error("the pause cannot be saved yet: %s", exc.line)

    @property
    def unwritten_pause(self) -> bool | None:
        """Whether speech is paused, if the table does not say so yet; None: it does."""
        is_paused = self._player.is_paused
        return None if is_paused == self._was_flagged else is_paused

    def write_pause(self) -> None:
        """Have the table say whether speech is paused, if it does not yet."""
        if self.unwritten_pause is not None:
            self._flag_pause(self.unwritten_pause)
