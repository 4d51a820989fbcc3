"""A request as who asked reads it: what follows when a worker was lost in mid-utterance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from vox.errors import WorkerLost
from vox.fleet.asked import Asked
from vox.fleet.requests import Answer, Request

RATE = 24_000
SPEECH = np.sin(np.arange(1000) / 7, dtype="<f4")
OTHER = np.sin(np.arange(1000) / 5, dtype="<f4")
QUIET = np.zeros(1000, "<f4")
ALMOST = SPEECH + np.float32(0.0001)
"""The same, as another processor computes it."""


@pytest.fixture
def asked() -> Asked:
    request = Request("anna:1", "anna", "s", "scripted", "scripted", text="One.")
    made = Asked(request, None, lambda _asked: None)
    made.begin(())
    return made


def answer(asked: Asked, sound: np.ndarray, rate: int = RATE) -> None:
    header = {"event": "chunk", "sample_rate": rate}
    asked.answers.put(Answer(asked.request.id, 0, header, sound.astype("<f4").tobytes()))


def end(asked: Asked) -> None:
    asked.is_ended = True
    header = {"event": "end", "worker": "w", "cut_off": False, "notes": []}
    asked.answers.put(Answer(asked.request.id, 0, header, b""))


def lose(asked: Asked) -> None:
    """Its worker, after all that was sent had been read."""
    asked.attempt += 1
    asked.begin(())


def read(asked: Asked, until_empty: bool = False) -> np.ndarray:
    """All sound up to the end, or that there is."""
    sound = b""
    while not (until_empty and asked.answers.empty()):
        found = asked.next(0.01 if until_empty else 10)
        sound += found.pcm if found else b""
        if found and found.event == "end":
            break
    return np.frombuffer(sound, "<f4")


def pieces(sound: np.ndarray, length: int) -> list[np.ndarray]:
    return [sound[at : at + length] for at in range(0, len(sound), length)]


@pytest.mark.parametrize("length", [1, 90, 100, 250, 300, 600, 1000])
@pytest.mark.parametrize("again", [SPEECH, ALMOST], ids=["the same", "almost the same"])
def test_the_same_sound_goes_on_where_it_was(asked: Asked, again: np.ndarray, length: int) -> None:
    for piece in pieces(SPEECH[:300], 100):
        answer(asked, piece)
    heard = read(asked, until_empty=True)
    lose(asked)
    for piece in pieces(again, length):
        answer(asked, piece)
    end(asked)
    heard = np.concatenate([heard, read(asked)])
    assert len(heard) == len(SPEECH)
    assert np.abs(heard - SPEECH).max() < 0.001


def test_what_was_lost_right_before_its_end_has_only_the_end_to_come(asked: Asked) -> None:
    answer(asked, SPEECH)
    assert len(read(asked, until_empty=True)) == len(SPEECH)
    lose(asked)
    answer(asked, SPEECH)
    end(asked)
    assert not len(read(asked))


def test_it_goes_on_however_often_workers_are_lost(asked: Asked) -> None:
    heard = []
    for made in (100, 50, 400, 400, 700):
        for piece in pieces(SPEECH[:made], 90):
            answer(asked, piece)
        heard.append(read(asked, until_empty=True))
        lose(asked)
    answer(asked, SPEECH)
    end(asked)
    heard.append(read(asked))
    assert np.array_equal(np.concatenate(heard), SPEECH)
    assert [len(each) for each in heard] == [100, 0, 300, 0, 300, 300]


@pytest.mark.parametrize(
    ("again", "rate"),
    [
        ([OTHER], RATE),
        ([SPEECH[:200], OTHER[200:]], RATE),
        ([SPEECH[:200]], RATE),
        ([SPEECH[:290], SPEECH[:290]], RATE),
        ([], RATE),
        ([SPEECH], 16_000),
        ([QUIET], RATE),
        ([SPEECH * np.nan], RATE),
    ],
    ids=["other", "other later", "shorter", "shifted", "none", "rate", "quiet", "no numbers"],
)
def test_other_sound_begins_anew_and_is_whole(
    asked: Asked, again: Sequence[np.ndarray], rate: int
) -> None:
    answer(asked, SPEECH[:300])
    read(asked, until_empty=True)
    lose(asked)
    for piece in again:
        answer(asked, piece, rate)
    end(asked)
    with pytest.raises(WorkerLost):
        read(asked)
    assert asked.is_going_on
    whole = np.concatenate([*again, np.zeros(0, "<f4")])
    assert np.array_equal(read(asked), whole, equal_nan=True)
    assert not asked.is_going_on


def test_what_begins_anew_and_is_lost_goes_on_in_its_turn(asked: Asked) -> None:
    answer(asked, SPEECH[:300])
    read(asked, until_empty=True)
    lose(asked)
    for piece in pieces(OTHER[:500], 250):
        answer(asked, piece)
    with pytest.raises(WorkerLost):
        read(asked, until_empty=True)
    heard = [asked.next(10), asked.next(10)]
    assert b"".join(each.pcm for each in heard if each) == OTHER[:500].tobytes()
    lose(asked)
    answer(asked, OTHER)
    end(asked)
    assert np.array_equal(read(asked), OTHER[500:])
