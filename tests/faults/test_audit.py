"""The audit judges rightly: it excuses what a dying daemon repeats, and nothing else."""

from __future__ import annotations

import pytest

from tests.tones import Tone

from .audit import is_twice

FIRST, SECOND = Tone(3, 5.0, 6.0), Tone(3, 9.0, 10.0)


@pytest.mark.parametrize("died_at", [5.1, 5.9, 6.5])
def test_what_was_heard_as_a_daemon_died_may_be_heard_again(died_at: float) -> None:
    assert not is_twice([FIRST, SECOND], [(1.0, 1.1), (died_at, died_at + 0.1)])


@pytest.mark.parametrize("died_at", [3.0, 8.5, 9.5, 11.0])
def test_a_death_at_another_time_excuses_nothing(died_at: float) -> None:
    assert is_twice([FIRST, SECOND], [(died_at, died_at + 0.1)])
    assert is_twice([FIRST, SECOND], [])


def test_one_death_excuses_one_repetition() -> None:
    assert is_twice([FIRST, SECOND, Tone(3, 12.0, 13.0)], [(5.5, 5.6)])
