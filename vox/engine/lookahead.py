"""How far ahead of playback jobs are prepared, and which are prepared alone.

The spool on disk is bounded, and jobs may be cancelled. So jobs to be played are prepared until
`lookahead_s` of audio are ready. Files, streams and jobs of a higher priority are prepared anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..audio.player import Player
from ..config import Config
from ..jobs import Job
from ..queue.store import QueueEntry, Store

MAX_IN_LINE = 32
"""Most jobs that are prepared and not heard yet: each holds files open."""


class LookAhead:
    """Says which jobs may be prepared now, and when a job that is being prepared must wait."""

    def __init__(
        self,
        store: Store,
        player: Player,
        config: Callable[[], Config],
        serves_streams: bool = True,
        is_awaited: Callable[[], bool] = lambda: False,
    ) -> None:
        """`serves_streams`: False leaves jobs that are streamed into a response to the daemon.

        `is_awaited`: whether somebody besides the jobs waits for the end of the current one.
        """
        self._store = store
        self._player = player
        self._config = config
        self._serves_streams = serves_streams
        self._is_awaited = is_awaited
        self.alone: set[str] = set()
        """Jobs that are tried with no other beside them (see `recovery`)."""

    def may_take(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Those of the jobs that may be prepared now. Asks the table at most once, in general."""
        allowed = self._within_reach(job_ids)
        return self._apart(job_ids, allowed) if self.alone else allowed

    def _apart(self, job_ids: Sequence[str], allowed: Sequence[str]) -> Sequence[str]:
        """Those of the allowed jobs that are not prepared beside one that is tried alone.

        Such a job begins once nothing else is heard or waits to be heard, and what is to be played
        after it waits for its first utterance. Files and streams wait only for what can be heard.
        """
        is_silent = self._player.is_paused or self._player.absence is not None
        line = {*self._player.waiting, self._player.current} - {None}
        is_begun = not line.isdisjoint(self.alone)
        if is_begun and not is_silent:
            return []
        until = next((at for at, each in enumerate(job_ids) if each in self.alone), len(job_ids))
        before = set() if is_begun else set(job_ids[:until])
        if not line:
            before.update(job_ids[until : until + 1])
            return [each for each in allowed if each in before]
        entries = self._store.entries(job_ids)

        def may_pass(job_id: str) -> bool:
            entry = entries.get(job_id)
            if job_id in before or entry is None:
                return True
            return entry.sink != "play" and (is_silent or job_id not in self.alone)

        return [each for each in allowed if may_pass(each)]

    def _within_reach(self, job_ids: Sequence[str]) -> Sequence[str]:
        is_far_ahead = self.is_far_ahead()
        if self._serves_streams and not is_far_ahead:
            return job_ids
        waiting = self._player.waiting if is_far_ahead else []
        jobs = self._store.entries([*job_ids, *waiting])
        highest = max((jobs[job_id].priority for job_id in waiting if job_id in jobs), default=None)

        def may(job: QueueEntry | None) -> bool:
            if job is None:
                return True  # It was cleared. The worker takes the task and has nothing to do.
            if job.sink == "stream":
                return self._serves_streams
            return (
                not is_far_ahead or job.sink != "play" or highest is None or job.priority > highest
            )

        return [job_id for job_id in job_ids if may(jobs.get(job_id))]

    def is_far_ahead(self) -> bool:
        """Enough audio, or enough jobs, are prepared and not heard yet."""
        line = [*self._player.waiting, self._player.current]
        if len(line) > MAX_IN_LINE:
            return True
        ahead_s = sum(self._player.remaining_s(job_id) for job_id in line if job_id)
        return ahead_s >= float(self._config()["lookahead_s"])

    def wait_for_room(self, job: Job, check_wanted: Callable[[], None]) -> None:
        """Block while enough is prepared, unless another waits for the end of this preparation.

        `check_wanted` is called at least once a second and ends the wait by raising.
        """
        while job.sink == "play" and self.is_far_ahead() and not self._is_other_due(job):
            check_wanted()
            self._player.wait_change(timeout_s=1.0)

    def _is_other_due(self, job: Job) -> bool:
        return self._is_awaited() or any(
            other.sink != "play" or other.priority > job.priority for other in self._store.queued()
        )
