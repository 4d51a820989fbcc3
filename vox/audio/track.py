"""A playback in the player's line: which block of its spool is heard next.

Owns positions, fades and the waiting for a voice that is slower than its speech; knows nothing of
devices and threads.
"""

from __future__ import annotations

from dataclasses import dataclass

from .device import BLOCK_S
from .pcm import EMPTY, Samples, amplified, faded_in, faded_out
from .spool import Spool

_FADE_S = 0.008
_REFILL_S = 0.2  # audio that must be at hand after a voice ran dry; doubled each time


@dataclass(slots=True)
class Playback:
    """A job that is to be heard."""

    job_id: str
    spool: Spool
    order: tuple[int, int]
    """(-priority, seq): the smallest is heard first."""
    volume: float = 1.0
    start_utterance: int = 0
    """Where it goes on after a crash."""


class Track:
    """A playback in the line, and how far it is. Only the player's thread moves it."""

    def __init__(self, playback: Playback) -> None:
        self.job_id = playback.job_id
        self.spool = playback.spool
        self.order = playback.order
        self.volume = playback.volume
        self.start_utterance = playback.start_utterance
        self.position: int | None = None
        self.rollbacks_seen = 0
        self.is_sounding = False
        self.was_started = False
        self.is_cut = False
        self.fade_in = False
        self.is_starved = False
        self.refill_s = _REFILL_S
        self.utterances_out = playback.start_utterance

    @property
    def is_over(self) -> bool:
        """Everything there will ever be has been taken."""
        return self.spool.is_complete and self.position == self.spool.frames

    def ahead_frames(self) -> int:
        position = self.position
        if position is None:
            position = self.spool.start_of(self.start_utterance) or 0
        return max(0, self.spool.frames - position)

    def take(self) -> Samples:
        """The next block, or what there is of it, faded where it breaks off in mid-utterance."""
        if self.position is None:
            self.position = self.spool.start_of(self.start_utterance)
        rate = self.spool.sample_rate
        if self.position is None or rate is None:
            return EMPTY
        self.position, self.rollbacks_seen = self.spool.clamp(self.position, self.rollbacks_seen)
        is_growing, is_mid_utterance = self.spool.is_growing, self.spool.is_mid_utterance
        if self.is_starved and is_growing and is_mid_utterance:
            if self.spool.frames - self.position < self.refill_s * rate:
                return EMPTY
            self.refill_s *= 2
        self.is_starved = False
        block, fade = round(BLOCK_S * rate), round(_FADE_S * rate)
        samples = self.spool.read(self.position, block + fade)
        if len(samples) == block + fade or not is_growing:
            samples = samples[:block]
        elif len(samples):
            samples = faded_out(samples, fade)
            self.is_starved = is_mid_utterance
        self.position += len(samples)
        return self._shaded(samples, rate)

    def take_fade_out(self) -> Samples:
        """A short end to be heard when it is cut off now. The position stays."""
        rate = self.spool.sample_rate
        if self.position is None or rate is None or not self.is_sounding or self.is_starved:
            return EMPTY
        fade = round(_FADE_S * rate)
        samples = self._shaded(faded_out(self.spool.read(self.position, fade), fade), rate)
        self.fade_in = True
        return samples

    def _shaded(self, samples: Samples, rate: int) -> Samples:
        if self.fade_in and len(samples):
            samples = faded_in(samples, round(_FADE_S * rate))
            self.fade_in = False
        if self.is_starved:
            self.fade_in = True
        return amplified(samples, self.volume)

    def rewind(self, seconds: float) -> None:
        """Back to what had not been heard when the device went away."""
        rate = self.spool.sample_rate
        if self.is_sounding and self.position is not None and rate is not None:
            self.position = max(0, self.position - round(seconds * rate))
            heard = self.spool.utterances_before(self.position)
            self.utterances_out = min(self.utterances_out, heard)
            self.fade_in = True
