"""Tells the bus what happened to jobs: what an event says of a job, and in which order.

Knows nothing of tables.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..jobs import Job
from ..outlook import Outlook
from .events import Bus

EVENT_TEXT = 500
"""An event holds so many characters of its job's text."""
ENDED_KNOWN = 1_000
"""Of so many jobs it is known that their end was told."""

_NOT_AT_ONCE = ("position", "starts_in_s", "starts_in_is_exact")


class Telling:
    """Publishes what became of jobs. Any thread may use it.

    After the end of a job nothing else is told of it: the threads that change it may come here in
    another order than the one in which they changed it. The end is told once, and again when it is
    written that a full disk held up.
    """

    def __init__(self, bus: Bus | None, outlook: Callable[[Job], Outlook]) -> None:
        """`outlook`: what is known at once of a job."""
        self._bus = bus
        self._outlook = outlook
        self._lock = threading.Lock()
        self._ended: dict[str, bool] = {}
        """Of each job whose end was told: whether that was written before."""

    def begin(self, job_id: str) -> None:
        """A new job has this id, which a cleared one may have had."""
        with self._lock:
            self._ended.pop(job_id, None)

    def publish(self, name: str, job: Job, is_written: bool = True) -> None:
        """Tell the listeners of the bus what happened to the job.

        `is_written`: False for an end that the table does not have yet.
        """
        if self._bus is None:
            return
        data = self._told(name, job)
        with self._lock:
            is_end = name == "state" and not job.is_live
            is_news = is_end and is_written and not self._ended.get(job.id)
            if job.id in self._ended and not is_news:
                return
            if is_end:
                self._note_end(job, is_written)
            if job.private and not job.is_live:
                self._bus.forget([job.id])
            self._bus.publish(name, job.id, data)

    def publish_mark(self, job_id: str, name: str) -> None:
        """Tell that a mark of the job is heard."""
        with self._lock:
            if self._bus is not None and job_id not in self._ended:
                self._bus.publish("mark", job_id, {"id": job_id, "name": name})

    def _note_end(self, job: Job, is_written: bool) -> None:
        self._ended.pop(job.id, None)
        self._ended[job.id] = is_written
        if len(self._ended) > ENDED_KNOWN:
            del self._ended[next(iter(self._ended))]

    def _told(self, name: str, job: Job) -> dict[str, Any]:
        """What an event tells of the job."""
        data = job.to_dict(self._outlook(job))
        if job.is_live:
            # An event of its own tells of these: see `Announcer`.
            unknown = _NOT_AT_ONCE if job.sink == "play" else (*_NOT_AT_ONCE, "left_s")
            for field in unknown:
                del data[field]
        elif job.private:
            data["text"] = ""
        # Events come after every utterance and are kept: all of a long text would be too large.
        if name != "state":
            del data["text"]
        elif len(job.text) > EVENT_TEXT:
            data["text"] = job.text[:EVENT_TEXT]
            data["text_is_cut"] = True
        return data
