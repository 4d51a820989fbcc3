"""How long a worker may be silent, and how often both sides check."""

from __future__ import annotations

from typing import NamedTuple


class LeaseTimes(NamedTuple):
    """Times derived from `lease_s`, within which a lost worker is noticed."""

    lease_s: float

    @property
    def held_s(self) -> float:
        """Lifetime of a lease, and of a worker's announcement, after each renewal."""
        return 0.75 * self.lease_s

    @property
    def beat_s(self) -> float:
        """Interval of renewals and looks: three may fail before a worker is lost."""
        return self.lease_s / 6

    @property
    def rest_s(self) -> float:
        """Interval of looks for an idle client."""
        return min(5.0, self.lease_s / 2)
