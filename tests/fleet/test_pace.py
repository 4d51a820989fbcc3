"""A client that is used looks each second, and one that rests seldom."""

from __future__ import annotations

import threading

from vox.fleet.lease_times import LeaseTimes
from vox.fleet.pace import REST_AFTER_S, Pace


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_client_that_wants_nothing_rests_after_a_while() -> None:
    clock = Clock()
    pace = Pace(LeaseTimes(10.0), clock)
    assert pace.pause_s(is_busy=False) == 1.0
    clock.now += REST_AFTER_S
    assert pace.pause_s(is_busy=False) == 5.0
    assert pace.pause_s(is_busy=True) == 1.0
    pace.use()
    assert pace.pause_s(is_busy=False) == 1.0


def test_pauses_are_shorter_where_workers_are_given_up_soon() -> None:
    clock = Clock()
    pace = Pace(LeaseTimes(1.0), clock)
    assert pace.pause_s(is_busy=True) < 0.2
    clock.now += REST_AFTER_S
    assert pace.pause_s(is_busy=False) == 0.5


def test_use_after_a_rest_ends_the_wait() -> None:
    clock = Clock()
    pace = Pace(LeaseTimes(600.0), clock)
    clock.now += REST_AFTER_S + 1
    waiting = threading.Thread(target=pace.wait, args=(False,))
    waiting.start()
    pace.use()
    waiting.join(4.0)  # less than the rest
    assert not waiting.is_alive()


def test_nobody_waits_once_it_has_ended() -> None:
    pace = Pace(LeaseTimes(600.0))
    pace.end()
    for _ in range(1000):
        pace.wait(is_busy=False)
