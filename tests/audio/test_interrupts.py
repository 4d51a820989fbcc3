"""A job that interrupts: it is heard at once, and what was heard goes on from its sentence."""

from __future__ import annotations

import pytest

from tests.sound import Recorder
from vox.audio.playback import Playback
from vox.audio.player import Player
from vox.audio.spool import SpoolDir

from .test_moves import numbers, sentence, sentences, timed
from .test_player import RecordingListener, listener, player, say, spools

__all__ = ["listener", "player", "spools"]

URGENT = (False, -20, 9)
HIGH = (False, -10, 8)


@pytest.mark.slow
def test_what_is_heard_stops_and_goes_on_afterwards_from_its_sentence(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 0.4, 2.0, 0.4), (False, 0, 1)))
    listener.wait("heard", "a", 1)
    player.add(Playback("high", sentences(spools, "high", 0.4, first=5), HIGH))
    player.add(Playback("b", sentences(spools, "b", 0.4, first=7), URGENT, interrupts=True))
    listener.wait("interrupted", "a")
    assert [*player.waiting][-2:] == ["a", "high"]
    listener.wait("finished", "high")
    heard = timed(recorder.stop())
    assert [each.number for each in heard] in ([0, 1, 7, 1, 2, 5], [0, 7, 1, 2, 5])
    assert heard[-3].end_s - heard[-3].start_s > 1.8, "the sentence was not said whole"
    assert [event for event in listener.of("a") if event[0] != "heard"] == [
        ("started", None),
        ("interrupted", None),
        ("started", None),
        ("finished", None),
    ]
    assert listener.of("a")[-2] == ("heard", 3)


@pytest.mark.slow
def test_nothing_is_silent_while_what_interrupts_is_made(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 0.5, 0.5, 2.0), (False, 0, 1)))
    listener.wait("started", "a")
    spool = spools.open("b")
    player.add(Playback("b", spool, URGENT, interrupts=True))
    listener.wait("heard", "a", 2)
    assert ("interrupted", None) not in listener.of("a")
    say(spool, sentence(7, 0.4))
    listener.wait("interrupted", "a")
    spool.finish()
    listener.wait("finished", "a")
    heard = numbers(recorder.stop())
    assert heard in ([0, 1, 2, 7, 2], [0, 1, 7, 2])


def test_what_interrupts_is_not_interrupted(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 3.0), (False, 0, 1)))
    listener.wait("started", "a")
    recorder.wait_for_sound()
    for number, job_id in enumerate("bc", start=7):
        spool = sentences(spools, job_id, 0.4, first=number)
        player.add(Playback(job_id, spool, (False, -20, number), interrupts=True))
    listener.wait("finished", "c")
    assert player.cancel("a")
    recorder.wait_for_silence(0.3)
    assert numbers(recorder.stop())[:3] == [0, 7, 8]


@pytest.mark.slow
def test_while_paused_it_is_silent_and_heard_first_after_resume(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 2.0), (False, 0, 1)))
    listener.wait("started", "a")
    recorder.wait_for_sound()
    player.pause()
    recorder.wait_for_silence(0.3)
    player.add(Playback("b", sentences(spools, "b", 0.4, first=7), URGENT, interrupts=True))
    recorder.wait_for_silence(0.3)
    assert player.current == "a"
    player.resume()
    listener.wait("finished", "a")
    assert numbers(recorder.stop()) == [0, 7, 0]


def test_when_what_interrupts_is_cancelled_the_other_goes_on(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 0.6), (False, 0, 1)))
    listener.wait("started", "a")
    player.add(Playback("b", sentences(spools, "b", 20.0, first=7), URGENT, interrupts=True))
    listener.wait("started", "b")
    assert player.move(1) == ("b", 1) and player.move(-1) == ("b", 0)  # moves are in what is heard
    assert player.cancel("b")
    listener.wait("finished", "a")
    assert numbers(recorder.stop())[-1] == 0


def test_a_job_that_waits_interrupted_can_be_cancelled(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.add(Playback("a", sentences(spools, "a", 20.0), (False, 0, 1)))
    listener.wait("started", "a")
    player.add(Playback("b", sentences(spools, "b", 0.4, first=7), URGENT, interrupts=True))
    listener.wait("started", "b")
    assert player.cancel("a")
    listener.wait("finished", "b")
    assert player.next is None and listener.of("a")[-1] == ("interrupted", None)
