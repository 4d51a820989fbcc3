"""Pauses and mutes the jobs of one source.

A pause stands in the job table and holds the source's jobs back in the queue, where they hold up
nobody; what was heard goes on from its sentence. Muting stands in the settings: the jobs are done
at once, unheard. Both are about the loudspeaker: files and streams are made all the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from .. import config as settings
from ..audio.player import Player
from ..config import Config
from ..errors import StorageError
from ..jobs import Job
from ..queue import recovery
from ..queue.pauses import flag_of
from ..queue.store import Store
from ..queue.tasks import Tasks
from .muting import end_all_muted
from .worker import Worker

log = logging.getLogger(__name__)


class Sources:
    """The sources of an engine's jobs. Any thread may use it."""

    def __init__(
        self,
        store: Store,
        worker: Worker,
        player: Player,
        tasks: Tasks,
        config: Callable[[], Config],
        config_path: str,
        drop: Callable[[str], object],
    ) -> None:
        """`drop`: called with the id of a job that has ended."""
        self._store = store
        self._worker = worker
        self._player = player
        self._tasks = tasks
        self._config = config
        self._config_path = config_path
        self._drop = drop
        self._lock = threading.Lock()
        self._paused = store.paused_sources()
        """As the table said last."""

    @property
    def paused(self) -> list[str]:
        """Those that are paused, by name."""
        return sorted(self._paused)

    @property
    def muted(self) -> list[str]:
        """Those that are muted, by name."""
        return sorted(self._config().muted_sources)

    def is_held(self, job: Job) -> bool:
        """Whether the job waits because its source is paused."""
        return job.sink == "play" and job.source in self._paused

    def pause(self, source: str) -> None:
        """Hold the source's jobs back until `resume`, beyond a restart as well."""
        self._flag(source, is_paused=True)

    def resume(self, source: str) -> None:
        self._flag(source, is_paused=False)

    def _flag(self, source: str, is_paused: bool) -> None:
        self._store.set_flag(flag_of(source), is_paused)
        self.look()

    def mute(self, source: str, is_muted: bool) -> None:
        """Have the source's jobs end unheard. Raises BadConfig, StorageError."""
        settings.mute(self._config_path, source, is_muted)
        self.look()

    def look(self) -> None:
        """Do what the table and the settings say: another process may have changed them."""
        with self._lock:
            paused = self._store.paused_sources()
            changed, self._paused = paused ^ self._paused, paused
            if changed:
                self._hold_back(changed)
            for job in end_all_muted(self._store, self._config()):
                if not job.is_open:
                    self._drop(job.id)
                elif job.state != "queued":
                    self._put_back(job)

    def _hold_back(self, changed: frozenset[str]) -> None:
        """Put what has begun of the paused sources back, and let the worker see the others."""
        for job in self._store.live_of(changed):
            if job.source in self._paused and job.state != "queued":
                self._put_back(job)
            self._tell(job)
        try:
            with self._store.in_order():
                recovery.send_all(self._store, self._tasks)
        except StorageError as exc:  # what is missing is sent by the housekeeping
            log.error("the tasks of jobs that are not paused: %s", exc.line)

    def remind(self) -> None:
        """Tell whoever waits for a held job that it waits, though all other speech goes on."""
        for job in self._store.live_of(self._paused):
            self._tell(job)

    def _tell(self, job: Job) -> None:
        if self._store.bus is not None:
            paused = {"id": job.id, "paused": self.is_held(job)}
            self._store.bus.publish("progress", job.id, paused)

    def _put_back(self, job: Job) -> None:
        """Put a job back into the queue, from which it goes on with the sentence it is at."""
        # The worker first: it adds no playback after this one is cut off.
        is_worked_on = self._worker.put_back(job.id)
        if self._player.cancel(job.id) and not is_worked_on:
            recovery.give_back(self._store, job.id)
