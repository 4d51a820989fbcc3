"""What was heard: the player tells, and the job table is to know.

The player's thread must not wait for a disk, so `outcomes` writes it down.
"""

from __future__ import annotations

from collections.abc import Callable

from ..audio.player import Player
from ..errors import VoxError
from .lookahead import LookAhead
from .outcomes import OutcomeWriter
from .worker import Worker


class Hearing:
    """The player's `Listener`."""

    def __init__(
        self,
        player: Player,
        worker: Worker,
        lookahead: LookAhead,
        outcomes: OutcomeWriter,
        clock: Callable[[], float],
    ) -> None:
        self._player = player
        self._worker = worker
        self._lookahead = lookahead
        self._outcomes = outcomes
        self._clock = clock

    def started(self, job_id: str) -> None:
        self._outcomes.started(job_id, self._clock())

    def heard(self, job_id: str, utterances: int) -> None:
        self._outcomes.heard(job_id, utterances)
        self._lookahead.alone.discard(job_id)  # it makes progress: others may go on beside it

    def mark(self, job_id: str, name: str) -> None:
        self._outcomes.mark(job_id, name)

    def interrupted(self, job_id: str) -> None:
        self._outcomes.interrupted(job_id)

    def finished(self, job_id: str) -> None:
        self._outcomes.done(job_id, self._clock())

    def failed(self, job_id: str, error: VoxError) -> None:
        self._worker.cancel(job_id)
        self._outcomes.failed(job_id, error)

    def give_up(self, job_id: str, error: VoxError) -> None:
        """Fail a job, wherever it is."""
        self._player.cancel(job_id)
        self.failed(job_id, error)
