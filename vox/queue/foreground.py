"""A light backend's call without a daemon: the queue is drained here, in the caller's process.

Only as long as the caller's own job takes; it waits for its turn if another such call, or a
daemon that just starts, is at it. What others queued meanwhile is left to a daemon.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from ..config import LiveConfig
from ..errors import WaitTimeout
from ..jobs import Request
from ..paths import Paths
from .engine import Engine, consumer_lock
from .events import Event

TURN_S = 0.05
"""How often to look whether it is our turn."""


class Foreground:
    """Speaks one job in this process; `cancel` may come from a signal handler's thread."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._config = LiveConfig(paths.config_path)
        self._engine = Engine(paths, self._config)
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
            with consumer_lock(self._paths, blocking=False) as is_ours:
                if is_ours:
                    self._drain(self.job_id, on_event, deadline)
            job = self._engine.store.get(self.job_id)
            if not job.is_live:
                return job.to_dict()
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeout(f"job {job.id} goes on")
            time.sleep(TURN_S)

    def _drain(self, job_id: str, on_event: Any, deadline: float | None) -> None:
        """Until the job has ended or the deadline has passed. We hold the consumer lock."""
        ended = threading.Event()

        def hear(event: Event) -> None:
            if event.job_id == job_id:
                on_event(event.name, event.data)
                if event.data.get("exit_code") is not None:
                    ended.set()

        self._engine.bus.subscribe(hear)
        if self._engine.store.get(job_id).is_live:
            self._engine.start()
            ended.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def cancel(self) -> None:
        if self.job_id is not None:
            self._engine.cancel(self.job_id)

    def close(self) -> bool:
        """Leave; True if other jobs wait, for which a daemon is needed."""
        others_wait = not self._engine.is_idle
        self._engine.close(now=True)
        return others_wait
