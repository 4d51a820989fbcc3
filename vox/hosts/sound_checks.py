"""Whether what a host gives can be speech: its sample rate, and how long it is for its text.

Knows hosts, not where the audio goes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

from ..backends.base import HIGHEST_RATE, LOWEST_RATE, Chunk, Utterance
from ..errors import SynthesisFailed
from .base import Host, nothing


def synthesize(
    host: Host, utterance: Utterance, on_begun: Callable[[], None] = nothing
) -> Generator[Chunk, None, None]:
    """As `Host.synthesize`, but what cannot be speech stops the host and raises SynthesisFailed."""
    most_s, made_s = utterance.longest_s, 0.0
    rate = None
    with contextlib.closing(host.synthesize(utterance, on_begun)) as chunks:
        for chunk in chunks:
            rate = rate or chunk.sample_rate
            _check_rate(host.name, chunk.sample_rate, rate)
            made_s += len(chunk.samples) / rate
            if made_s > most_s:
                raise SynthesisFailed(
                    f"{host.name} does not stop: {made_s:.0f} s of audio"
                    f" for {len(utterance.text)} characters",
                    "say it again, or with another voice or backend",
                )
            yield chunk


def _check_rate(name: str, rate: object, first: int) -> None:
    """Raises SynthesisFailed unless it is a usual rate, and that of the utterance's first chunk."""
    is_usual = isinstance(rate, int) and LOWEST_RATE <= rate <= HIGHEST_RATE
    if is_usual and rate == first:
        return
    what = f"gave a sample rate of {rate} Hz"
    if is_usual:
        what = f"changed the sample rate from {first} to {rate} Hz in mid-utterance"
    raise SynthesisFailed(f"{name} {what}", "report it to the backend's makers, or use another")
