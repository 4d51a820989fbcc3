"""The jobs that the player has, in the order in which they are to be heard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from .playback import Place, Playback

FLOOR_S = 0.7
"""So long after a word of a screen reader only its own next word begins: what it interrupted would
stutter in between."""


class Line:
    """Any thread may use it; the player's alone calls `choose` and sets fields of a playback."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake`: called when there is more audio of a job."""
        self._wake = wake
        self._lock = threading.RLock()
        self._playbacks: dict[int, Playback] = {}
        """By identity: a job may come again before its playback that was cut off is dropped."""
        self.chosen: Playback | None = None
        """The one that sounds or is to sound."""
        self._floor_source: str | None = None
        """Whose jobs alone may begin, until `_floor_until`."""
        self._floor_until = 0.0

    def is_wanted(self, is_paused: bool) -> bool:
        """Whether any is to be heard."""
        with self._lock:
            return any(each.is_assistive or not is_paused for each in self._playbacks.values())

    def add(self, playback: Playback) -> None:
        playback.spool.hold()
        playback.spool.add_waker(self._wake)
        with self._lock:
            self._playbacks[id(playback)] = playback

    def cancel(self, job_id: str) -> bool:
        """Remove a job, or mark the chosen one as cut off. False if it is not there any more."""
        with self._lock:
            playback = self._find(job_id)
            if playback is None:
                return False
            playback.is_cut = True
            if playback is not self.chosen:
                self.drop(playback)
        return True

    @property
    def _uncut(self) -> list[Playback]:
        return [each for each in self._playbacks.values() if not each.is_cut]

    def _find(self, job_id: str) -> Playback | None:
        return next((each for each in self._uncut if each.job_id == job_id), None)

    def move(self, steps: int, behind_s: float) -> tuple[str, int] | None:
        """Have the job that is heard move by so many utterances.

        `behind_s`: see `Playback.destination`. Returns the job and the index of the utterance that
        it moves to; None: nothing is heard.
        """
        with self._lock:
            playback = self.chosen
            if playback is None or playback.is_cut:
                return None
            if not playback.is_sounding and not playback.start_utterance:
                return None
            playback.move_to = playback.destination(steps, behind_s)
            return playback.job_id, playback.move_to

    @property
    def moving(self) -> Playback | None:
        """The one that is to be moved, if there is one."""
        playback = self.chosen
        return None if playback is None or playback.move_to is None else playback

    def make_move(self, playback: Playback) -> None:
        """Move it, once its sound is faded out."""
        with self._lock:
            playback.move()

    def choose(self, may_begin: bool, is_paused: bool = False) -> Playback | None:
        """Whose turn it is: the one that sounds, else the first in order if one may begin."""
        with self._lock:
            if self.chosen is None or not self.chosen.is_sounding:
                playbacks = self._that_may_begin(is_paused) if may_begin else []
                # Nothing waits in silence for one that interrupts.
                ready = [each for each in playbacks if each.has_more or not each.interrupts]
                self.chosen = min(ready or playbacks, key=lambda each: each.turn, default=None)
            return self.chosen

    def _that_may_begin(self, is_paused: bool) -> list[Playback]:
        holder = self._floor_source if self.floor_left_s > 0 else None
        return [
            each
            for each in self._playbacks.values()
            if (each.is_assistive or not is_paused) and holder in (None, each.source)
        ]

    @property
    def floor_left_s(self) -> float:
        """Seconds for which only jobs of one source may begin."""
        return max(0.0, self._floor_until - time.monotonic())

    def interrupted(self, behind_s: float, is_paused: bool = False) -> Playback | None:
        """The one that sounds, if another that interrupts has its first sound: to `suspend` it.

        `behind_s`: see `Playback.destination`. It will go on from its utterance.
        """
        with self._lock:
            playback = self.chosen
            if playback is None or not playback.is_sounding or playback.interrupts:
                return None
            ready = [each for each in self._uncut if each.interrupts and each.has_more]
            if not any(each.is_assistive or not is_paused for each in ready):
                return None
            if playback.move_to is None:
                playback.move_to = playback.destination(0, behind_s)
            return playback

    def suspend(self, playback: Playback) -> None:
        """Have it wait until what interrupts it was heard, once its sound is faded out."""
        with self._lock:
            playback.suspend()
            self.chosen = None

    def drop(self, playback: Playback) -> None:
        with self._lock:
            if self._playbacks.pop(id(playback), None) is None:
                return
            if self.chosen is playback:
                self.chosen = None
            if playback.is_assistive and playback.was_started:
                self._floor_source = playback.source
                self._floor_until = time.monotonic() + FLOOR_S
        playback.spool.remove_waker(self._wake)
        playback.spool.close()

    def drop_all(self) -> None:
        for playback in list(self._playbacks.values()):
            self.drop(playback)

    def cut_off(self) -> list[Playback]:
        """Those that are to be heard no longer."""
        with self._lock:
            playbacks = self._playbacks.values()
            return [each for each in playbacks if each.is_cut or each.spool.is_abandoned]

    @property
    def current(self) -> str | None:
        """The job that is being heard."""
        playback = self.chosen
        if playback is None or not playback.is_sounding or playback.is_cut:
            return None
        return playback.job_id

    @property
    def next(self) -> str | None:
        """The job whose turn it is, whether it is heard or not."""
        return next(iter([*filter(None, [self.current]), *self.waiting]), None)

    @property
    def waiting(self) -> list[str]:
        """The jobs that have not begun to sound, in order."""
        with self._lock:
            in_order = sorted(self._uncut, key=lambda each: each.turn)
            return [each.job_id for each in in_order if not each.is_sounding]

    def place(self, job_id: str) -> Place | None:
        """How far the job is; None: it is not here."""
        with self._lock:
            playback = self._find(job_id)
        return None if playback is None else playback.place

    def remaining_s(self, job_id: str | None = None) -> float:
        """Seconds of audio on disk that are still to be heard: of one job, or of all."""
        with self._lock:
            asked = [each for each in self._uncut if job_id in (None, each.job_id)]
        return _seconds(asked)

    def ahead_s(self, job_id: str, order: tuple[int, ...], interrupts: bool) -> float:
        """Seconds of audio on disk that are heard before what that job may make next."""
        with self._lock:
            uncut = [each for each in self._uncut if each.interrupts or not interrupts]
            is_mine = any(each.is_sounding and each.job_id == job_id for each in uncut)
            place = (not is_mine, order)
            before = [each for each in uncut if (not each.is_sounding, each.order) <= place]
        return _seconds(before)


def _seconds(playbacks: Iterable[Playback]) -> float:
    return sum(each.ahead_frames() / (each.spool.sample_rate or 1) for each in playbacks)
