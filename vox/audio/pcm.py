"""Plain arithmetic on samples: 16-bit and back, gain, fades, another sample rate.

Owns no state beyond a resampler's; knows nothing of files, devices or jobs. `soxr` is imported when
it is needed, for most voices are played and written at their own rate.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""Mono PCM audio, 1-D, in [-1, 1]."""

BYTES_PER_FRAME = 2
USUAL_RATE = 24_000
"""Most voices' sample rate, for when there is no audio yet to say its own."""
EMPTY: Samples = np.zeros(0, np.float32)

AUDIBLE = 0.003
"""What stays below this (-50 dBFS) is not heard beside a voice."""
_LIMIT_KNEE = 0.8
_PCM16_MAX = 32767.0


def frames_in(seconds: float, sample_rate: int) -> int:
    """Seconds as a whole number of frames; none for a negative time."""
    return max(0, round(seconds * sample_rate))


def silence(seconds: float, sample_rate: int) -> Samples:
    return np.zeros(frames_in(seconds, sample_rate), np.float32)


def mono(samples: npt.ArrayLike) -> Samples:
    """Any samples as float32 mono: channels are averaged, NaN and infinity become silence."""
    array = np.asarray(samples, dtype=np.float32)
    if array.ndim > 1:
        array = array.reshape(array.shape[0], -1).mean(axis=1, dtype=np.float32)
    return np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)


def to_pcm16(samples: Samples) -> bytes:
    """As little-endian 16-bit samples; values beyond [-1, 1] are clipped."""
    scaled = np.rint(np.clip(samples, -1.0, 1.0) * _PCM16_MAX)
    return bytes(scaled.astype("<i2").data)


def from_pcm16(data: bytes) -> Samples:
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(_PCM16_MAX)


def amplified(samples: Samples, volume: float) -> Samples:
    """With linear gain. Above 1 the peaks are limited smoothly below full scale, not clipped."""
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


def quiet_frames(samples: Samples) -> int:
    """How many frames at the end are too quiet to be heard; all of them if none is louder."""
    loud = np.flatnonzero(np.abs(samples) > AUDIBLE)
    return len(samples) - int(loud[-1]) - 1 if len(loud) else len(samples)


def faded_in(samples: Samples, frames: int) -> Samples:
    """A copy whose first `frames` rise from zero."""
    frames = min(frames, len(samples))
    result = samples.copy()
    result[:frames] *= np.arange(frames, dtype=np.float32) / np.float32(max(frames, 1))
    return result


def faded_out(samples: Samples, frames: int) -> Samples:
    """A copy whose last `frames` fall to zero."""
    frames = min(frames, len(samples))
    result = samples.copy()
    if frames:
        result[-frames:] *= np.arange(frames - 1, -1, -1, dtype=np.float32) / np.float32(frames)
    return result


class Resampler:
    """From one sample rate to another, chunk by chunk without seams.

    Frequencies that the target rate cannot hold are filtered out. The filter looks ahead, so
    output comes some 40 ms of audio later than its input; `finish` returns the rest.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        import soxr

        self._stream = soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32")

    def feed(self, samples: Samples) -> Samples:
        """Returns as many samples as the input so far determines, maybe none."""
        resampled: Samples = self._stream.resample_chunk(samples)
        return resampled

    def finish(self) -> Samples:
        """The rest. The resampler cannot be used afterwards."""
        rest: Samples = self._stream.resample_chunk(EMPTY, last=True)
        return rest


def resampled(samples: Samples, source_rate: int, target_rate: int) -> Samples:
    """A whole recording at another rate."""
    if source_rate == target_rate or not len(samples):
        return samples
    import soxr

    result: Samples = soxr.resample(samples, source_rate, target_rate)
    return result
