"""Tells who follows jobs what is foreseen of them, as it changes.

Between two events a client counts the seconds by itself: it is told again once they are others than
it must think. Works only while somebody follows a job and something happens.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping

from ..errors import VoxError
from ..outlook import Outlook
from .events import Bus, Event

log = logging.getLogger(__name__)

EVERY_S = 0.25
"""Shortest time between two events of a job."""
COSTLY = 10.0
"""And that many times as long as it takes to find out."""
MOST = 100
"""Who follows all jobs is told of so many, the first in the order of hearing."""
_DRIFT_S = 0.2


Told = tuple[Outlook, int, float]
"""An outlook, with the length of the queue, and when it was so."""


class Announcer:
    """Publishes transient `progress` events. Any thread may use it."""

    def __init__(
        self,
        outlooks: Callable[[], Mapping[str, Outlook]],
        bus: Bus,
        beginning: Callable[[str], str],
    ) -> None:
        """`outlooks`: see `Outlooks.of_all`. `beginning`: that of a job's text, by its id."""
        self._outlooks = outlooks
        self._bus = bus
        self._beginning = beginning
        self._now: tuple[str, str] | None = None
        """The job that is heard, and the beginning of its text."""
        self._lock = threading.Lock()
        self._followed: list[str | None] = []
        """The ids of the jobs, once for each follower; None: all."""
        self._told: dict[str, Told] = {}
        """What was told last of each job."""
        self._ended: set[str] = set()
        """The jobs that ended since outlooks were asked for."""
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        bus.subscribe(self._on_event)

    @contextlib.contextmanager
    def following(self, job_id: str | None = None) -> Iterator[None]:
        """While the block runs, tell of the job, or of all. Begins with how it is now."""
        with self._lock:
            self._followed.append(job_id)
            if job_id is None:
                self._told.clear()
            else:
                self._told.pop(job_id, None)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
                self._thread.start()
        self._wake.set()
        try:
            yield
        finally:
            with self._lock:
                self._followed.remove(job_id)
            self._wake.set()

    def wake(self) -> None:
        """Look whether there is something to tell: something has changed that is no event."""
        self._wake.set()

    def _on_event(self, event: Event) -> None:
        if event.data.get("exit_code") is not None:
            self._ended.add(event.job_id)
        if event.number:
            self._wake.set()

    def _run(self) -> None:
        """Until nobody follows a job any more."""
        while self._wait_for_change():
            began = time.monotonic()
            try:
                self._tell()
            except VoxError as exc:
                log.info("what is foreseen cannot be told: %s", exc.line)
            except Exception:
                log.exception("what is foreseen cannot be told")
            time.sleep(max(EVERY_S, COSTLY * (time.monotonic() - began)))

    def _wait_for_change(self) -> bool:
        """False once nobody follows a job."""
        self._wake.wait()
        self._wake.clear()
        with self._lock:
            if not self._followed:
                self._thread = None
                self._told.clear()
            return bool(self._followed)

    def _tell(self) -> None:
        self._ended = set()
        outlooks, now = self._outlooks(), time.monotonic()
        with self._lock:
            followed = set(self._followed)
            self._told = {key: told for key, told in self._told.items() if key in outlooks}
        self._now = self._heard(outlooks)
        is_all = None in followed
        for at, (job_id, outlook) in enumerate(outlooks.items()):
            if job_id in followed or (is_all and at < MOST):
                self._tell_of(job_id, (outlook, len(outlooks), now))

    def _heard(self, outlooks: Mapping[str, Outlook]) -> tuple[str, str] | None:
        job_id, outlook = next(iter(outlooks.items()), ("", None))
        if outlook is None or outlook.phase != "speaking":
            return None
        if self._now is not None and self._now[0] == job_id:
            return self._now
        return job_id, self._beginning(job_id)

    def _tell_of(self, job_id: str, news: Told) -> None:
        before = self._told.get(job_id)
        if before is not None and not is_news(before, news):
            return
        with self._lock:
            self._told[job_id] = news
        outlook, length, _ = news
        now = self._now[1] if self._now and self._now[0] != job_id else None
        data = {"id": job_id, **outlook.to_dict(), "queue_length": length, "now": now}
        self._bus.tell("progress", job_id, data, lambda: job_id not in self._ended)


def is_news(before: Told, after: Told) -> bool:
    """Whether the outlook is another than a client thinks that counts the seconds since then."""
    (old, old_length, old_at), (new, length, at) = before, after
    if (old.phase, old.waits_for, old.made, old.position, old.starts_in_is_exact, old_length) != (
        new.phase, new.waits_for, new.made, new.position, new.starts_in_is_exact, length,
    ):  # fmt: skip
        return True
    passed_s = at - old_at
    left_s = passed_s if new.phase == "speaking" else 0.0
    return (
        _differs(old.loading, new.loading, 0.0, 0.01)
        or _differs(old.starts_in_s, new.starts_in_s, passed_s)
        or _differs(old.left_s, new.left_s, left_s)
        or _differs(old.expected_s, new.expected_s, 0.0)
    )


def _differs(
    old: float | None, new: float | None, passed_s: float, drift: float = _DRIFT_S
) -> bool:
    if old is None or new is None:
        return old is not new
    return abs(max(0.0, old - passed_s) - new) > drift
