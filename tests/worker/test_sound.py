"""Chunks are sent at once while somebody may wait for them, and together afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vox.worker.sound import AHEAD_S, TOGETHER_S, Sound

RATE = 24_000
CHUNK_S = 0.08


class Lease:
    """Notes what would be sent, in seconds of sound."""

    def __init__(self) -> None:
        self.sent_s: list[float] = []
        self.pcm = b""

    def send(self, header: dict[str, Any], pcm: bytes = b"") -> None:
        assert header == {"event": "chunk", "sample_rate": RATE}
        self.sent_s.append(len(pcm) / 4 / RATE)
        self.pcm += pcm


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make(
    x_realtime: float, count: int
) -> tuple[Lease, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """An utterance of so many chunks, made at that speed."""
    lease, clock = Lease(), Clock()
    sound = Sound(lease, clock)  # type: ignore[arg-type]
    samples = np.arange(count * round(CHUNK_S * RATE), dtype=np.float32)
    for part in np.split(samples, count):
        sound.add(part, RATE)
        clock.now += CHUNK_S / x_realtime
    sound.flush()
    assert sound.audio_s == pytest.approx(count * CHUNK_S)
    return lease, samples


@pytest.mark.parametrize("x_realtime", [0.5, 1.0, 5.0, 100.0])
def test_all_sound_is_sent_in_its_order(x_realtime: float) -> None:
    lease, samples = make(x_realtime, 50)
    assert lease.pcm == samples.tobytes()


def test_first_chunks_are_sent_at_once() -> None:
    lease, _ = make(5.0, 50)
    first = [each for each in lease.sent_s if each == pytest.approx(CHUNK_S)]
    assert lease.sent_s[: len(first)] == first
    assert len(first) * CHUNK_S > AHEAD_S


def test_a_fast_model_sends_far_fewer_chunks() -> None:
    lease, _ = make(5.0, 50)
    assert len(lease.sent_s) < 25
    assert max(lease.sent_s) == pytest.approx(TOGETHER_S)


def test_a_model_as_slow_as_speech_sends_each_chunk_at_once() -> None:
    lease, _ = make(1.0, 50)
    assert len(lease.sent_s) == 50


@pytest.mark.parametrize("x_realtime", [1.1, 2.0, 5.0, 50.0])
def test_who_listens_from_the_first_chunk_on_never_waits(x_realtime: float) -> None:
    """Each chunk comes before those before it have been heard."""
    lease, clock = Lease(), Clock()
    sound = Sound(lease, clock)  # type: ignore[arg-type]
    began, sent = clock.now, 0
    for _ in range(100):
        clock.now += CHUNK_S / x_realtime
        before_s = sum(lease.sent_s)
        sound.add(np.zeros(round(CHUNK_S * RATE), np.float32), RATE)
        if len(lease.sent_s) > sent > 0:
            assert before_s - (clock.now - began - CHUNK_S / x_realtime) > -1e-9
        sent = len(lease.sent_s)
