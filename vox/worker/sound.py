"""An utterance's sound on its way to the client: at once as long as somebody may wait for it.

A card that is several times as fast as speech makes a dozen small chunks in the time in which one
is heard. Each costs the worker, Redis and the client the same, whatever its length.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .leases import Lease

if TYPE_CHECKING:
    from ..backends.base import Samples

AHEAD_S = 0.5
"""Who listens has so much before chunks are sent together."""
TOGETHER_S = 0.4
"""And then so much of them. A model as fast as speech makes it before what is ahead was heard."""


class Sound:
    """One request's. Raises what `Lease.send` does."""

    def __init__(self, lease: Lease, clock: Callable[[], float] = time.monotonic) -> None:
        self.audio_s = 0.0
        """How much there was so far."""
        self._lease = lease
        self._clock = clock
        self._began: float | None = None
        self._kept: list[bytes] = []
        self._kept_s = 0.0
        self._sample_rate = 0

    def add(self, samples: Samples, sample_rate: int) -> None:
        """`samples`: float32, mono. The sample rate is that of the samples before."""
        now = self._clock()
        if self._began is None:
            self._began = now
        ahead_s = self.audio_s - self._kept_s - (now - self._began)
        duration_s = len(samples) / sample_rate
        self.audio_s += duration_s
        self._kept_s += duration_s
        self._kept.append(samples.astype("<f4", copy=False).tobytes())
        self._sample_rate = sample_rate
        if ahead_s < AHEAD_S or self._kept_s >= TOGETHER_S:
            self.flush()

    def flush(self) -> None:
        """Send what is left."""
        pcm, self._kept, self._kept_s = b"".join(self._kept), [], 0.0
        if pcm:
            self._lease.send({"event": "chunk", "sample_rate": self._sample_rate}, pcm)
