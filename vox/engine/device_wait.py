"""Jobs that wait for a sound device: who waits how long, and who is told.

What a process waits for fails after `device_wait_s`. Other jobs wait until they expire, or fail as
well if the setting `no_device` says so. The player looks for the device; this looks at the jobs.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from ..audio.absence import Absence
from ..audio.player import Player
from ..config import Config
from ..errors import NoAudioOutput, StorageError, VoxError
from ..jobs import NO_DEVICE, Job
from ..queue.store import Store

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often it looks at the jobs while they wait."""


class DeviceWait:
    """A thread that looks at the jobs as long as they wait for a device; else there is none."""

    def __init__(
        self,
        store: Store,
        player: Player,
        config: Callable[[], Config],
        fail: Callable[[str, VoxError], None],
    ) -> None:
        """`fail`: called with the id of a job that has waited long enough, and the error."""
        self._store = store
        self._player = player
        self._config = config
        self._fail = fail
        self._since: dict[str, float] = {}
        """When (monotonic) each job began to wait."""
        self._lock = threading.Lock()
        self._is_running = False
        self._closing = threading.Event()

    def begin(self) -> None:
        """Jobs wait for a device from now on. Returns at once; for the player's thread."""
        with self._lock:
            if self._is_running or self._closing.is_set():
                return
            self._is_running = True
        threading.Thread(target=self._watch, name="device-wait", daemon=True).start()

    def close(self) -> None:
        self._closing.set()

    def _watch(self) -> None:
        while True:
            with self._lock:
                absence = self._player.absence
                if absence is None or self._closing.is_set():
                    self._is_running = False
                    break
            pause_s = LOOK_S
            try:
                pause_s = self._look(absence)
            except StorageError as exc:
                log.error("%s", exc.line)
            except Exception:
                log.exception("jobs that wait for a device")
            self._closing.wait(pause_s)
        for job_id in self._since:
            self._show(job_id, None)
        self._since = {}

    def _look(self, absence: Absence) -> float:
        """Fail those that have waited long enough; seconds until it is to look again."""
        now = time.monotonic()
        is_first = not self._since
        pause_s = LOOK_S
        for job in self._waiting():
            if job.id not in self._since:
                self._since[job.id] = absence.since if is_first else now
                self._tell(job)
            left_s = self._since[job.id] + self._limit_s(job) - now
            if left_s <= 0:
                self._fail(job.id, NoAudioOutput(absence.error.message, absence.error.hint))
            else:
                pause_s = min(pause_s, left_s)
        return pause_s

    def _waiting(self) -> list[Job]:
        """The jobs whose audio the player has, and all that a process waits for."""
        jobs = {job.id: job for job in self._store.awaited()}
        for job_id in (self._player.current, *self._player.waiting):
            if job_id and job_id not in jobs and (job := self._store.find(job_id)):
                jobs[job.id] = job
        return [job for job in jobs.values() if job.is_live]

    def _limit_s(self, job: Job) -> float:
        config = self._config()
        waits = job.caller is None and config["no_device"] == "wait"
        return math.inf if waits else float(config["device_wait_s"])

    def _tell(self, job: Job) -> None:
        self._show(job.id, "a sound device")
        if job.caller is None:  # nobody else reads it now
            self._store.add_note(job.id, NO_DEVICE)

    def _show(self, job_id: str, what: str | None) -> None:
        """Tell who follows the job what it waits for."""
        if self._store.bus is not None:
            self._store.bus.publish("progress", job_id, {"id": job_id, "waiting_for": what})
