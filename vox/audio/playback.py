"""A job that the player plays: which block of its spool is next.

Owns positions, moves between utterances, fades and the wait for a voice that synthesizes slower
than it speaks; knows nothing of devices and threads.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import StorageError
from .device import BLOCK_S
from .pcm import EMPTY, Samples, amplified, faded_in, faded_out, frames_in
from .spool import Segment, Spool

_FADE_S = 0.008
BEGUN_S = 1.5
"""Back from within so much of an utterance leads to the one before; later, and from the silence
after it, to its own start."""
_REFILL_S = 0.2  # audio that must be there before it goes on after a gap; doubled each time


class Place(NamedTuple):
    """How far a job is in what is played."""

    heard_s: float
    """Seconds of its audio that were played."""
    is_interrupted: bool
    """It was heard, and is to go on before others begin."""


class Mark(NamedTuple):
    """A place in what is said, of which is told when it is heard."""

    name: str
    utterance: int
    """The index of the one that it is in."""
    share: float
    """How much of the utterance is before it: 0 to 1."""


@dataclass(slots=True, eq=False)
class Playback:
    """A job to be played, and how far it is. Only the player's thread changes it."""

    job_id: str
    spool: Spool
    order: tuple[int, ...]
    """The smallest is played first (see `Job.order`)."""
    volume: float = 1.0
    interrupts: bool = False
    """It is heard as soon as it has sound; what is heard then goes on afterwards."""
    source: str = ""
    """Who sent it."""
    is_assistive: bool = False
    """It interrupts, is heard although speech is paused, and then holds the floor for its source.
    See `Job.is_assistive`."""
    start_utterance: int = 0
    """The first to be played: after a crash, the one that was interrupted; after a move, the one
    that it led to, which may not be made yet."""
    marks: Sequence[Mark] = ()
    """In the order in which they are heard."""
    marks_told: int = field(default=0, init=False)
    """Of how many was told: never again of these, wherever it goes on."""
    marks_written: int = field(default=0, init=False)
    """How many were written to the device."""
    move_to: int | None = field(default=None, init=False)
    """The utterance that it is to be moved to. Any thread may set it, with the line's lock."""
    position: int | None = field(default=None, init=False)
    """The next frame of the spool; None before the first."""
    is_sounding: bool = field(default=False, init=False)
    was_started: bool = field(default=False, init=False)
    """Its first block was written to the device."""
    was_heard: bool = field(default=False, init=False)
    """And that it was audible was told."""
    is_interrupted: bool = field(default=False, init=False)
    """It was heard, and is to go on before others begin."""
    is_cut: bool = field(default=False, init=False)
    utterances_written: int = field(init=False)
    """How many were written to the device, counted from the text's start."""
    is_faded_out: bool = field(default=False, init=False)
    """Its last sound was faded out, so the next one fades in."""
    _rollbacks_seen: int = field(default=0, init=False)
    _is_starved: bool = field(default=False, init=False)
    _refill_s: float = field(default=_REFILL_S, init=False)

    def __post_init__(self) -> None:
        self.utterances_written = self.start_utterance
        before = (mark for mark in self.marks if mark.utterance < self.start_utterance)
        self.marks_written = self.marks_told = sum(1 for _ in before)

    def take_mark(self) -> Mark | None:
        """The next of its marks that was written to the device; None: there is none now."""
        if self.marks_written == len(self.marks):
            return None
        mark = self.marks[self.marks_written]
        frame = self.spool.frame_at(mark.utterance, mark.share)
        if frame is None or self.position is None:
            return None
        if frame >= self.position and not self.is_over:  # the sound at that frame is not written
            return None
        self.marks_written += 1
        return mark

    @property
    def is_over(self) -> bool:
        """All of its audio is there and was taken."""
        return self.spool.is_complete and self.position == self.spool.frames

    @property
    def has_more(self) -> bool:
        """There is a sample to take, unless it waits for more."""
        position = self._next_frame
        return position is not None and position < self.spool.frames

    @property
    def _next_frame(self) -> int | None:
        """The frame that is played next; None: it is not made yet."""
        return self.spool.start_of(self.start_utterance) if self.position is None else self.position

    @property
    def place(self) -> Place:
        position, spool = self._next_frame, self.spool
        heard = spool.frames if position is None else position
        return Place(heard / (spool.sample_rate or 1), self.is_interrupted)

    def ahead_frames(self) -> int:
        """How many frames on disk are still to be played."""
        position = self._next_frame
        if position is None:  # what is on disk was heard before
            return 0
        return max(0, self.spool.frames - position)

    def destination(self, steps: int, behind_s: float) -> int:
        """Where so many utterances forward, or back if below 0, lead: the index of an utterance.

        At most to the first that is not made yet; if all are made, to the end. 0: to its own
        start or, in the silence after it, to the next.
        `behind_s`: how far the ear is behind the position while it sounds. From any thread.
        """
        made, rate = self.spool.sounding(), self.spool.sample_rate or 1
        after = self.spool.utterances_before(self.spool.frames)
        frame = self._ear(made, behind_s)
        if frame is None:  # it waits for one that is not made, as if that began at the end
            frame, after = self.spool.frames, max(after, self._wanted)
            made.append(Segment(after, frame, sys.maxsize))
        elif made:
            after = max(after, made[-1].index + 1)
        else:
            return self.start_utterance
        at = max(0, sum(each.start_frame <= frame for each in made) - 1)
        here = made[at]
        is_past_it = frame >= min(here.end_frame, here.start_frame + frames_in(BEGUN_S, rate))
        if (steps < 0 and is_past_it) or (steps == 0 and frame >= here.end_frame):
            steps += 1
        to = max(0, at + steps)
        return made[to].index if to < len(made) else after

    @property
    def _wanted(self) -> int:
        return self.start_utterance if self.move_to is None else self.move_to

    def _ear(self, made: list[Segment], behind_s: float) -> int | None:
        """The frame that is heard, or is to be heard next; None: it is not made yet."""
        if self.position is not None and self.move_to is None:
            behind = frames_in(behind_s, self.spool.sample_rate or 1)
            # Nothing before where it began, or was moved to, is under way to the ear.
            first = self.spool.start_of(self.start_utterance) or 0
            return self.position if self.is_faded_out else max(first, self.position - behind)
        return next((each.start_frame for each in made if each.index >= self._wanted), None)

    def move(self) -> None:
        """Go where `move_to` says. What sounds was faded out before."""
        assert self.move_to is not None
        self.start_utterance = self.utterances_written = self.move_to
        self.position = self.move_to = None
        self.marks_written = self.marks_told
        self.was_started = self.was_heard
        self._is_starved = False

    def suspend(self) -> None:
        """Go where `move_to` says, and be silent until it is chosen again."""
        self.is_sounding, self.was_heard, self.is_interrupted = False, False, True
        self.move()

    @property
    def turn(self) -> tuple[bool, bool, tuple[int, ...]]:
        """Sorts playbacks into the order in which they are heard, unless one sounds already."""
        return not self.interrupts, not self.is_interrupted, self.order

    def take(self) -> Samples:
        """The next block, or what there is of it, faded out where it ends in mid-utterance."""
        if self.position is None:
            # What was dropped before its place is known has not moved that.
            _, self._rollbacks_seen = self.spool.after_rollbacks(0, self._rollbacks_seen)
            self.position = self.spool.start_of(self.start_utterance)
        rate = self.spool.sample_rate
        if self.position is None or rate is None:
            return EMPTY
        self.position, self._rollbacks_seen = self.spool.after_rollbacks(
            self.position, self._rollbacks_seen
        )
        is_growing, is_mid_utterance = self.spool.is_growing, self.spool.is_mid_utterance
        if self._is_starved and is_growing and is_mid_utterance:
            if self.spool.frames - self.position < self._refill_s * rate:
                return EMPTY
            self._refill_s *= 2
        self._is_starved = False
        block, fade = frames_in(BLOCK_S, rate), frames_in(_FADE_S, rate)
        samples = self.spool.read(self.position, block + fade)
        if len(samples) == block + fade or not is_growing:
            samples = samples[:block]
        elif len(samples):
            samples = faded_out(samples, fade)
            self._is_starved = is_mid_utterance
        self.position += len(samples)
        return self._shaded(samples, rate)

    def take_fade_out(self) -> Samples:
        """A few faded milliseconds to play before it is cut off. The position stays."""
        rate = self.spool.sample_rate
        if self.position is None or rate is None or not self.is_sounding or self.is_faded_out:
            return EMPTY
        fade = frames_in(_FADE_S, rate)
        try:
            sound = self.spool.read(self.position, fade)
        except StorageError:  # it ends with a click; `take` says why
            sound = EMPTY
        samples = self._shaded(faded_out(sound, fade), rate)
        self.is_faded_out = True
        return samples

    def _shaded(self, samples: Samples, rate: int) -> Samples:
        if self.is_faded_out and len(samples):
            samples = faded_in(samples, frames_in(_FADE_S, rate))
            self.is_faded_out = False
        if self._is_starved:
            self.is_faded_out = True
        return amplified(samples, self.volume)

    def rewind(self, seconds: float) -> None:
        """Go back by what was written but not heard when the device went away."""
        rate = self.spool.sample_rate
        self.was_started = self.was_heard
        if not self.is_sounding:
            self.position = None  # A block may have been taken that the device never got.
        elif self.position is not None and rate is not None:
            first = self.spool.start_of(self.start_utterance) or 0
            self.position = max(first, self.position - frames_in(seconds, rate))
            heard = self.spool.utterances_before(self.position)
            self.utterances_written = min(self.utterances_written, heard)
            self.marks_written = self.marks_told
            self.is_faded_out = True
