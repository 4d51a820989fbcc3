"""The pieces of a long text come in order, whoever is faster, and no thread is left."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from vox.engine.ahead import Ahead
from vox.text.speakable import Piece

LIMIT_S = 20.0


def pieces(count: int) -> Iterator[Piece]:
    return (Piece(index, f"Number {index}.") for index in range(count))


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "pieces"]


@pytest.mark.parametrize("most", [1, 2, 50_000])
def test_all_come_in_order(most: int) -> None:
    with contextlib.closing(Ahead(pieces(100), most)) as ahead:
        assert [piece.index for piece in ahead if piece] == list(range(100))
    assert not threads()


def test_the_last_is_made_though_nobody_takes_any() -> None:
    is_over = threading.Event()

    def made() -> Iterator[Piece]:
        yield from pieces(100)
        is_over.set()

    with contextlib.closing(Ahead(made())) as ahead:
        assert is_over.wait(LIMIT_S)
        assert [piece.index for piece in ahead if piece] == list(range(100))


def test_no_more_are_kept_than_there_is_room_for() -> None:
    taken = []

    def made() -> Iterator[Piece]:
        for piece in pieces(100):
            taken.append(piece.index)
            yield piece

    with contextlib.closing(Ahead(made(), most=5)) as ahead:
        assert next(iter(ahead)) is not None
    assert len(taken) <= 7
    assert not threads()


def test_what_goes_wrong_is_raised_where_they_are_taken() -> None:
    def made() -> Iterator[Piece]:
        yield from pieces(2)
        raise ValueError("no more")

    with contextlib.closing(Ahead(made())) as ahead, pytest.raises(ValueError, match="no more"):
        list(ahead)
