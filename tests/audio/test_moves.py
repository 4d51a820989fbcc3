"""Back and forward by sentences in what is heard, on recorded sound and against a model."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sound import Recorder, Recording, SoundServer
from tests.tones import Tone, read_timed_tones
from vox.audio.device import BLOCK_S
from vox.audio.pcm import frames_in
from vox.audio.playback import BEGUN_S, Playback
from vox.audio.player import Player
from vox.audio.spool import Spool, SpoolDir

from .test_player import RATE, RecordingListener, listener, player, say, spools, tone

__all__ = ["listener", "player", "spools"]

SOON_S = 0.4
"""Well above what it takes (some 70 ms), for a busy machine."""


def sentence(number: int, seconds: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A tone that `tests.tones` reads as the number."""
    return tone(400.0 + 50.0 * number, seconds)


def sentences(spools: SpoolDir, job_id: str, *seconds: float, first: int = 0) -> Spool:
    """A complete spool of such sentences; one of no length was left out."""
    spool = spools.open(job_id)
    for index, length in enumerate(seconds):
        spool.begin_utterance(index)
        if length:
            spool.append(sentence(first + index, length), RATE)
        spool.end_utterance(is_unsaid=not length)
    spool.finish()
    return spool


def timed(recording: Recording) -> list[Tone]:
    """What was heard; where a busy machine was late, a tone is parted and still one."""
    joined: list[Tone] = []
    for each in read_timed_tones(recording.samples, recording.sample_rate):
        if joined and joined[-1].number == each.number:
            joined[-1] = joined[-1]._replace(end_s=each.end_s)
        else:
            joined.append(each)
    return joined


def numbers(recording: Recording) -> list[int]:
    return [each.number for each in timed(recording)]


@pytest.mark.slow
def test_back_after_a_while_leads_to_the_start_of_the_sentence(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    length_s = 20.0
    player.add(Playback("a", sentences(spools, "a", 0.6, length_s, 0.4), (0, 1)))
    listener.wait("heard", "a", 1)
    while player.remaining_s("a") > length_s - BEGUN_S:  # so far the ear is in the second
        player.wait_change(0.05)
    assert player.move(-1) == ("a", 1)
    while listener.of("a").count(("heard", 1)) < 2:
        player.wait_change(0.05)
    assert player.remaining_s("a") > length_s - 1.0
    assert player.move(1) == ("a", 2)
    listener.wait("finished", "a")
    assert numbers(recorder.stop()) == [0, 1, 2]  # a jump within one pitch is not told
    assert [value for kind, value in listener.of("a") if kind == "heard"] == [1, 1, 2, 3]


def test_next_is_heard_at_once_without_a_click(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 5.0, 5.0, 0.5), (0, 1)))
    listener.wait("started", "a")
    recorder.wait_for_sound()
    moved_at = time.monotonic()
    assert player.move(1) == ("a", 1)
    recorder.wait_for_sound(since=moved_at + SOON_S)
    assert player.move(1) == ("a", 2)
    listener.wait("finished", "a")
    recording = recorder.stop()
    heard = timed(recording)
    assert [each.number for each in heard] == [0, 1, 2]
    delay_s = recording.started_at + heard[1].start_s - moved_at
    print(f"the next sentence is heard after {delay_s * 1000:.0f} ms")
    assert 0 < delay_s < SOON_S
    # A tone of 500 Hz at 0.4 rises by at most 0.027 a sample; a cut would be a jump.
    assert float(np.abs(np.diff(recording.samples)).max()) < 0.04


def test_next_at_the_last_sentence_ends_the_job_and_the_next_one_comes(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 0.5, 20.0), (0, 1)))
    player.add(Playback("b", sentences(spools, "b", 0.5, first=7), (0, 2)))
    listener.wait("started", "a")
    assert player.move(9) == ("a", 2)
    listener.wait("finished", "b")
    assert numbers(recorder.stop()) == [0, 7]
    assert listener.of("a") == [("started", None), ("heard", 2), ("finished", None)]


