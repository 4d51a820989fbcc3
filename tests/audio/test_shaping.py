"""The shape of an utterance that comes in chunks, as voices deliver it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.audio.pcm import Samples, silence
from vox.audio.shaping import Shaper

RATE = 24_000


def tone(seconds: float, level: float = 0.3) -> Samples:
    samples = level * np.sin(2 * np.pi * 220 * np.arange(round(seconds * RATE)) / RATE)
    return samples.astype(np.float32)


def utterance(lead_s: float, sound_s: float, trail_s: float, level: float = 0.3) -> Samples:
    return np.concatenate([silence(lead_s, RATE), tone(sound_s, level), silence(trail_s, RATE)])


def shape(samples: Samples, chunk: int = 1_920) -> Samples:
    shaper = Shaper()
    parts = [shaper.feed(samples[at : at + chunk], RATE) for at in range(0, len(samples), chunk)]
    return np.concatenate([*parts, shaper.finish()])


def sound_span(samples: Samples) -> tuple[int, int]:
    loud = np.flatnonzero(np.abs(samples) > 0.002)
    return int(loud[0]), int(loud[-1])


@pytest.mark.parametrize("chunk", [97, 1_920, 10**6])
def test_silence_at_both_ends_is_trimmed(chunk: int) -> None:
    shaped = shape(utterance(0.304, 1.0, 0.451), chunk)
    first, last = sound_span(shaped)
    assert 0.005 * RATE < first < 0.010 * RATE
    assert 0.005 * RATE < len(shaped) - last < 0.035 * RATE
    assert last - first == pytest.approx(RATE, abs=0.01 * RATE)


def test_the_first_sound_is_passed_on_at_once() -> None:
    shaper = Shaper()
    assert len(shaper.feed(silence(0.08, RATE), RATE)) == 0
    assert len(shaper.feed(tone(0.08), RATE)) > 0.07 * RATE


def test_a_silence_in_the_middle_stays_as_long_as_it_is() -> None:
    long_pause = np.concatenate([tone(0.5), silence(2.0, RATE), tone(0.5)])
    assert len(shape(long_pause)) == pytest.approx(3.0 * RATE, abs=0.04 * RATE)


@pytest.mark.parametrize("level", [0.0012, 0.005, 0.05])
def test_a_quiet_voice_is_not_cut(level: float) -> None:
    shaped = shape(utterance(0.3, 1.0, 0.3, level))
    assert len(shaped) == pytest.approx(RATE, abs=0.06 * RATE)
    assert float(np.abs(shaped).max()) == pytest.approx(level, rel=0.05)


def test_an_utterance_of_silence_gives_nothing() -> None:
    assert len(shape(silence(2.0, RATE))) == 0
    assert len(Shaper().finish()) == 0


def test_sound_up_to_the_edges_is_faded_there() -> None:
    shaped = shape(tone(0.5) + np.float32(0.2))
    assert abs(float(shaped[0])) < 0.001
    assert abs(float(shaped[-1])) < 0.01


@given(st.lists(st.integers(50, 5_000), min_size=1, max_size=20))
def test_the_chunks_make_no_difference_to_what_is_heard(sizes: list[int]) -> None:
    whole = utterance(0.1, 0.2, 0.2)
    shaper = Shaper()
    parts, at = [], 0
    while at < len(whole):
        for size in sizes:
            parts.append(shaper.feed(whole[at : at + size], RATE))
            at += size
    streamed = np.concatenate([*parts, shaper.finish()])
    at_once = shape(whole, 10**6)
    assert len(streamed) == pytest.approx(len(at_once), abs=0.02 * RATE)
    span, expected = sound_span(streamed), sound_span(at_once)
    assert span[1] - span[0] == pytest.approx(expected[1] - expected[0], abs=0.005 * RATE)
