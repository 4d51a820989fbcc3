"""What a queue's worker does in tests of the queue: it remembers."""

from __future__ import annotations

import threading


class Ran:
    """Which jobs were run, and a way to wait for them."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, job_id: str) -> None:
        with self._changed:
            self.ids.append(job_id)
            self._changed.notify_all()

    def wait(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ids) >= count, timeout=30), self.ids
        return self.ids
