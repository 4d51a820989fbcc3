"""Where a case's random numbers come from, and how much it tries.

Each run has a seed of its own, which the report's header names. `VOX_TEST_FAULTS_SEED` gives it
instead: a case then draws the same numbers again. `VOX_TEST_SOAK` is set by `contrib/soak`.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

SEED_VARIABLE = "VOX_TEST_FAULTS_SEED"
SOAK_VARIABLE = "VOX_TEST_SOAK"


def choose_seed() -> int:
    """This run's seed. Workers of the same run, which inherit the environment, get it too."""
    return int(os.environ.setdefault(SEED_VARIABLE, str(secrets.randbelow(10**9))))


class Chance(random.Random):
    """The random numbers of one case: from the run's seed and the case's name."""

    def __init__(self, seed: int, case: str) -> None:
        super().__init__(f"{seed} {case}")

    def pause_s(self, longest_s: float) -> float:
        """A time to let pass before the fault: short ones are as likely as long ones."""
        return longest_s * self.random() ** 2


def tries(ci: int, soak: int) -> int:
    """How often a case tries something: a few times in a check, many times in a soak."""
    return soak if is_soak() else ci


def some(choices: Sequence[T], ci: int) -> list[T]:
    """Cases to be tried: all of them in a soak, so many in a check. The run's seed draws them."""
    return [*choices] if is_soak() else Chance(choose_seed(), "some").sample(choices, ci)


def is_soak() -> bool:
    return bool(os.environ.get(SOAK_VARIABLE))
