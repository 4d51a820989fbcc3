"""Another tempo: the pitch stays, the length follows, each utterance is still found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vox.audio.pcm import Samples
from vox.audio.spool import Spool, SpoolDir
from vox.audio.time_stretch import TimeStretcher, stretch_spool

RATE = 24_000
PITCHES_HZ = (440.0, 660.0, 880.0)
LENGTHS_S = (1.0, 0.4, 0.7)
PAUSE_S = 0.2


def tone(hertz: float, seconds: float, rate: int = RATE) -> Samples:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return wave.astype(np.float32)


def pitch(samples: Samples, rate: int = RATE) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return float(spectrum.argmax()) * rate / (1 << 18)


def in_chunks(samples: Samples, tempo: float, size: int, rate: int = RATE) -> Samples:
    stretcher = TimeStretcher(rate, tempo)
    parts = [stretcher.feed(samples[at : at + size]) for at in range(0, len(samples), size)]
    return np.concatenate([*parts, stretcher.finish()])


@pytest.fixture
def spools(tmp_path: Path) -> SpoolDir:
    return SpoolDir(str(tmp_path), 10_000_000)


@pytest.fixture
def source(spools: SpoolDir) -> Spool:
    """Three tones, between the last two of which a sentence was left out."""
    spool = spools.open("a1")
    for index, (hertz, seconds) in enumerate(zip(PITCHES_HZ, LENGTHS_S, strict=True)):
        if index:
            spool.append(np.zeros(round(PAUSE_S * RATE), np.float32), RATE)
        spool.begin_utterance(index if index < 2 else 3)
        spool.append(tone(hertz, seconds), RATE)
        spool.end_utterance()
        if index == 1:
            spool.begin_utterance(2)
            spool.end_utterance(is_unsaid=True)
    spool.finish()
    return spool


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
@pytest.mark.parametrize("tempo", [0.25, 0.5, 0.8, 1.5, 2.0, 3.0, 4.0])
def test_the_pitch_stays_and_the_length_follows(tempo: float, rate: int) -> None:
    made = in_chunks(tone(440, 4.0, rate), tempo, 2_000, rate)
    assert pitch(made, rate) == pytest.approx(440, abs=1.5)
    assert len(made) / rate == pytest.approx(4.0 / tempo, abs=0.001)
    assert np.abs(made).max() == pytest.approx(0.3, abs=0.05)


def test_the_first_sound_does_not_wait_for_the_whole() -> None:
    stretcher = TimeStretcher(RATE, 1.5)
    assert len(stretcher.feed(tone(440, 0.5)))


@pytest.mark.parametrize("tempo", [0.5, 1.5, 4.0])
def test_each_utterance_is_found_where_it_is(spools: SpoolDir, source: Spool, tempo: float) -> None:
    target = spools.open("b2")
    stretch_spool(source, target, tempo, lambda: None)
    assert target.is_complete
    assert [segment.index for segment in target.segments] == [0, 1, 2, 3]
    assert [segment.is_unsaid for segment in target.segments] == [False, False, True, False]
    heard = [segment for segment in target.segments if not segment.is_unsaid]
    for segment, hertz, seconds in zip(heard, PITCHES_HZ, LENGTHS_S, strict=True):
        frames = segment.end_frame - segment.start_frame
        assert frames / RATE == pytest.approx(seconds / tempo, abs=0.001)
        assert pitch(target.read(segment.start_frame, frames)) == pytest.approx(hertz, rel=0.02)
    gap = (heard[1].start_frame - heard[0].end_frame) / RATE
    assert gap == pytest.approx(PAUSE_S / tempo, abs=0.001)


class Killed(BaseException):
    pass


def test_what_was_made_before_a_crash_is_not_made_again(spools: SpoolDir, source: Spool) -> None:
    whole = spools.open("b2")
    stretch_spool(source, whole, 1.5, lambda: None)
    target = spools.open("c3")

    def check() -> None:
        if len(target.segments) == 3 and target.is_mid_utterance:
            raise Killed

    with pytest.raises(Killed):
        stretch_spool(source, target, 1.5, check)
    target.close()
    again = spools.open("c3")
    assert len(again.segments) == 3 and not again.is_complete
    first = again.segments[0]
    stretch_spool(source, again, 1.5, lambda: None)
    assert again.segments[0] is first
    assert again.segments == whole.segments
    assert np.array_equal(again.read(0, again.frames), whole.read(0, whole.frames))


@pytest.mark.parametrize("tempo", [0.25, 0.7, 1.5, 4.0])
@pytest.mark.parametrize("seconds", [0.11, 0.3])
def test_nothing_is_cut_off_at_the_end(tempo: float, seconds: float) -> None:
    made = in_chunks(tone(440, seconds), tempo, 2_000)
    assert len(made) == pytest.approx(seconds * RATE / tempo, abs=1)
    assert np.abs(made[-max(50, len(made) // 10) :]).max() > 0.1
