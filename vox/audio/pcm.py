"""Plain arithmetic on samples: 16-bit and back, gain, fades, another sample rate.

Owns no state beyond a resampler's; knows nothing of files, devices or jobs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""Mono PCM audio, 1-D, in [-1, 1]."""

BYTES_PER_FRAME = 2
EMPTY: Samples = np.zeros(0, np.float32)

_LIMIT_KNEE = 0.8
_PCM16_MAX = 32767.0


def mono(samples: npt.ArrayLike) -> Samples:
    """What a backend gave as float32 mono: channels averaged, NaN and infinity made silence."""
    array = np.asarray(samples, dtype=np.float32)
    if array.ndim > 1:
        array = array.reshape(array.shape[0], -1).mean(axis=1, dtype=np.float32)
    return np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)


def to_pcm16(samples: Samples) -> bytes:
    """Little-endian 16-bit; what is beyond [-1, 1] is clipped."""
    scaled = np.rint(np.clip(samples, -1.0, 1.0) * _PCM16_MAX)
    return bytes(scaled.astype("<i2").data)


def from_pcm16(data: bytes) -> Samples:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(_PCM16_MAX)


def amplified(samples: Samples, volume: float) -> Samples:
    """Linear gain. Above 1 the peaks are bent smoothly below full scale, not cut off."""
    if volume == 1.0:
        return samples
    louder = samples * np.float32(volume)
    if volume < 1.0:
        return louder
    size = np.abs(louder)
    room = 1.0 - _LIMIT_KNEE
    bent = _LIMIT_KNEE + room * np.tanh((size - _LIMIT_KNEE) / room)
    limited: Samples = np.where(size > _LIMIT_KNEE, np.sign(louder) * bent, louder)
    return limited.astype(np.float32, copy=False)


def faded_in(samples: Samples, frames: int) -> Samples:
    """A copy whose first `frames` rise from nothing."""
    frames = min(frames, len(samples))
    result = samples.copy()
    result[:frames] *= np.arange(frames, dtype=np.float32) / np.float32(max(frames, 1))
    return result


def faded_out(samples: Samples, frames: int) -> Samples:
    """A copy whose last `frames` fall to nothing."""
    frames = min(frames, len(samples))
    result = samples.copy()
    if frames:
        result[-frames:] *= np.arange(frames - 1, -1, -1, dtype=np.float32) / np.float32(frames)
    return result


class Resampler:
    """Linear interpolation from one sample rate to another, chunk by chunk without seams.

    Good enough for what it is for: a voice that changes its rate in mid-job, and formats that know
    only some rates. Everything else keeps the rate of the voice.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._step = source_rate / target_rate
        self._at = 0.0  # of the next output sample, in input samples from the first of `_held`
        self._held = EMPTY

    def feed(self, samples: Samples) -> Samples:
        """As many samples as the input so far determines."""
        return self._interpolate(np.concatenate([self._held, samples]))

    def finish(self) -> Samples:
        """The last samples, which had waited for a neighbour."""
        if not len(self._held):
            return EMPTY
        return self._interpolate(np.concatenate([self._held, self._held[-1:]]))

    def _interpolate(self, held: Samples) -> Samples:
        count = max(0, int(np.ceil((len(held) - 1 - self._at) / self._step))) if len(held) else 0
        positions = self._at + self._step * np.arange(count)
        result = np.interp(positions, np.arange(len(held)), held) if count else EMPTY
        next_at = self._at + self._step * count
        drop = min(int(next_at), max(0, len(held) - 1))
        self._held, self._at = held[drop:], next_at - drop
        return result.astype(np.float32)


def resampled(samples: Samples, source_rate: int, target_rate: int) -> Samples:
    """A whole recording at another rate."""
    if source_rate == target_rate or not len(samples):
        return samples
    resampler = Resampler(source_rate, target_rate)
    return np.concatenate([resampler.feed(samples), resampler.finish()])
