"""The audio of one utterance as a host makes it: without the silence around it, and timed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator

from ..audio.pcm import Samples
from ..audio.shaping import Shaper
from ..backends.base import Utterance
from ..hosts import sound_checks
from ..hosts.base import Host

Heard = tuple[Samples, int]
"""A block of an utterance's audio and its sample rate in Hz."""


class Timed:
    """Passes chunks on, and measures how long their maker takes for them."""

    def __init__(self, chunks: Generator[Heard, None, None]) -> None:
        self._chunks = chunks
        self.work_s = 0.0
        self.first_s = 0.0
        """Until the first sound."""

    def __iter__(self) -> Timed:
        return self

    def __next__(self) -> Heard:
        began = time.monotonic()
        try:
            samples, sample_rate = next(self._chunks)
        finally:
            self.work_s += time.monotonic() - began
        if len(samples) and not self.first_s:
            self.first_s = self.work_s
        return samples, sample_rate

    def close(self) -> None:
        self._chunks.close()


def shaped(
    host: Host, utterance: Utterance, on_begun: Callable[[], None]
) -> Generator[Heard, None, None]:
    """The host's chunks without the silence around the utterance."""
    shaper, sample_rate = Shaper(), 0
    with contextlib.closing(sound_checks.synthesize(host, utterance, on_begun)) as chunks:
        for samples, sample_rate in chunks:
            yield shaper.feed(samples, sample_rate), sample_rate
    if sample_rate:
        yield shaper.finish(), sample_rate
