"""The pieces of a job's text, each made when it is asked for.

A text that is still being written has more of them later. Knows nothing of hosts and sound.
"""

from __future__ import annotations

import array
import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator

from ..errors import EmptyText
from ..jobs import Job
from ..queue.store import Store
from ..text.speakable import Piece, Reading, Speakable, pieces
from .ahead import Ahead
from .open_texts import OpenTexts, Parked, Reader
from .rates import speakable_chars

SHORT_CHARS = 2_000
"""The pieces of such a text are made at once: their number is known before the first is said."""
LONG_CHARS = 20_000
"""Those of a longer text are made in a thread. Between the two, the first sound waits for the first
piece alone."""

CheckWanted = Callable[[], None]
"""Raises if the work for a job is to stop."""


class Pieces:
    """A text's pieces, of which the present one may be taken once more.

    None: there are no more yet, because the text is still being written.
    """

    def __init__(self, pieces: Generator[Piece | None, None, None]) -> None:
        self._pieces = pieces
        self._is_again = False
        self._ahead: deque[Piece | None] = deque()
        self.current: Piece | None = None

    def __iter__(self) -> Iterator[Piece | None]:
        return self

    def __next__(self) -> Piece | None:
        if not self._is_again:
            self.current = self._ahead.popleft() if self._ahead else next(self._pieces)
        self._is_again = False
        return self.current

    def repeat(self) -> None:
        """The next piece is the present one."""
        self._is_again = True

    def peek(self, count: int) -> list[Piece]:
        """The next pieces after the present one, at most so many. Of an open text: may block."""
        while len(self._ahead) < count:
            try:
                self._ahead.append(next(self._pieces))
            except StopIteration:
                break
        return [piece for piece in itertools.islice(self._ahead, count) if piece is not None]

    def close(self) -> None:
        """No more is taken."""
        self._pieces.close()


class Tally:
    """How much of a text its pieces are, as far as they are made. Any thread may ask."""

    def __init__(self) -> None:
        self._chars = array.array("L")
        """Speakable characters of the pieces up to each one, counted from the text's start."""
        self.is_whole = False
        """All pieces are made."""

    def __len__(self) -> int:
        return len(self._chars)

    def add(self, piece: Piece) -> None:
        before = self._chars[-1] if self._chars else 0
        self._chars.append(before + speakable_chars(piece.text))

    def chars_left(self, made: int) -> int | None:
        """Speakable characters of the pieces after the first `made`; None: not known yet."""
        count = len(self._chars)
        if not (self.is_whole and count):
            return None
        return self._chars[-1] - (self._chars[min(made, count) - 1] if made else 0)


def pieces_of(
    job: Job,
    reading: Reading,
    store: Store,
    texts: OpenTexts,
    flush_s: float,
    utterances: Callable[[], int],
    check_wanted: CheckWanted,
    tally: Tally,
) -> Generator[Piece | None, None, None]:
    """The pieces of the job's text, as `Pieces` has them. Raises EmptyText, Parked.

    `utterances`: how many of the job's have their audio. `tally`: counts the pieces.
    """
    if job.is_open or texts.flushes(job.id):
        speakable = Speakable(reading)
        reader = Reader(texts, job, speakable, reading.lang, flush_s, utterances, check_wanted)
        yield from _counted(_unless_changed(reader.pieces(), job, texts), job, store, tally)
        return
    made = _counted(_unless_changed(pieces(job.text, reading), job, texts), job, store, tally)
    length = len(job.text)
    yield from itertools.islice(made, int(length > SHORT_CHARS))
    if length <= LONG_CHARS:
        yield from list(made)
        return

    def is_unwanted() -> bool:
        try:
            check_wanted()
        except Exception:
            return True
        return False

    # What is written there waits for a locked database, as in the job's own thread.
    with contextlib.closing(Ahead(made, inside=store.patiently(is_unwanted))) as ahead:
        yield from ahead


def _unless_changed(
    made: Iterator[Piece | None], job: Job, texts: OpenTexts
) -> Iterator[Piece | None]:
    """Raises Parked if the first letters of the text have told another language than the job's."""
    for piece in made:
        is_undecided = piece is not None and job.undecided is not None
        if is_undecided and texts.is_changed(job, texts.since(job.id, 0).text):
            raise Parked
        yield piece


def _counted(
    made: Iterator[Piece | None], job: Job, store: Store, tally: Tally
) -> Iterator[Piece | None]:
    for piece in made:
        if piece is not None:
            tally.add(piece)
        yield piece
    if not tally:
        raise EmptyText
    tally.is_whole = True
    store.note(job.id, utterances=len(tally))


def starting_at(
    first: int, pieces: Generator[Piece | None, None, None]
) -> Generator[Piece | None, None, None]:
    """The pieces that have this index or a later one."""
    with contextlib.closing(pieces):
        for piece in pieces:
            if piece is None or piece.index >= first:
                yield piece
