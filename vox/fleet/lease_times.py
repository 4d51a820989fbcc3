"""How long a worker may be silent, and how often both sides look."""

from __future__ import annotations

from typing import NamedTuple


class LeaseTimes(NamedTuple):
    """What follows from `lease_s`: within it a worker that is gone has been noticed."""

    lease_s: float

    @property
    def held_s(self) -> float:
        """A lease, and a worker's announcement, last for so long after they were renewed."""
        return 0.75 * self.lease_s

    @property
    def beat_s(self) -> float:
        """They are renewed, and looked at, so often: three may fail before one is lost."""
        return self.lease_s / 6

    @property
    def rest_s(self) -> float:
        """A client that wants nothing looks so often."""
        return min(5.0, self.lease_s / 2)
