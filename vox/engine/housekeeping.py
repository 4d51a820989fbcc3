"""What the engine looks at every second: callers that are gone, time that is over, memory, disk."""

from __future__ import annotations

import logging
import math
import threading
import time

from .. import callers
from ..errors import StorageError
from .parts import Parts
from .table_requests import TableRequests

log = logging.getLogger(__name__)

TICK_S = 1.0
"""How often the housekeeping runs."""

STRANDED_EVERY_S = 10.0
"""How often it looks for queued jobs without a task, and for audio to evict."""

BUSY_UNLOAD_S = 60.0
"""A model stays loaded at least so long while jobs are live: the next one may need it."""


class Housekeeping:
    """A thread, from `start` to `close`."""

    def __init__(self, parts: Parts, requests: TableRequests, look_s: float) -> None:
        """`look_s`: how often it looks for what others write into the table."""
        self._parts = parts
        self._requests = requests
        self._look_s = look_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        self._next_stranded = time.monotonic() + STRANDED_EVERY_S

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """No look begins after this."""
        self._closing.set()

    def _run(self) -> None:
        next_tick = time.monotonic() + TICK_S
        while not self._closing.wait(self._look_s):
            try:
                if time.monotonic() >= next_tick:
                    next_tick = time.monotonic() + TICK_S
                    self._parts.store.check_file()
                    self.tick()
                elif self._requests.is_changed():
                    self._requests.look()
            except StorageError as exc:
                log.error("housekeeping: %s", exc.line)
            except Exception:
                log.exception("housekeeping")
            if self._parts.damage is not None:
                self._parts.on_damage()

    def tick(self) -> None:
        """Do all of it once. Raises StorageError."""
        parts = self._parts
        self.cancel_abandoned()
        self._requests.look()
        parts.texts.look()
        self._requests.write_pause()
        at_work = {run.job.id for run in parts.running}
        parts.store.erase_private(parts.forget_audio, at_work)
        for job in parts.store.expire(parts.player.current if parts.player.absence else None):
            parts.drop(job.id)
        if time.monotonic() >= self._next_stranded:
            self._next_stranded = time.monotonic() + STRANDED_EVERY_S
            parts.send_stranded()
            parts.spools.evict(keep=parts.store.live_ids())
            parts.worker.forget_ended(parts.store.live_ids)
            parts.workers_wait.forget_ended(parts.store.live_ids)
            parts.utterances.evict()
        parts.worker.stop_useless_load()
        parts.fleet.tick()
        self.set_up_pool()
        parts.models.unload_due()
        if parts.warms_kept:
            parts.kept.look()

    def cancel_abandoned(self) -> None:
        """Cancel the jobs whose callers are gone."""
        parts = self._parts
        bound = parts.store.callers()
        gone = {caller for caller in {caller for _, caller in bound} if callers.is_gone(caller)}
        for job_id, caller in bound:
            # Who has been told how its job ended goes away before that is in the table.
            if caller not in gone or parts.outcomes.is_ending(job_id):
                continue
            if parts.store.cancel_abandoned(job_id, caller):
                parts.drop(job_id)

    def set_up_pool(self) -> None:
        """Tell the pool how long models stay loaded that no request keeps loaded."""
        parts, config = self._parts, self._parts.config()
        parts.pool.keep = [parts.catalog.host_of(name) for name in config["keep"]]
        idle_timeout_s = config.idle_timeout_s
        at_least_s = BUSY_UNLOAD_S if parts.store.count_live() else TICK_S
        never = idle_timeout_s < 0
        parts.pool.keep_alive_s = math.inf if never else max(idle_timeout_s, at_least_s)
