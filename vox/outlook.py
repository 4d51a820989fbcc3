"""What is known and foreseen of a live job: what it does now, its place, and when it is heard.

Who derives it is `queue.outlooks`, from the job table alone, and `engine.outlooks`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Phase = Literal["waiting", "loading", "making", "ready", "speaking"]
"""`waiting`: nothing is done for it now. `loading`: its model is loaded. `making`: it is
synthesized. `ready`: all that is needed is made, and it waits for the ear. `speaking`: it is heard.
"""
PHASES: tuple[Phase, ...] = ("waiting", "loading", "making", "ready", "speaking")


_MOMENT_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The outlook of one job, at one moment. Seconds count from then."""

    phase: Phase | None = None
    """None: the job has ended."""
    waits_for: str | None = None
    """What it waits for besides its turn, for example "a worker: no worker serves qwen"."""
    loading: float | None = None
    """How much of its model is loaded, 0 to 1, as far as its backend tells."""
    made: int = 0
    """Utterances that are synthesized, or left out."""
    fraction: float | None = None
    """How much of it is made, 0 to 1."""
    made_s: float | None = None
    """Seconds of audio that are made."""
    expected_s: float | None = None
    """Seconds of audio that it has once all is made: exact then, before that predicted."""
    heard_s: float | None = None
    """Seconds of audio that were heard."""
    left_s: float | None = None
    """Seconds of audio that are still to be heard; of a file: until it is written."""
    position: int | None = None
    """Its place in the order of hearing, from 1."""
    starts_in_s: float | None = None
    """Seconds until its first sound; None: that cannot be known, or it sounds already."""
    starts_in_is_exact: bool = False
    """All audio before its first sound is made. If not, `starts_in_s` is predicted."""

    def after(self, passed_s: float) -> Outlook:
        """As it must be some moments later, if nothing else has happened."""
        if passed_s < _MOMENT_S or self.starts_in_s is None:
            return self
        return replace(self, starts_in_s=max(0.0, self.starts_in_s - passed_s))

    def to_dict(self) -> dict[str, Any]:
        """Its part of a job's JSON object."""
        return {
            "phase": self.phase,
            "waits_for": self.waits_for,
            "loading": _rounded(self.loading),
            "made": self.made,
            "fraction": _rounded(self.fraction),
            "made_s": _rounded(self.made_s),
            "expected_s": _rounded(self.expected_s),
            "heard_s": _rounded(self.heard_s),
            "left_s": _rounded(self.left_s),
            "position": self.position,
            "starts_in_s": _rounded(self.starts_in_s),
            "starts_in_is_exact": self.starts_in_is_exact,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
