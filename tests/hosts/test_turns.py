"""Turns: one at a time, in order, and whoever gives up leaves the line."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection

import pytest

from vox.hosts.turns import Turns

LIMIT_S = 20.0


class GivenUp(Exception):
    pass


def always() -> None:
    """The turn is wanted."""


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_turns_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns, order = Turns(), queue.SimpleQueue[int]()
    asked = threading.Event()

    def wait(number: int) -> None:
        with turns.take(asked.set):
            order.put(number)

    with turns.take(always):
        threads = []
        for number in range(3):
            asked.clear()
            threads.append(in_thread(lambda number=number: wait(number)))
            assert asked.wait(LIMIT_S)
        assert turns.is_taken
        assert order.empty()
    for thread in threads:
        thread.join(LIMIT_S)
    assert [order.get(timeout=LIMIT_S) for _ in range(3)] == [0, 1, 2]
    assert not turns.is_taken


def test_the_first_rank_goes_first() -> None:
    turns, order = Turns(), queue.SimpleQueue[str]()
    ranks = {"file": (2,), "late file": (2,), "ear": (1,)}

    def wait(name: str, asked: threading.Event) -> None:
        with turns.take(asked.set, lambda: ranks[name]):
            order.put(name)

    with turns.take(always, lambda: ranks["file"]):
        threads = []
        for name in ("file", "late file", "ear"):
            asked = threading.Event()
            threads.append(in_thread(lambda name=name, asked=asked: wait(name, asked)))
            assert asked.wait(LIMIT_S)
        ranks["late file"] = (0,)  # it changes while it waits
    for thread in threads:
        thread.join(LIMIT_S)
    assert [order.get(timeout=LIMIT_S) for _ in ranks] == ["late file", "ear", "file"]


@pytest.mark.parametrize(
    ("rank", "shares_nothing", "begins"),
    [(0, True, True), (0, False, False), (1, True, False), (2, True, False)],
)
def test_who_goes_first_and_shares_nothing_begins_beside_the_others(
    rank: int, shares_nothing: bool, begins: bool
) -> None:
    turns, given_up = Turns(), threading.Event()
    asked: list[Collection[str]] = []

    def ask(keys: Collection[str]) -> bool:
        asked.append(keys)
        return shares_nothing

    def give_up() -> None:
        if given_up.is_set():
            raise GivenUp
        given_up.set()

    with turns.take(always, lambda: (1,), "theirs"):
        try:
            with turns.take(give_up, lambda: (rank,), "mine", ask):
                assert begins
        except GivenUp:
            assert not begins
    assert asked[:1] == ([["theirs"]] if rank == 0 else [])
    assert not turns.is_taken


def test_who_gives_up_does_not_hold_up_the_others() -> None:
    turns, given_up = Turns(), threading.Event()

    def give_up() -> None:
        def refuse() -> None:
            raise GivenUp

        with pytest.raises(GivenUp), turns.take(refuse):
            raise AssertionError
        given_up.set()

    with turns.take(always):
        in_thread(give_up)
        assert given_up.wait(LIMIT_S)
    with turns.take(always):
        assert turns.is_taken


def test_a_turn_that_is_not_wanted_any_more_is_not_begun() -> None:
    turns = Turns()

    def refuse() -> None:
        raise GivenUp

    with pytest.raises(GivenUp), turns.take(refuse):
        raise AssertionError
    assert not turns.is_taken


def test_an_error_ends_the_turn() -> None:
    turns = Turns()
    with pytest.raises(GivenUp), turns.take(always):
        raise GivenUp
    assert not turns.is_taken