def test_next_waits_for_a_sentence_that_is_not_made_yet(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    spool = spools.open("a")
    player.add(Playback("a", spool, (0, 1)))
    spool.begin_utterance(0)
    spool.append(sentence(0, 9.0), RATE)
    listener.wait("started", "a")
    assert player.move(5) == ("a", 1)
    listener.wait("heard", "a", 1)
    assert player.move(1) == ("a", 1)  # no further than that
    recorder.wait_for_silence(0.3)
    spool.append(sentence(0, 9.0), RATE)
    spool.end_utterance()
    say(spool, sentence(1, 0.5), index=1)
    spool.finish()
    listener.wait("finished", "a")
    assert numbers(recorder.stop()) == [0, 1]


def test_while_paused_it_moves_in_silence_and_resume_speaks_there(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 0.5, 0.0, 5.0, 0.5), (0, 1)))
    listener.wait("heard", "a", 2)  # the sentence that was left out counts with the one before
    recorder.wait_for_sound()
    player.pause()
    recorder.wait_for_silence(0.4)
    paused_at = time.monotonic()
    assert player.move(-1) == ("a", 0)
    assert player.move(2) == ("a", 3)
    assert player.move(1) == ("a", 4)
    assert player.move(-1) == ("a", 3)
    listener.wait("heard", "a", 3)
    recorder.wait_for_silence(0.4)
    assert numbers(recorder.recording().after(paused_at)) == []
    player.resume()
    listener.wait("finished", "a")
    assert numbers(recorder.stop().after(paused_at)) == [3]


