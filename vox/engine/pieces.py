"""The pieces of a job's text, each made when it is asked for.

A text that is still being written has more of them later. Knows nothing of hosts and sound.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from ..errors import EmptyText
from ..jobs import Job
from ..queue.store import Store
from ..text.speakable import Piece, Reading, Speakable, pieces
from .open_texts import OpenTexts, Reader

SHORT_CHARS = 2_000
"""The pieces of such a text are made at once: their number is known before the first is said."""
LONG_CHARS = 20_000
"""Those of a longer text are made one by one: their number is known in the end. Between the two,
the first sound waits for the first piece alone."""

CheckWanted = Callable[[], None]
"""Raises if the work for a job is to stop."""


class Pieces:
    """A text's pieces, of which the present one may be taken once more.

    None: there are no more yet, because the text is still being written.
    """

    def __init__(self, pieces: Iterator[Piece | None]) -> None:
        self._pieces = pieces
        self._is_again = False
        self.current: Piece | None = None

    def __iter__(self) -> Iterator[Piece | None]:
        return self

    def __next__(self) -> Piece | None:
        if not self._is_again:
            self.current = next(self._pieces)
        self._is_again = False
        return self.current

    def repeat(self) -> None:
        """The next piece is the present one."""
        self._is_again = True


def pieces_of(
    job: Job,
    reading: Reading,
    store: Store,
    texts: OpenTexts,
    flush_s: float,
    utterances: Callable[[], int],
    check_wanted: CheckWanted,
) -> Iterator[Piece | None]:
    """The pieces of the job's text, as `Pieces` has them. Raises EmptyText, Parked.

    `utterances`: how many of the job's have their audio.
    """
    if job.is_open or texts.flushes(job.id):
        speakable = Speakable(reading)
        reader = Reader(texts, job, speakable, reading.lang, flush_s, utterances, check_wanted)
        yield from _counted(reader.pieces(), job, store)
        return
    made = _counted(pieces(job.text, reading), job, store)
    length = len(job.text)
    yield from itertools.islice(made, int(length > SHORT_CHARS))
    yield from made if length > LONG_CHARS else list(made)


def _counted(made: Iterator[Piece | None], job: Job, store: Store) -> Iterator[Piece | None]:
    count = 0
    for piece in made:
        count += piece is not None
        yield piece
    if not count:
        raise EmptyText
    store.note(job.id, utterances=count)


def starting_at(first: int, pieces: Iterator[Piece | None]) -> Iterator[Piece | None]:
    """The pieces that have this index or a later one."""
    return (piece for piece in pieces if piece is None or piece.index >= first)
