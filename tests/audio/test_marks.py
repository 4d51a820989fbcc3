"""Marks are told when their place is heard, and once, whatever becomes of the job meanwhile."""

from __future__ import annotations

import pytest

from tests.sound import Recorder
from vox.audio.playback import Mark, Playback
from vox.audio.player import Player
from vox.audio.spool import SpoolDir

from .test_interrupts import URGENT
from .test_moves import sentence, sentences
from .test_player import RATE, RecordingListener, listener, player, spools

__all__ = ["listener", "player", "spools"]

MARKS = [Mark("a", 0, 0.0), Mark("b", 0, 0.5), Mark("c", 1, 0.5), Mark("d", 1, 1.0)]


def marks_of(listener: RecordingListener, job_id: str) -> list[object]:
    return [value for kind, value in listener.of(job_id) if kind == "mark"]


def test_each_is_told_when_it_is_heard_between_the_begin_and_the_end(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("x", sentences(spools, "x", 1.0, 1.0), (0, 1), marks=MARKS))
    listener.wait("finished", "x")
    told = [event for event in listener.of("x") if event[0] != "heard"]
    assert told == [("started", None), *(("mark", m.name) for m in MARKS), ("finished", None)]
    begun = listener.wait("started", "x")
    at_s = [listener.wait("mark", "x", mark.name) - begun for mark in MARKS]
    for heard_s, due_s in zip(at_s, (0.0, 0.5, 1.5, 2.0), strict=True):
        assert due_s - 0.1 < heard_s < due_s + 2.0


def test_none_is_told_before_there_is_a_sound(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    spool = spools.open("x")
    spool.append(sentence(0, 0.0), RATE)
    spool.begin_utterance(0)
    playback = Playback("x", spool, (0, 1), marks=MARKS[:1])
    player.add(playback)
    while playback.position is None:
        player.wait_change(0.01)
    player.pause()  # by now it has looked for marks
    player.resume()
    spool.append(sentence(0, 0.3), RATE)
    spool.end_utterance()
    spool.finish()
    listener.wait("finished", "x")
    assert listener.of("x")[:2] == [("started", None), ("mark", "a")]


@pytest.mark.slow
def test_after_an_interruption_none_is_told_again_and_none_is_missing(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.add(Playback("x", sentences(spools, "x", 2.0, 0.2), (False, 0, 1), marks=MARKS))
    listener.wait("mark", "x", "b")
    urgent = sentences(spools, "u", 0.2, first=7)
    player.add(Playback("u", urgent, URGENT, interrupts=True))
    listener.wait("interrupted", "x")
    listener.wait("finished", "x")
    assert marks_of(listener, "x") == ["a", "b", "c", "d"]


def test_what_was_heard_before_a_restart_is_not_told(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    spool = sentences(spools, "x", 0.2, 0.2)
    player.add(Playback("x", spool, (0, 1), start_utterance=1, marks=MARKS))
    listener.wait("finished", "x")
    assert marks_of(listener, "x") == ["c", "d"]


def test_those_of_an_utterance_that_was_left_out_or_not_made_are_told_before_the_end(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    spool = sentences(spools, "x", 0.2, 0.0)
    player.add(Playback("x", spool, (0, 1), marks=[*MARKS, Mark("e", 9, 0.5)]))
    listener.wait("finished", "x")
    assert marks_of(listener, "x") == ["a", "b", "c", "d", "e"]


def test_in_an_utterance_that_is_still_made_a_place_is_known_once_that_is_whole(
    spools: SpoolDir,
) -> None:
    spool = spools.open("x")
    spool.begin_utterance(3)
    assert (spool.frame_at(2, 0.5), spool.frame_at(3, 0.0)) == (0, 0)
    assert (spool.frame_at(3, 0.5), spool.frame_at(4, 0.0)) == (None, None)
    spool.append(sentence(0, 1.0), RATE)
    spool.end_utterance()
    assert (spool.frame_at(3, 0.5), spool.frame_at(4, 0.0)) == (RATE // 2, None)
    spool.finish()
    assert spool.frame_at(4, 0.0) == RATE
