"""The shape of an utterance: silence trimmed at both ends, no clicks.

Works on chunks as they are made: sound is passed on at once, quiet audio is held back until it is
known whether sound follows. Voices differ: hibari begins with 304 ms of silence and ends with 451,
piper with 36 and 176, kokoro with 44 and 63 (measured). Knows nothing of files or devices.
"""

from __future__ import annotations

import numpy as np

from .pcm import EMPTY, Samples, faded_in, faded_out, frames_in, mono

_LOUD = 0.002
"""Above this it is sound. hibari's silence stays below 0.0004; its faintest onset exceeds this."""
_FAINT = 0.0003
"""Below this (-70 dBFS) even a voice that whispers throughout is silent."""
_RELATIVE = 0.006
"""Times the loudest sample so far: a fricative 44 dB below that is still sound."""
_PRE_ROLL_S = 0.008
_TAIL_S = 0.03
_FADE_IN_S = 0.004
_FADE_OUT_S = 0.006


class Shaper:
    """Shapes one utterance: `feed` its chunks, all at one sample rate, then `finish`."""

    def __init__(self) -> None:
        self._sample_rate = 0
        self._held: list[Samples] = []
        self._peak = 0.0
        self._passed = 0

    def feed(self, samples: Samples, sample_rate: int) -> Samples:
        """Take a chunk; return the samples that certainly belong to the result, maybe none."""
        self._sample_rate = sample_rate
        # A host may send anything; one sample of 1e30 would make silence of all the others.
        chunk = np.clip(mono(samples), -1.0, 1.0)
        if not len(chunk):
            return EMPTY
        loudness = np.abs(chunk)
        self._peak = max(self._peak, float(loudness.max()))
        # Before the first sound only this chunk says how loud the voice is; it may be just noise.
        threshold = max(_LOUD, self._peak * _RELATIVE)
        loud = np.flatnonzero(loudness > threshold)
        if not len(loud):
            self._held.append(chunk)
            return EMPTY
        sound = np.concatenate([*self._held, chunk])
        end = len(sound) - len(chunk) + int(loud[-1]) + 1
        # The last samples are held back, so that they can be faded out if the utterance ends here.
        end = max(0, end - self._frames(_FADE_OUT_S))
        start = 0
        if not self._passed:
            first = len(sound) - len(chunk) + int(loud[0])
            start = max(0, first - self._frames(_PRE_ROLL_S))
            end = max(end, start)
        self._held = [sound[end:]]
        return self._pass(sound[start:end])

    def finish(self) -> Samples:
        """The rest of the utterance. One without any sound gives nothing at all."""
        rest = np.concatenate(self._held) if self._held else EMPTY
        self._held = []
        if not self._passed and self._peak <= _FAINT:
            return EMPTY
        threshold = max(_FAINT, self._peak * _RELATIVE)
        loud = np.flatnonzero(np.abs(rest) > threshold)
        start = 0
        if not self._passed:
            start = max(0, int(loud[0]) - self._frames(_PRE_ROLL_S))
        end = (int(loud[-1]) + 1 if len(loud) else 0) + self._frames(_TAIL_S)
        return self._pass(faded_out(rest[start:end], self._frames(_FADE_OUT_S)))

    def _frames(self, seconds: float) -> int:
        return frames_in(seconds, self._sample_rate)

    def _pass(self, samples: Samples) -> Samples:
        """Count what is passed on, and fade in the utterance's first samples."""
        fade = self._frames(_FADE_IN_S)
        if self._passed == 0 and len(samples):
            samples = faded_in(samples, fade)
        self._passed += len(samples)
        return samples
