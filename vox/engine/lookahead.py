"""Which jobs may be taken out of the queue now, and how far ahead of the ear they are made.

The spool on disk is bounded, and jobs may be cancelled. So jobs to be played are prepared until
`lookahead_s` of audio are ready before them. Files and streams are prepared anyway. Beside a job
that is at work another one begins only if it goes before that one, or while that one rests.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from ..audio.player import Player
from ..config import Config
from ..jobs import INTERRUPT, Job
from ..queue.reader import QueueEntry
from ..queue.store import Store
from .placement import Place
from .running import Run, Running, level

URGENT_S = 10.0
"""With less audio ahead of the ear than this, the next utterance is to be made at once."""
MAX_IN_LINE = 32
"""Most jobs that are prepared and not heard yet: each holds files open."""


class LookAhead:
    """Says which jobs may be prepared now, and when a job that is being prepared must wait."""

    def __init__(
        self,
        store: Store,
        player: Player,
        config: Callable[[], Config],
        running: Running,
        serves_streams: bool = True,
    ) -> None:
        """`serves_streams`: False leaves jobs that are streamed into a response to the daemon."""
        self._store = store
        self._player = player
        self._config = config
        self._running = running
        self._serves_streams = serves_streams
        self.place_of: Callable[[str, str | None, str | None], Place | None] = (
            lambda _backend, _model, _voice: "local"
        )
        """Where the jobs of a backend's model and voice are made now; None: nowhere, but for what
        the cache has of them."""
        self.most_remote: Callable[[], int] = lambda: 1
        """How many jobs may be made by workers on other machines at once."""
        self.alone: set[str] = set()
        """Jobs that are tried with no other beside them (see `recovery`)."""

    def may_take(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Those of the jobs that may be prepared now. Asks the table at most once."""
        if not job_ids:
            return job_ids
        runs = list(self._running)
        entries = self._store.entries(job_ids)
        may = self._may_beside(runs)
        place_of = functools.cache(self.place_of)

        def is_allowed(entry: QueueEntry) -> bool:
            return may(entry, place_of(entry.backend, entry.model, entry.voice))

        allowed = [each for each in job_ids if each not in entries or is_allowed(entries[each])]
        return self._apart(job_ids, allowed, entries, runs) if self.alone else allowed

    def _may_beside(self, runs: Sequence[Run]) -> Callable[[QueueEntry, Place | None], bool]:
        """Whether a job may begin beside those that are at work.

        Files that workers make, and those that are made here, do not hold each other up.
        """
        working = [run for run in runs if not run.is_resting]
        here = [run.level for run in working if not run.is_remote]
        there = [run.level for run in working if run.is_remote]
        if len(there) < self.most_remote():
            there = []
        is_full = len(self._player.waiting) >= MAX_IN_LINE
        heard = [run.level for run in runs if run.job.sink != "file"]

        def may(entry: QueueEntry, place: Place | None) -> bool:
            if entry.sink == "stream" and not self._serves_streams:
                return False
            beside = there if place == "remote" else here
            if entry.sink != "play":
                return all(level(entry) < other for other in beside)
            if is_full and entry.priority < INTERRUPT:
                return False
            goes_first = all(level(entry) < other for other in (*beside, *heard))
            return goes_first and self._has_room(entry)

        return may

    def _apart(
        self,
        job_ids: Sequence[str],
        allowed: Sequence[str],
        entries: dict[str, QueueEntry],
        runs: Sequence[Run],
    ) -> Sequence[str]:
        """Those of the allowed jobs that are not prepared beside one that is tried alone.

        Such a job begins once nothing else is at work, heard or waits to be heard, and what is to
        be played after it waits for its first utterance. Files and streams wait only for what is at
        work and for what can be heard.
        """
        busy = {run.job.id for run in runs if not run.is_resting}
        if not busy.isdisjoint(self.alone):
            return []
        is_silent = self._player.is_paused or self._player.absence is not None
        line = {*self._player.waiting, self._player.current, *busy} - {None}
        is_begun = not line.isdisjoint(self.alone)
        if is_begun and not is_silent:
            return []
        until = next((at for at, each in enumerate(job_ids) if each in self.alone), len(job_ids))
        before = set() if is_begun else set(job_ids[:until])
        if not line:
            before.update(job_ids[until : until + 1])
            return [each for each in allowed if each in before]

        def may_pass(job_id: str) -> bool:
            entry = entries.get(job_id)
            if job_id in before or entry is None:
                return True
            may_be_tried = job_id not in self.alone or (is_silent and not busy)
            return entry.sink != "play" and may_be_tried

        return [each for each in allowed if may_pass(each)]

    def has_room(self, job: Job) -> bool:
        """Whether the next utterance of the job may be made now."""
        return job.sink != "play" or self._has_room(job)

    def wait_change(self, timeout_s: float) -> None:
        """Wait until something at the loudspeaker changes, but not for longer than that."""
        self._player.wait_change(timeout_s=timeout_s)

    def is_urgent(self, job: Job) -> bool:
        """Whether there may soon be silence if the next utterance of the job is not made now."""
        return job.sink != "play" or self._ahead_s(job) < URGENT_S

    def _ahead_s(self, job: Job | QueueEntry) -> float:
        return self._player.ahead_s(job.id, job.order, job.priority >= INTERRUPT)

    def _has_room(self, job: Job | QueueEntry, part: float = 1.0) -> bool:
        ahead_s = self._ahead_s(job)
        return ahead_s < part * float(self._config()["lookahead_s"]) or not ahead_s

    def wait_for_room(self, job: Job, check_wanted: Callable[[], None]) -> None:
        """Block until `has_room`; until half of what is ahead was heard while others are made.

        So these have the hosts for a while, and models that do not fit together change seldom.
        `check_wanted` is called at least once a second and ends the wait by raising.
        """

        def part() -> float:
            others = (run for run in self._running if run.job.id != job.id)
            return 1.0 if all(run.is_resting for run in others) else 0.5

        while not self._has_room(job, part()):
            check_wanted()
            self._player.wait_change(timeout_s=1.0)
