"""A light backend's call without a daemon: the queue is drained here, in the caller's process.

Only as long as the caller's own job takes; it waits for its turn if another such call, or a
daemon that just starts, is at it. What others queued meanwhile is left to a daemon.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from ..config import LiveConfig
from ..engine.engine import Engine, consumer_lock
from ..errors import WaitTimeout
from ..jobs import Request
from ..paths import Paths
from ..queue.events import Event

TURN_S = 0.05
"""How often to look whether it is our turn."""


class Foreground:
    """Speaks one job in this process; `cancel` may come from a signal handler's thread."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._config = LiveConfig(paths.config_path)
        self._engine = Engine(paths, self._config, serves_streams=False)
        self._lock = contextlib.ExitStack()
        self.job_id: str | None = None

    def submit(self, request: Request) -> dict[str, Any]:
        """Make the job durable. Raises as `Submitter.submit`."""
        job = self._engine.submit(request)
        self.job_id = job.id
        return job.to_dict()

    def speak(
        self, on_event: Any = lambda _name, _data: None, timeout_s: float | None = None
    ) -> dict[str, Any]:
        """Drain the queue until the job has ended; returns it. Raises WaitTimeout."""
        assert self.job_id is not None
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            # Not blocking: whoever has the lock, perhaps a daemon that stays, may speak our job.
            if self._take_turn():
                return self._drain(self.job_id, on_event, deadline)
            job = self._engine.store.get(self.job_id)
            if not job.is_live:
                return job.to_dict()
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeout(f"job {job.id} goes on")
            time.sleep(TURN_S)

    def _take_turn(self) -> bool:
        """Get the consumer lock if it is free; it is held until the engine is closed."""
        with contextlib.ExitStack() as lock:
            if lock.enter_context(consumer_lock(self._paths, blocking=False)):
                self._lock = lock.pop_all()
                return True
        return False

    def _drain(self, job_id: str, on_event: Any, deadline: float | None) -> dict[str, Any]:
        """Until the job has ended. Raises WaitTimeout."""
        ended = threading.Event()
        told: list[dict[str, Any]] = []

        def hear(event: Event) -> None:
            if event.job_id == job_id:
                on_event(event.name, event.data)
                if event.data.get("exit_code") is not None:
                    told.append(event.data)
                    ended.set()

        self._engine.bus.subscribe(hear)
        job = self._engine.store.get(job_id)
        if not job.is_live:
            return job.to_dict()
        self._engine.start()
        if not ended.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
            raise WaitTimeout(f"job {job_id} goes on")
        return told[0]

    def cancel(self) -> None:
        if self.job_id is not None:
            self._engine.cancel(self.job_id)

    def close(self) -> bool:
        """Leave; True if other jobs wait, for which a daemon is needed."""
        try:
            others_wait = not self._engine.is_idle
            self._engine.close()
            return others_wait
        finally:
            self._lock.close()
