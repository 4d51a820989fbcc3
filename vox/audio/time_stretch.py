"""Another tempo at the same pitch: a stream of samples, an utterance, or a job's whole spool.

Owns the library for it, ffmpeg's `atempo` (through `av`, which is imported when it is needed).
Knows nothing of jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from ..errors import NotAvailable
from .pcm import EMPTY, Samples, frames_in, silence
from .spool import Segment, Spool

_BLOCK_S = 1.0
_FRAME_S = 0.02
"""What the filter is given at once. It returns blocks of that size, so it need not be large."""
_WINDOWS_S = 0.3
"""More than the filters hold back."""
_MOST, _LEAST = 2.0, 0.5
"""A filter beyond these drops samples instead of blending them, or refuses: several in a row do
it."""


class TimeStretcher:
    """Makes speech faster or slower by a factor, chunk by chunk without seams.

    Output comes some 200 ms of audio later than its input; `finish` returns the rest.
    """

    def __init__(self, sample_rate: int, tempo: float) -> None:
        """`tempo`: 2.0 is twice as fast. Raises NotAvailable if `av` is not installed."""
        try:
            import av.filter
        except ImportError as exc:
            raise NotAvailable(
                "this speed needs the package av", "install it: pip install av"
            ) from exc
        self._av: Any = av
        self._sample_rate = sample_rate
        self._tempo = tempo
        self._fed = self._made = 0
        self._graph: Any = av.filter.Graph()
        last = self._graph.add_abuffer(
            sample_rate=sample_rate, format="flt", layout="mono", time_base=Fraction(1, sample_rate)
        )
        for factor in _factors(tempo):
            step = self._graph.add("atempo", f"{factor:.9g}")
            last.link_to(step)
            last = step
        last.link_to(self._graph.add("abuffersink"))
        self._graph.configure()

    def feed(self, samples: Samples) -> Samples:
        """Returns as many samples as the input so far determines, maybe none."""
        made = self._through(samples)
        self._fed += len(samples)
        self._made += len(made)
        return made

    def _through(self, samples: Samples) -> Samples:
        size = frames_in(_FRAME_S, self._sample_rate)
        for at in range(0, len(samples), size):
            block = np.ascontiguousarray(samples[at : at + size]).reshape(1, -1)
            frame = self._av.AudioFrame.from_ndarray(block, format="flt", layout="mono")
            frame.sample_rate = self._sample_rate
            self._graph.push(frame)
        return self._pulled()

    def finish(self) -> Samples:
        """The rest, to the frame. The stretcher cannot be used afterwards."""
        missing = max(0, round(self._fed / self._tempo) - self._made)
        # The filter would drop what does not fill its last window.
        more = silence(_WINDOWS_S * max(1.0, self._tempo), self._sample_rate)
        rest = self._through(more)[:missing]
        return np.concatenate([rest, np.zeros(missing - len(rest), np.float32)])

    def _pulled(self) -> Samples:
        parts = [EMPTY]
        while True:
            try:
                parts.append(self._graph.pull().to_ndarray()[0])
            except (BlockingIOError, EOFError):
                return np.concatenate(parts)


class Stretching:
    """One utterance at another tempo, or as it is: chunks of one sample rate in, and out."""

    def __init__(self, tempo: float) -> None:
        """`tempo`: as of a `TimeStretcher`; at 1.0 chunks are passed on as they are."""
        self._tempo = tempo
        self._stretcher: TimeStretcher | None = None

    def feed(self, samples: Samples, sample_rate: int) -> Samples:
        """As many samples as the input so far determines, maybe none. Raises NotAvailable."""
        if self._tempo == 1.0:
            return samples
        if self._stretcher is None:
            self._stretcher = TimeStretcher(sample_rate, self._tempo)
        return self._stretcher.feed(samples)

    def finish(self) -> Samples:
        """The rest."""
        return EMPTY if self._stretcher is None else self._stretcher.finish()


def _factors(tempo: float) -> Iterator[float]:
    """Factors that one filter can do, whose product is the tempo."""
    while not _LEAST <= tempo <= _MOST:
        factor = _MOST if tempo > _MOST else _LEAST
        yield factor
        tempo /= factor
    yield tempo


def stretch_spool(source: Spool, target: Spool, tempo: float, check: Callable[[], None]) -> None:
    """Write a complete spool's audio at another tempo into the other one, which is then complete.

    Its utterances keep their indexes. What the target holds already is not made again. `check` is
    called before every second of audio; it raises to stop the work. Raises StorageError.
    """
    rate, end_frame = source.sample_rate, 0
    for number, segment in enumerate(source.segments):
        if number >= len(target.segments):
            if rate and segment.start_frame > end_frame:
                target.append(silence((segment.start_frame - end_frame) / rate / tempo, rate), rate)
            target.begin_utterance(segment.index)
            for samples in _stretched(source, segment, tempo):
                check()
                target.append(samples, rate or 0)
            target.end_utterance(segment.is_unsaid)
        end_frame = segment.end_frame
    target.finish()


def _stretched(source: Spool, segment: Segment, tempo: float) -> Iterator[Samples]:
    """The utterance's audio."""
    rate, at = source.sample_rate, segment.start_frame
    if rate is None or at == segment.end_frame:
        return
    stretcher = TimeStretcher(rate, tempo)
    while at < segment.end_frame:
        block = source.read(at, min(frames_in(_BLOCK_S, rate), segment.end_frame - at))
        at += len(block)
        yield stretcher.feed(block)
    yield stretcher.finish()
