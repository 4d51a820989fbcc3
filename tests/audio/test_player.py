"""The player on a real sound server that is recorded: what is heard, when, and what it reports."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.sound import (
    Recorder,
    Recording,
    SoundServer,
    first_sound_s,
    recognise,
    segments_of_sound,
    word_overlap,
)
from vox.audio.gaps import Gaps
from vox.audio.pcm import Samples, silence
from vox.audio.player import Playback, Player
from vox.audio.shaping import Shaper
from vox.audio.spool import Spool, SpoolDir
from vox.errors import VoxError
from vox.text.speakable import Reading, pieces

RATE = 24_000
NEARLY_S = 0.15
GAP_S = 0.25
"""On a busy machine the sound buffer runs dry now and then: gaps of 50 ms."""


def tone(hertz: float, seconds: float, rate: int = RATE) -> Samples:
    samples = 0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return samples.astype(np.float32)


class RecordingListener:
    """A listener that keeps what it is told, and that can be waited for."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, object]] = []
        self.times: list[float] = []
        self._changed = threading.Condition()

    def _note(self, *event: object) -> None:
        with self._changed:
            self.events.append(event)  # type: ignore[arg-type]
            self.times.append(time.monotonic())
            self._changed.notify_all()

    def started(self, job_id: str) -> None:
        self._note("started", job_id, None)

    def heard(self, job_id: str, utterances: int) -> None:
        self._note("heard", job_id, utterances)

    def mark(self, job_id: str, name: str) -> None:
        self._note("mark", job_id, name)

    def interrupted(self, job_id: str) -> None:
        self._note("interrupted", job_id, None)

    def finished(self, job_id: str) -> None:
        self._note("finished", job_id, None)

    def failed(self, job_id: str, error: VoxError) -> None:
        self._note("failed", job_id, error)

    def wait(self, what: str, job_id: str, value: object = None, timeout_s: float = 30.0) -> float:
        def happened() -> int | None:
            for index, (kind, job, found) in enumerate(self.events):
                if (kind, job) == (what, job_id) and value in (None, found):
                    return index + 1
            return None

        with self._changed:
            index = self._changed.wait_for(happened, timeout_s)
            assert index, f"no {what} {job_id} in {self.events}"
            return self.times[index - 1]

    def of(self, job_id: str) -> list[tuple[str, object]]:
        return [(kind, value) for kind, job, value in self.events if job == job_id]


@pytest.fixture
def listener() -> RecordingListener:
    return RecordingListener()


@pytest.fixture
def player(sound: SoundServer, listener: RecordingListener) -> Iterator[Player]:
    player = Player(listener)
    player.check()
    player.start()
    yield player
    player.stop(now=True)


@pytest.fixture
def spools(tmp_path: Path) -> SpoolDir:
    return SpoolDir(str(tmp_path / "spool"), 10**9)


def say(spool: Spool, samples: Samples, rate: int = RATE, index: int = 0) -> None:
    spool.begin_utterance(index)
    spool.append(samples, rate)
    spool.end_utterance()


def tones(
    spools: SpoolDir, job_id: str, *hertz: float, seconds: float = 0.3, rate: int = RATE
) -> Spool:
    """A complete spool with a tone for each utterance."""
    spool = spools.open(job_id)
    for index, pitch in enumerate(hertz):
        say(spool, tone(pitch, seconds, rate), rate, index)
    spool.finish()
    return spool


def pitch_at(recording: Recording, start_s: float, end_s: float) -> float:
    samples = recording.samples[int(start_s * 48_000) : int(end_s * 48_000)]
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / 48_000)[int(spectrum.argmax())])


def test_a_job_is_heard_whole_and_reported_once(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, 550), (0, 1)))
    listener.wait("finished", "a")
    [(start, end)] = segments_of_sound(recorder.stop(), GAP_S)
    assert end - start == pytest.approx(0.6, abs=NEARLY_S)
    assert listener.of("a") == [("started", None), ("heard", 1), ("heard", 2), ("finished", None)]
    assert player.current is None and player.waiting == []


