"""A light backend's call without a daemon: the queue is drained here, in the caller's process.

Only as long as the caller's own job takes; it waits for its turn if another such call, or a
daemon that just starts, is at it. What others queued meanwhile is left to a daemon.
"""

from __future__ import annotations

import threading
from typing import Any

from ..config import LiveConfig
from ..errors import WaitTimeout
from ..jobs import Request
from ..paths import Paths
from .engine import Engine, consumer_lock
from .events import Event


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
        job_id, ended = self.job_id, threading.Event()

        def hear(event: Event) -> None:
            if event.job_id == job_id:
                on_event(event.name, event.data)
                if event.data.get("exit_code") is not None:
                    ended.set()

        self._engine.bus.subscribe(hear)
        with consumer_lock(self._paths):
            if self._engine.store.get(job_id).is_live:
                self._engine.start()
                if not ended.wait(timeout_s):
                    raise WaitTimeout(f"job {job_id} is given up after {timeout_s:g} s")
        return self._engine.store.get(job_id).to_dict()

    def cancel(self) -> None:
        if self.job_id is not None:
            self._engine.cancel(self.job_id)

    def close(self) -> bool:
        """Leave; True if other jobs wait, for which a daemon is needed."""
        others_wait = not self._engine.is_idle
        self._engine.close(now=True)
        return others_wait
