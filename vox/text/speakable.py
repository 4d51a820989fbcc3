"""What is said of a text: the one pipeline from a text as it was given to the pieces to speak.

A text may come at once or little by little, while it is still being written: the pieces are the
same. Knows nothing of jobs, backends or sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from . import tokens
from .clean import plain
from .say_as import NONE, SayAs
from .split import FIRST_MAX_CHARS, MAX_CHARS, Piece, split

Format = Literal["auto", "plain", "markdown"]

BLOCK_CHARS = 4_000
"""How much of a whole text goes through the pipeline at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a text is read."""

    lang: str = "en"
    """BCP 47 tag."""
    backend: str = ""
    """Who speaks: some pronunciations are for one backend."""
    format: Format = "auto"
    speak_code: Literal["announce", "read"] = "announce"
    """What becomes of a block of code in Markdown."""
    emoji: Literal["name", "drop"] = "name"
    reads: frozenset[str] = frozenset()
    """The kinds (see `kinds`) that the backend says well by itself."""
    say_as: SayAs = NONE
    """What the user has respelled."""
    max_chars: int = MAX_CHARS
    """The longest piece, in characters."""
    first_max: int = FIRST_MAX_CHARS
    """A longer first piece is cut short after a clause, so that the first sound comes early."""


class Speakable:
    """Turns a text that comes little by little into pieces."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._text = ""

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are complete now that this much more of the text has come."""
        self._text += text
        return []

    def flush(self) -> list[Piece]:
        """A clause of what has come, for a writer who says no more for a while."""
        return []

    def finish(self) -> list[Piece]:
        """The pieces of the rest: the text is complete."""
        reading = self._reading
        parts = reading.say_as.parts(plain(self._text), reading.lang, reading.backend)
        text = "".join(
            part if is_final else tokens.spoken(part, reading.lang, reading.reads, reading.emoji)
            for part, is_final in parts
        )
        return split(text, reading.lang, reading.max_chars, reading.first_max)


def pieces(text: str, reading: Reading) -> Iterator[Piece]:
    """The pieces of a whole text, each made when it is asked for."""
    speakable = Speakable(reading)
    for start in range(0, len(text), BLOCK_CHARS):
        yield from speakable.feed(text[start : start + BLOCK_CHARS])
    yield from speakable.finish()