def test_jobs_follow_each_other_in_order(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.output.gaps = Gaps(pause_s=lambda: 0.0)
    first = spools.open("first")
    player.add(Playback("first", first, (0, 1)))
    player.add(Playback("third", tones(spools, "third", 880), (0, 3)))
    player.add(Playback("second", tones(spools, "second", 660), (0, 2)))
    say(first, tone(440, 0.3))
    first.finish()
    listener.wait("finished", "third")
    heard = recorder.stop()
    [(start, end)] = segments_of_sound(heard, GAP_S)
    assert end - start == pytest.approx(0.9, abs=NEARLY_S)
    pitches = [pitch_at(heard, start + at, start + at + 0.2) for at in (0.05, 0.35, 0.65)]
    assert pitches == pytest.approx([440, 660, 880], abs=6)


def test_a_job_of_another_sample_rate_is_heard_at_its_own_pitch(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 440), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 440, rate=22_050), (0, 2)))
    listener.wait("finished", "b")
    heard = recorder.stop()
    (start, _), (_, end) = segments_of_sound(heard, 0.005)[0], segments_of_sound(heard, 0.005)[-1]
    assert pitch_at(heard, start + 0.05, start + 0.25) == pytest.approx(440, abs=6)
    assert pitch_at(heard, end - 0.25, end - 0.05) == pytest.approx(440, abs=6)


def test_a_growing_spool_is_played_as_it_grows_and_silence_is_heard_meanwhile(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    spool = spools.open("a")
    player.add(Playback("a", spool, (0, 1)))
    spool.begin_utterance(0)
    spool.append(tone(440, 0.3), RATE)
    listener.wait("started", "a")
    recorder.wait_for_silence(0.4)
    spool.append(tone(440, 0.3), RATE)
    spool.end_utterance()
    spool.finish()
    listener.wait("finished", "a")
    heard = segments_of_sound(recorder.stop(), GAP_S)
    assert [end - start for start, end in heard] == pytest.approx([0.3, 0.3], abs=NEARLY_S)


def test_cancel_is_silent_at_once_without_a_click(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 300, seconds=5.0), (0, 1)))
    listener.wait("started", "a")
    recorder.wait_for_sound()
    cancelled_at = time.monotonic()
    assert player.cancel("a")
    assert player.current is None
    assert not player.cancel("a")
    recorder.wait_for_silence(0.4)
    heard = recorder.stop()
    _, end = segments_of_sound(heard, GAP_S)[-1]
    assert heard.started_at + end - cancelled_at < 0.5
    # A 300 Hz tone at 0.4 rises by at most 0.016 a sample; a cut would be a jump.
    last = heard.samples[int((end - 0.005) * heard.sample_rate) :]
    assert float(np.abs(np.diff(last)).max()) < 0.03
    assert ("finished", None) not in listener.of("a")


def test_after_a_cancelled_job_comes_the_next(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, seconds=20.0), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 660), (0, 2)))
    listener.wait("started", "a")
    assert player.current == "a" and player.cancel("a")
    listener.wait("finished", "b")
    assert recorder.stop().duration_s < 15


def test_cancel_says_whether_there_was_anything_to_cut_off(player: Player) -> None:
    assert player.current is None and not player.cancel("a")


def test_pause_is_silent_and_resume_goes_on_where_it_was(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, seconds=1.0), (0, 1)))
    listener.wait("started", "a")
    player.pause()
    recorder.wait_for_silence(0.4)
    assert player.describe()["state"] == "paused"
    assert ("finished", None) not in listener.of("a")
    player.resume()
    listener.wait("finished", "a")
    heard = segments_of_sound(recorder.stop(), GAP_S)
    assert len(heard) == 2
    assert sum(end - start for start, end in heard) == pytest.approx(1.0, abs=NEARLY_S)


def test_after_a_crash_it_goes_on_from_the_utterance_asked_for(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, 550, 660), (0, 1), start_utterance=2))
    listener.wait("finished", "a")
    heard = recorder.stop()
    [(start, end)] = segments_of_sound(heard, GAP_S)
    assert end - start == pytest.approx(0.3, abs=NEARLY_S)
    assert pitch_at(heard, start + 0.05, end - 0.05) == pytest.approx(660, abs=6)
    assert listener.of("a") == [("started", None), ("heard", 3), ("finished", None)]