@pytest.mark.slow
def test_two_backs_at_once_are_two_steps(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", sentences(spools, "a", 0.4, 0.4, 0.4, 0.4), (0, 1)))
    listener.wait("heard", "a", 3)
    assert [player.move(-1), player.move(-1), player.move(-1)] == [("a", 2), ("a", 1), ("a", 0)]
    listener.wait("finished", "a")
    heard = numbers(recorder.stop())
    assert heard in ([0, 1, 2, 3, 0, 1, 2, 3], [0, 1, 2, 0, 1, 2, 3])


def test_where_nothing_is_heard_there_is_nothing_to_move_in(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    assert player.move(-1) is None
    player.pause()
    player.add(Playback("a", sentences(spools, "a", 0.3, 0.3), (0, 1)))
    assert player.move(1) is None
    player.resume()
    listener.wait("finished", "a")
    assert player.move(-1) is None
    assert listener.of("a")[-1] == ("finished", None)


@pytest.mark.slow
def test_back_while_the_device_is_away_is_heard_once_it_is_there(
    sound: SoundServer, player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.add(Playback("a", sentences(spools, "a", 0.4, 0.4, 3.0), (0, 1)))
    listener.wait("heard", "a", 2)
    sound.kill()
    try:
        while player.absence is None:
            player.wait_change(0.1)
        assert player.move(-1) == ("a", 1)
        listener.wait("heard", "a", 1)
    finally:
        sound.start()
    with Recorder() as recorder:
        player.try_again()
        listener.wait("finished", "a")
        # The recorder may begin in the middle of the first.
        assert numbers(recorder.stop())[-1:] == [2]
    assert [value for kind, value in listener.of("a") if kind == "heard"][-3:] == [1, 2, 3]


# -- against a model ---------------------------------------------------------------------------


class Model:
    """What a playback should do: the sentence that is heard, and how many of its blocks were."""

    def __init__(self, lengths: list[int]) -> None:
        """`lengths`: blocks of each sentence; 0: it was left out."""
        self.lengths = lengths
        self.made = 0
        self.sentence, self.blocks = 0, 0

    def hear(self) -> tuple[int, int] | None:
        """The next block: its sentence and number; None: it is not made, or there is none."""
        while self.sentence < self.made and self.blocks >= self.lengths[self.sentence]:
            if not any(self.lengths[self.sentence + 1 : self.made]):
                return None
            self.sentence, self.blocks = self.sentence + 1, 0
        if self.sentence >= self.made:
            return None
        self.blocks += 1
        return self.sentence, self.blocks - 1

    def move(self, steps: int) -> int:
        """The sentence that it leads to."""
        can_be_heard = [each for each in range(self.made) if self.lengths[each]]
        later = [each for each in can_be_heard if each > self.sentence]
        is_waiting = self.sentence not in can_be_heard and not later
        is_over = not is_waiting and self.blocks >= self.lengths[self.sentence]
        if is_over and later:
            self.sentence, self.blocks, is_over = later[0], 0, False
        if is_waiting:
            can_be_heard.append(self.sentence)
        here = can_be_heard.index(self.sentence)
        if steps < 0 and not is_waiting and (is_over or self.blocks * BLOCK_S >= BEGUN_S):
            steps += 1
        line = [*can_be_heard, max(self.made, self.sentence)]
        self.sentence, self.blocks = line[min(max(0, here + steps), len(line) - 1)], 0
        return self.sentence


_LENGTHS = st.lists(st.sampled_from([0, 1, 40, 150, 151, 200]), min_size=2, max_size=6)
_ACTION = st.one_of(
    st.just(("make", 1)),
    st.tuples(st.just("hear"), st.sampled_from([1, 40, 149, 150, 160, 220])),
    st.tuples(st.just("move"), st.sampled_from([-1, 1, -2, 2, -4])),
)


def level(sentence: int, block: int) -> float:
    return (sentence + 1) * 0.05 + block * 0.0001


def make(spool: Spool, index: int, blocks: int) -> None:
    size = frames_in(BLOCK_S, RATE)
    spool.begin_utterance(index)
    for block in range(blocks):
        spool.append(np.full(size, level(index, block), np.float32), RATE)
    spool.end_utterance(is_unsaid=not blocks)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(_LENGTHS, st.integers(1, 6), st.lists(_ACTION, min_size=10, max_size=30))
def test_whatever_is_done_the_sentence_that_the_model_says_is_heard(
    lengths: list[int], made: int, actions: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        spool = SpoolDir(folder, 10**9).open("a")
        playback, model = Playback("a", spool, (0, 1)), Model(lengths)
        for kind, count in [("make", 1)] * made + actions:
            if kind == "make" and model.made < len(lengths):
                make(spool, model.made, lengths[model.made])
                model.made += 1
                if model.made == len(lengths):
                    spool.finish()
            elif kind == "hear":
                for _ in range(count):
                    heard, expected = playback.take(), model.hear()
                    playback.is_sounding |= len(heard) > 0
                    assert (expected is None) == (not len(heard))
                    if expected is not None:
                        assert float(heard[0]) == pytest.approx(level(*expected), abs=5e-5)
            elif kind == "move" and playback.is_sounding:
                playback.move_to = playback.destination(count, 0.0)
                assert playback.move_to == model.move(count)
                playback.move()
                assert playback.utterances_written == model.sentence
            if playback.is_over:
                break
        spool.close()


def test_the_silence_after_a_sentence_belongs_to_it(spools: SpoolDir) -> None:
    spool = spools.open("a")
    for index in range(3):
        say(spool, sentence(index, 0.5), index=index)
        spool.append(np.zeros(RATE // 4, np.float32), RATE)
    playback = Playback("a", spool, (0, 1))
    playback.position = round(1.3 * RATE)  # in the silence after the second
    assert [playback.destination(steps, 0.0) for steps in (-2, -1, 1, 2)] == [0, 1, 2, 3]
    playback.position = round(1.0 * RATE)
    assert [playback.destination(steps, 0.0) for steps in (-2, -1, 1, 2)] == [0, 0, 2, 3]
    assert playback.destination(-1, 0.3) == 0, "the ear is still in the silence after the first"
    spool.close()


def test_right_after_a_move_the_ear_is_where_it_led(spools: SpoolDir) -> None:
    playback = Playback("a", sentences(spools, "a", 0.5, 0.5, 0.5), (0, 1))
    playback.take()
    playback.move_to = 1
    playback.move()
    playback.take()  # 10 ms, which are not heard yet
    assert [playback.destination(steps, 0.06) for steps in (-1, 1)] == [0, 2]
    playback.spool.close()
