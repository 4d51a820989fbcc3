"""The time in which there is no sound device: since when, why, and when to try again.

The player's thread owns it; other threads may read it and ask for another try.
"""

from __future__ import annotations

from ..errors import NoAudioOutput

_RETRY_AFTER_S = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0)
"""The pauses between tries; the last is repeated. A try takes some 30 ms of computing."""
_LEAST_S = 0.25
"""Pause before a try that was asked for."""
_STEADY_S = 1.0
"""A device that fails again within this time was not really back."""


class Absence:
    """No device can be opened, and jobs wait for one. Times are `time.monotonic()`."""

    def __init__(self, error: NoAudioOutput, now: float) -> None:
        self.since = now
        self.error = error
        self.failures = 0
        self._tried_at = now
        self._is_asked_for = False

    def note_failure(self, error: NoAudioOutput, now: float) -> None:
        """Another try has failed."""
        self.error = error
        self.failures += 1
        self._tried_at = now
        self._is_asked_for = False

    def ask_for_try(self) -> None:
        """Something has changed: do not wait for the next regular try."""
        self._is_asked_for = True

    def left_s(self, now: float) -> float:
        """Seconds until the next try; 0: now."""
        pause_s = _RETRY_AFTER_S[min(self.failures, len(_RETRY_AFTER_S) - 1)]
        if self._is_asked_for:
            pause_s = min(pause_s, _LEAST_S)
        return max(0.0, self._tried_at + pause_s - now)

    def is_recent(self, now: float) -> bool:
        """Whether the last try, which succeeded, was made just now."""
        return now - self._tried_at < _STEADY_S

    def note_success(self, now: float) -> None:
        """A device was opened."""
        self._tried_at = now
