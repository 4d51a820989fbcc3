"""How much there is to say in the live jobs' texts, as far as is known before they are at work.

Of the first in line the beginning is cut into utterances as it will be said; of the others only
characters are counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import VoxError
from ..jobs import Job
from ..queue.outlooks import LiveEntry
from ..queue.store import Store
from ..text.speakable import Reading, pieces
from .rates import speakable_chars

SAMPLE_CHARS = 20_000
"""Of a longer text so much is counted, and taken for a sample of all."""
CUT_CHARS = 1_000
"""As `SAMPLE_CHARS`, of a text that is cut into utterances, which takes longer."""
MOST_CUT = 20
"""So many jobs in line are looked at so closely."""
UTTERANCE_CHARS = 60.0
"""About so many speakable characters has an utterance."""


class Size(NamedTuple):
    """How much there is to say in a text."""

    chars: float = 0.0
    """Speakable characters."""
    utterances: float = 0.0
    is_cut: bool = False
    """It was cut into utterances."""


class Sizes:
    """Of each live job, found out once. One thread at a time asks."""

    def __init__(self, store: Store, reading: Callable[[Job], Reading]) -> None:
        self._store = store
        self._reading = reading
        self._known: dict[str, Size] = {}

    def get(self, job_id: str) -> Size:
        """What is known of the job."""
        return self._known.get(job_id, Size())

    def look(self, line: Sequence[LiveEntry]) -> None:
        """Find out how much those in line have to say, and forget all others."""
        known = {entry.id: self._known[entry.id] for entry in line if entry.id in self._known}
        new = [entry.id for entry in line if entry.is_open or entry.id not in known]
        for job_id, sample, length in self._store.samples(new, SAMPLE_CHARS):
            chars = speakable_chars(sample) * length / len(sample) if sample else 0.0
            known[job_id] = Size(chars, chars / UTTERANCE_CHARS)
        # The very first is at work, or is so at once.
        for entry in itertools.islice(line, 1, MOST_CUT):
            is_cut = known.get(entry.id, Size()).is_cut
            if entry.state == "queued" and not (is_cut or entry.is_open):
                known[entry.id] = self._cut(entry.id, known.get(entry.id, Size()))
        self._known = known

    def _cut(self, job_id: str, size: Size) -> Size:
        """Its size as the beginning of its text tells, cut as it will be said."""
        job = self._store.find(job_id)
        if job is None or not job.text:
            return size
        sample = job.text[:CUT_CHARS]
        try:
            found = [speakable_chars(piece.text) for piece in pieces(sample, self._reading(job))]
        except VoxError:  # the backend is gone, or the settings are broken
            return size._replace(is_cut=True)
        times = len(job.text) / len(sample)
        return Size(sum(found) * times, len(found) * times, True)
