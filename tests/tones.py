"""Reads back what the scripted backend has spoken: from a recording, who spoke, in order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

WINDOW_S = 0.02
QUIET = 0.02


class Tone(NamedTuple):
    """A number that was heard without a break, from when to when (seconds from the beginning)."""

    number: int
    start_s: float
    end_s: float


def read_tones(samples: npt.NDArray[np.float32], sample_rate: int) -> list[int]:
    """The numbers whose pitches are heard (see `scripted_backend.pitch_hz`), in order.

    A number is told again when silence came in between.
    """
    return [tone.number for tone in read_timed_tones(samples, sample_rate)]


def read_timed_tones(samples: npt.NDArray[np.float32], sample_rate: int) -> list[Tone]:
    """As `read_tones`, with the times."""
    size = int(WINDOW_S * sample_rate)
    heard: list[Tone] = []
    last: int | None = None
    for start in range(0, len(samples) - size + 1, size):
        now = _number(samples[start : start + size], sample_rate)
        if now == -1:
            continue
        if now is not None:
            end_s = (start + size) / sample_rate
            if now == last:
                heard[-1] = heard[-1]._replace(end_s=end_s)
            else:
                heard.append(Tone(now, start / sample_rate, end_s))
        last = now
    return heard


def _number(window: npt.NDArray[np.float32], sample_rate: int) -> int | None:
    """The number that sounds, None in silence, -1 where the sound comes or goes."""
    quarters = [float(np.sqrt(np.mean(part**2))) for part in np.array_split(window, 4)]
    if max(quarters) < QUIET:
        return None
    if min(quarters) < 0.8 * max(quarters):
        return -1
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)), 8 * len(window)))
    peak_hz = float(np.argmax(spectrum)) * sample_rate / (8 * len(window))
    return round((peak_hz - 400.0) / 50.0)
