"""The lines of the log about jobs: when each begins and how it ends.

Never what it says, and no message that may quote it: the log is no place for texts.
"""

from __future__ import annotations

import logging
from typing import Any

from ..jobs import ENDED
from ..queue.events import Event

log = logging.getLogger(__name__)


class JobLog:
    """Hears the bus, and logs each job's begin and end once."""

    def __init__(self) -> None:
        self._begun: set[str] = set()

    def on_event(self, event: Event) -> None:
        # Of those that are not kept it would say when each key was pressed.
        if event.name != "state" or event.data["unkept"]:
            return
        state = event.data["state"]
        if state == "preparing" and event.job_id not in self._begun:
            self._begun.add(event.job_id)
            log.info("job %s begins: %s", event.job_id, _who(event.data))
        elif state in ENDED:
            self._begun.discard(event.job_id)
            log.info("job %s %s%s", event.job_id, state, _how(event.data))


def _who(job: dict[str, Any]) -> str:
    voice = f"/{job['voice']}" if job["voice"] else ""
    return f"{job['backend']}{voice}, {job['priority']} priority, by {job['via']}"


def _how(job: dict[str, Any]) -> str:
    if job["state"] == "failed":
        return f": {job['error_code']}"
    if job["state"] == "done" and job["audio_s"] is not None:
        waited = "" if job["wait_s"] is None else f", the first sound after {job['wait_s']:.1f} s"
        return f": {job['audio_s']:.1f} s of speech{waited}"
    return ""
