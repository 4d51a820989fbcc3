"""A screen reader's jobs: heard while speech is paused; then the floor is theirs for a moment."""

from __future__ import annotations

import itertools

import pytest

from tests.sound import Recorder
from vox.audio.line import FLOOR_S
from vox.audio.playback import Playback
from vox.audio.player import Player
from vox.audio.spool import SpoolDir

from .test_interrupts import URGENT
from .test_moves import numbers, sentences, timed
from .test_player import RecordingListener, listener, player, spools

__all__ = ["listener", "player", "spools"]


def word(spools: SpoolDir, number: int, seconds: float = 0.3, source: str = "reader") -> Playback:
    """A short job of a screen reader, named by its tone."""
    spool = sentences(spools, str(number), seconds, first=number)
    return Playback(
        str(number),
        spool,
        (*URGENT[:2], number),
        interrupts=True,
        source=source,
        is_assistive=True,
    )


@pytest.mark.slow
def test_what_it_interrupted_does_not_begin_between_two_of_its_words(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 2.0), (False, 0, 1)))
    listener.wait("started", "a")
    recorder.wait_for_sound()
    player.add(word(spools, 5))
    listener.wait("finished", "5")
    player.add(word(spools, 6))
    listener.wait("finished", "6")
    other = sentences(spools, "b", 0.3, first=8)
    player.add(Playback("b", other, URGENT, interrupts=True, source="build"))
    listener.wait("finished", "a")
    heard = timed(recorder.stop())
    assert [each.number for each in heard] == [0, 5, 6, 8, 0]
    silences = [after.start_s - before.end_s for before, after in itertools.pairwise(heard)]
    assert silences[2] > FLOOR_S - 0.1


@pytest.mark.slow
def test_nor_does_it_when_a_word_is_cut_off_for_the_next(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 2.0), (False, 0, 1)))
    listener.wait("started", "a")
    recorder.wait_for_sound()
    player.add(word(spools, 5, seconds=20.0))
    listener.wait("started", "5")
    assert player.cancel("5")
    recorder.wait_for_silence(0.3)
    player.add(word(spools, 6))
    listener.wait("finished", "a")
    assert numbers(recorder.stop()) == [0, 5, 6, 0]


def test_one_that_was_cut_off_before_it_sounded_holds_no_floor(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.add(word(spools, 5))
    player.cancel("5")
    player.add(Playback("a", sentences(spools, "a", 0.1), (False, 0, 1)))
    listener.wait("finished", "a")
    assert not player._line.floor_left_s or listener.of("5")


@pytest.mark.slow
def test_while_speech_is_paused_it_is_heard_and_nothing_else(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 3.0), (False, 0, 1)))
    player.add(Playback("c", sentences(spools, "c", 0.3, first=9), (False, 0, 2)))
    listener.wait("started", "a")
    recorder.wait_for_sound()
    player.pause()
    recorder.wait_for_silence(0.3)
    for number in (5, 6):
        player.add(word(spools, number))
        listener.wait("finished", str(number))
    recorder.wait_for_silence(FLOOR_S + 0.3)
    assert (player.current, player.is_paused) == (None, True)
    player.resume()
    listener.wait("finished", "c")
    assert numbers(recorder.stop()) == [0, 5, 6, 0, 9]


def test_while_speech_is_paused_it_waits_for_no_other_that_interrupts(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.pause()
    urgent = sentences(spools, "a", 0.3)
    player.add(Playback("a", urgent, (*URGENT[:2], 1), interrupts=True))
    player.add(word(spools, 5))
    listener.wait("finished", "5")
    assert not listener.of("a")
    player.resume()
    listener.wait("finished", "a")