def test_an_utterance_that_was_rolled_back_is_heard_from_its_beginning(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    spool = spools.open("a")
    player.add(Playback("a", spool, (0, 1)))
    say(spool, tone(440, 0.2))
    spool.begin_utterance(1)
    spool.append(tone(880, 0.2), RATE)
    listener.wait("heard", "a", 1)
    recorder.wait_for_silence(0.4)
    rolled_back_at = time.monotonic()
    spool.rollback()
    say(spool, tone(550, 0.3), index=1)
    spool.finish()
    listener.wait("finished", "a")
    heard = recorder.stop().after(rolled_back_at)
    pieces = segments_of_sound(heard, 0.02)
    assert sum(end - start for start, end in pieces) == pytest.approx(0.3, abs=0.05)
    assert pitch_at(heard, 0, heard.duration_s) == pytest.approx(550, abs=10)


def test_an_abandoned_job_is_dropped_and_the_next_one_heard(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    spool = spools.open("a")
    player.add(Playback("a", spool, (0, 1)))
    player.add(Playback("b", tones(spools, "b", 660), (0, 2)))
    assert player.waiting == ["a", "b"]
    spool.abandon()
    listener.wait("finished", "b")
    assert listener.of("a") == []


def test_stop_finishes_what_is_being_spoken_but_not_what_waits(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 440, seconds=0.5), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 660, seconds=0.5), (0, 2)))
    listener.wait("started", "a")
    player.stop()
    [(start, end)] = segments_of_sound(recorder.stop(), GAP_S)
    assert end - start == pytest.approx(0.5, abs=NEARLY_S)
    assert listener.of("a")[-1] == ("finished", None)
    assert listener.of("b") == []


def test_volume_is_a_gain(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 440), (0, 1), volume=0.25))
    listener.wait("finished", "a")
    assert float(np.abs(recorder.stop().samples).max()) == pytest.approx(0.1, abs=0.01)


def test_what_is_ahead_of_the_ear_shrinks_to_nothing(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.pause()
    player.add(Playback("a", tones(spools, "a", 440, seconds=0.5), (0, 1)))
    assert player.remaining_s("a") == pytest.approx(0.5)
    player.resume()
    listener.wait("finished", "a")
    assert player.remaining_s() == 0.0


def test_the_first_sound_of_an_open_stream_comes_soon(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    player.add(Playback("a", tones(spools, "a", 440), (0, 1)))
    cold_at = time.monotonic()
    listener.wait("finished", "a")
    cold_s = first_sound_s(recorder.stop(), cold_at)
    warm_at = time.monotonic()
    player.add(Playback("b", tones(spools, "b", 440), (0, 2)))
    listener.wait("finished", "b")
    warm_s = first_sound_s(recorder.stop(), warm_at)
    print(f"cold {cold_s * 1000:.0f} ms, warm {warm_s * 1000:.0f} ms")
    assert 0 < warm_s < 1 and 0 < cold_s < 1
    assert player.describe()["state"] == "open"


@pytest.mark.slow
def test_a_real_voice_is_understood(
    player: Player, listener: RecordingListener, spools: SpoolDir, recorder: Recorder
) -> None:
    import hibari

    model, spool, text = (
        hibari.Hibari(),
        spools.open("a"),
        "The build is finished. All the tests pass.",
    )
    player.add(Playback("a", spool, (0, 1)))
    for piece in pieces(text, Reading()):
        shaper = Shaper()
        spool.begin_utterance(piece.index)
        for samples in model.stream(piece.text):
            spool.append(shaper.feed(samples, model.sample_rate), model.sample_rate)
        spool.append(shaper.finish(), model.sample_rate)
        spool.append(silence(0.25, model.sample_rate), model.sample_rate)
        spool.end_utterance()
    spool.finish()
    listener.wait("finished", "a")
    heard = recorder.stop()
    assert len(segments_of_sound(heard, 0.2)) == 2
    assert word_overlap(text, recognise(heard)) > 0.7


def test_audio_cut_off_on_disk_fails_its_job_with_a_reason_and_the_next_is_heard(
    player: Player, listener: RecordingListener, spools: SpoolDir
) -> None:
    player.pause()
    player.add(Playback("a", tones(spools, "a", 500, 600), (0, 1)))
    player.add(Playback("b", tones(spools, "b", 700), (0, 2)))
    Path(spools.path, "a.pcm").write_bytes(b"")
    player.resume()
    listener.wait("failed", "a")
    (error,) = (found for kind, _, found in listener.events if kind == "failed")
    assert isinstance(error, VoxError) and "truncated by another program" in error.line
    listener.wait("finished", "b")
