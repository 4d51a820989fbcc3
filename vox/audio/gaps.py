"""The silence that is due before speech: a lead-in for a sink that sleeps, a pause between jobs.

None before a job that interrupts, for it is wanted at once.

Bluetooth and HDMI sinks swallow the first word after a silence. Knows the player's jobs and how
long the device has been silent; writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .device import Loudspeaker
from .playback import Playback

LEAD_IN_S = 0.02
PAUSE_S = 0.25
ASLEEP_S = 1.0
"""A sink that heard no speech for so long may swallow the first word."""
_LEAST_S = 0.001


class Gaps:
    """Says how much silence is still to be written before a job. For the player's thread alone."""

    def __init__(
        self,
        lead_in_s: Callable[[], float] = lambda: LEAD_IN_S,
        pause_s: Callable[[], float] = lambda: PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lead_in_s`, `pause_s`: the settings, asked once before each job."""
        self._lead_in_s = lead_in_s
        self._pause_s = pause_s
        self._clock = clock
        self._last: Playback | None = None
        """The one that sounded last."""
        self._asked: Playback | None = None
        """The one that `_left_s` is for; None: the next one's is to be found out."""
        self._left_s = 0.0
        self._sounded_at: float | None = None
        """None: not since the device was opened, as far as that is known."""

    def left_s(self, playback: Playback, speaker: Loudspeaker) -> float:
        """Seconds of silence that are still to be written before the playback goes on."""
        if self._asked is not playback:
            self._asked = playback
            self._left_s = self._due_s(playback, speaker)
        return self._left_s if self._left_s >= _LEAST_S else 0.0

    def _due_s(self, playback: Playback, speaker: Loudspeaker) -> float:
        due_s = 0.0
        if self._last not in (None, playback) and not playback.interrupts:
            due_s = self._pause_s() - speaker.silent_s
        if self._sounded_at is None or self._clock() - self._sounded_at > ASLEEP_S:
            # What is silent in the device's buffer is heard before the first sample as well.
            due_s = max(due_s, self._lead_in_s() - speaker.buffered_s())
        return due_s

    def wrote(self, seconds: float) -> None:
        """So much of the silence was written."""
        self._left_s -= seconds

    def sounded(self, playback: Playback) -> None:
        """Some of the playback was written."""
        self._last = playback
        self._sounded_at = self._clock()

    def note_pause(self) -> None:
        """Speech was paused. When it goes on, the sink may be asleep."""
        self._asked = None

    def note_loss(self) -> None:
        """The device is gone; another, or the same, will be opened."""
        self._asked = self._sounded_at = None
