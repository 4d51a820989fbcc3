"""Silence before speech: a lead-in for sinks that sleep, and a pause between two jobs."""

from __future__ import annotations

import itertools
import time

import pytest

from tests.audio.test_player import (
    NEARLY_S,
    RATE,
    RecordingListener,
    listener,
    player,
    say,
    spools,
    tone,
    tones,
)
from tests.sound import Recorder, SoundServer, segments_of_sound
from vox.audio.gaps import ASLEEP_S, Gaps
from vox.audio.player import Playback, Player
from vox.audio.spool import SpoolDir

__all__ = ["listener", "player", "spools"]

LONG_S = 0.8
"""Longer than a busy machine's sound buffer is dry."""


def use(player: Player, lead_in_s: float = 0.0, pause_s: float = 0.0) -> dict[str, float]:
    """Have the player keep these; returns the settings, which may be changed."""
    settings = {"lead_in_s": lead_in_s, "pause_s": pause_s}
    player.output.gaps = Gaps(lambda: settings["lead_in_s"], lambda: settings["pause_s"])
    return settings


def gaps_heard(recorder: Recorder) -> list[float]:
    """The silences of at least 0.3 s between the sounds."""
    heard = segments_of_sound(recorder.stop(), 0.3)
    return [after[0] - before[1] for before, after in itertools.pairwise(heard)]


@pytest.mark.parametrize("rate", [RATE, 22_050])
def test_between_two_jobs_that_follow_directly_is_the_pause_between_sentences(
    rate: int,
    player: Player,
    listener: RecordingListener,
    spools: SpoolDir,
    recorder: Recorder,
) -> None:
    use(player, pause_s=LONG_S)
    player.add(Playback("a", tones(spools, "a", 440), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 440, rate=rate), (0, 2)))
    listener.wait("finished", "b")
    [gap_s] = gaps_heard(recorder)
    assert LONG_S - 0.01 < gap_s < LONG_S + 0.3


def test_silence_that_was_heard_while_the_next_job_was_not_ready_counts_as_the_pause(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    use(player, pause_s=LONG_S)
    late = spools.open("b")
    player.add(Playback("a", tones(spools, "a", 440), (0, 1)))
    player.add(Playback("b", late, (0, 2)))
    listener.wait("finished", "a")
    recorder.wait_for_silence(LONG_S)
    begun_at = time.monotonic()
    say(late, tone(440, 0.3))
    late.finish()
    assert recorder.wait_for_sound(since=begun_at) - begun_at < LONG_S / 2
    listener.wait("finished", "b")
    [gap_s] = gaps_heard(recorder)
    assert gap_s > LONG_S


def test_before_what_interrupts_there_is_none(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    use(player, pause_s=20.0)
    player.add(Playback("a", tones(spools, "a", 440), (0, 1)))
    listener.wait("finished", "a")
    begun_at = time.monotonic()
    player.add(Playback("b", tones(spools, "b", 440), (0, 2), interrupts=True))
    listener.wait("finished", "b")
    assert recorder.wait_for_sound(since=begun_at) - begun_at < 10.0


def test_after_a_skip_the_next_job_begins_after_the_pause(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    use(player, pause_s=LONG_S)
    player.add(Playback("a", tones(spools, "a", 440, seconds=20.0), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 660), (0, 2)))
    listener.wait("started", "a")
    recorder.wait_for_sound()
    player.cancel("a")
    listener.wait("finished", "b")
    [gap_s] = gaps_heard(recorder)
    assert LONG_S - 0.01 < gap_s < LONG_S + 0.3


def test_a_sink_that_was_silent_is_given_the_lead_in_and_none_within_or_between_jobs(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    use(player, lead_in_s=LONG_S)
    added_at = time.monotonic()
    player.add(Playback("a", tones(spools, "a", 440, 550), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 660), (0, 2)))
    assert recorder.wait_for_sound(since=added_at) - added_at > LONG_S - 0.02
    listener.wait("finished", "b")
    assert gaps_heard(recorder) == []


@pytest.mark.slow
def test_after_a_moment_of_silence_an_open_device_is_given_the_lead_in_again(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    settings = use(player)
    player.add(Playback("a", tones(spools, "a", 440), (0, 1)))
    listener.wait("finished", "a")
    recorder.wait_for_silence(ASLEEP_S + NEARLY_S)
    assert player.describe()["state"] == "open"
    settings["lead_in_s"] = LONG_S  # as it is when the user has changed it meanwhile
    added_at = time.monotonic()
    player.add(Playback("b", tones(spools, "b", 440), (0, 2)))
    listener.wait("finished", "b")
    assert recorder.wait_for_sound(since=added_at) - added_at > LONG_S - 0.02


@pytest.mark.slow
def test_speech_that_goes_on_after_a_long_pause_is_given_the_lead_in(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    settings = use(player)
    player.add(Playback("a", tones(spools, "a", 440, seconds=1.5), (0, 1)))
    recorder.wait_for_sound()
    player.pause()
    recorder.wait_for_silence(ASLEEP_S + NEARLY_S)
    settings["lead_in_s"] = LONG_S
    resumed_at = time.monotonic()
    player.resume()
    assert recorder.wait_for_sound(since=resumed_at) - resumed_at > LONG_S - 0.02
    listener.wait("finished", "a")
    assert sum(end - start for start, end in segments_of_sound(recorder.stop(), 0.3)) == (
        pytest.approx(1.5, abs=NEARLY_S)
    )


def test_a_voice_that_is_slow_is_given_no_lead_in_within_its_job(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    settings = use(player)
    slow = spools.open("a")
    say(slow, tone(440, 0.3))
    player.add(Playback("a", slow, (0, 1)))
    listener.wait("heard", "a", 1)
    recorder.wait_for_silence(ASLEEP_S + NEARLY_S)
    settings["lead_in_s"] = 5.0
    said_at = time.monotonic()
    say(slow, tone(440, 0.3), index=1)
    slow.finish()
    assert recorder.wait_for_sound(since=said_at) - said_at < 2.0
    listener.wait("finished", "a")


def test_a_job_can_be_cancelled_and_speech_stopped_during_the_lead_in(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    use(player, lead_in_s=5.0, pause_s=5.0)
    player.add(Playback("a", tones(spools, "a", 440), (0, 1)))
    spool = spools.open("a")
    spool.close()
    assert player.cancel("a")
    began = time.monotonic()
    player.stop()
    assert time.monotonic() - began < 2.0
    assert listener.events == []


@pytest.mark.slow
def test_a_lost_device_is_given_the_lead_in_when_it_is_back(
    server: SoundServer, listener: RecordingListener, spools: SpoolDir
) -> None:
    player = Player(listener)
    settings = use(player)
    player.start()
    try:
        player.add(Playback("a", tones(spools, "a", 440, seconds=5.0), (0, 1)))
        listener.wait("started", "a")
        settings["lead_in_s"] = LONG_S
        server.remove_sink()
        while player.absence is None:
            player.wait_change(1.0)
        server.add_sink()
        with Recorder() as recorder:
            player.try_again()
            while player.absence is not None:
                player.wait_change(1.0)
            opened_at = time.monotonic()
            assert recorder.wait_for_sound(since=opened_at) - opened_at > LONG_S - 0.1
    finally:
        player.stop(now=True)
