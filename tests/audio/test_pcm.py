"""Resampling: what the new rate cannot hold is filtered out, all else stays as it was."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vox.audio.pcm import EMPTY, Resampler, Samples, quiet_frames, resampled

RATES = [(48_000, 24_000), (44_100, 16_000), (22_050, 24_000), (16_000, 22_050)]


def sine(hertz: float, rate: int, seconds: float = 1.0) -> Samples:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def in_chunks(samples: Samples, source_rate: int, target_rate: int, sizes: list[int]) -> Samples:
    resampler, parts, at = Resampler(source_rate, target_rate), [], 0
    for size in itertools.cycle(sizes):
        parts.append(resampler.feed(samples[at : at + size]))
        at += size
        if at >= len(samples):
            return np.concatenate([*parts, resampler.finish()])
    raise AssertionError("cycle never ends")


def level_db(samples: Samples, full: float = 1.0) -> float:
    """The level relative to a sine of amplitude `full`, without the ends, which ring a little."""
    middle = samples[len(samples) // 10 : -len(samples) // 10].astype(np.float64)
    return float(20 * np.log10(np.sqrt(np.mean(middle**2)) * np.sqrt(2) / full + 1e-12))


def pitch(samples: Samples, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()])


@pytest.mark.parametrize("chunked", [False, True])
def test_a_tone_that_the_new_rate_cannot_hold_does_not_come_back_as_another(chunked: bool) -> None:
    tone = sine(15_000, 48_000)
    result = in_chunks(tone, 48_000, 24_000, [480]) if chunked else resampled(tone, 48_000, 24_000)
    assert level_db(result) < -80


@pytest.mark.parametrize(("source_rate", "target_rate"), RATES)
def test_a_tone_keeps_its_level_and_its_pitch(source_rate: int, target_rate: int) -> None:
    result = resampled(sine(1_000, source_rate), source_rate, target_rate)
    assert level_db(result) == pytest.approx(0.0, abs=0.01)
    assert pitch(result, target_rate) == pytest.approx(1_000, abs=1)
    expected = sine(1_000, target_rate)
    middle = slice(len(expected) // 10, -len(expected) // 10)
    assert level_db(result[middle] - expected[middle]) < -60  # neither earlier nor later


@pytest.mark.parametrize(("source_rate", "target_rate"), RATES)
@pytest.mark.parametrize("sizes", [[1, 7, 333], [480], [10_000]])
def test_chunks_give_what_the_whole_gives(
    source_rate: int, target_rate: int, sizes: list[int]
) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 20_000).astype(np.float32)
    whole = resampled(noise, source_rate, target_rate)
    chunked = in_chunks(noise, source_rate, target_rate, sizes)
    assert len(chunked) == len(whole)
    assert chunked == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize(("source_rate", "target_rate"), RATES)
@pytest.mark.parametrize("frames", [1, 2, 10, 100, 999, 22_051])
def test_the_length_is_right_to_a_frame_and_nothing_short_is_lost(
    source_rate: int, target_rate: int, frames: int
) -> None:
    samples = np.full(frames, 0.5, np.float32)
    expected = pytest.approx(frames * target_rate / source_rate, abs=0.51)
    assert len(resampled(samples, source_rate, target_rate)) == expected
    assert len(in_chunks(samples, source_rate, target_rate, [50])) == expected


def test_nothing_stays_nothing() -> None:
    assert len(resampled(EMPTY, 48_000, 24_000)) == 0
    resampler = Resampler(48_000, 24_000)
    assert len(resampler.feed(EMPTY)) == len(resampler.finish()) == 0


def test_the_same_rate_changes_nothing() -> None:
    tone = sine(1_000, 24_000)
    assert resampled(tone, 24_000, 24_000) is tone


def test_the_end_of_a_sound_is_where_it_is_last_loud() -> None:
    sound = np.full(240, 0.1, np.float32)
    faint = np.full(100, 0.001, np.float32)
    assert quiet_frames(np.concatenate([sound, faint])) == 100
    assert quiet_frames(np.concatenate([faint, sound])) == 0
    assert quiet_frames(faint) == 100
    assert quiet_frames(EMPTY) == 0
