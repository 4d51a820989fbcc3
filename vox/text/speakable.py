"""What is said of a text: the one pipeline from a text as it was given to the pieces to speak.

A text may come at once or little by little, while it is still being written: the pieces are the
same, but for a line that is written over, of which a sentence that was complete before is said.
Knows nothing of jobs, backends or sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from . import numbers, tokens
from .clean import BLOCK_CHARS, Cleaner, cleaned
from .drawn import undrawn
from .markdown_evidence import is_markdown
from .say_as import NONE, SayAs
from .segments import Segmenter
from .split import CLAUSE_END, FIRST_MAX_CHARS, MAX_CHARS, is_clause, split

Format = Literal["auto", "plain", "markdown"]

_MARKERS = re.compile(
    r"^[ \t]*(?:(?:[-*+•‣◦▪●○■□◆◇►▸➤➔⁃∙→>]|#{1,6})[^\S\n]+|>(?=\n|\Z))+", re.MULTILINE
)
_WITHIN_DATE = re.compile(r"\d, \d")
_BLANK = re.compile(r"\n[ \t]*\n")
_HYPHENATED = re.compile(
    r"(?<=[^\W\d_])(?:\u2010\n[ \t]*(?=[^\W\d_])|(-)\n[ \t]*(?=[a-zß-ÿ]))"
    r"(?!(?:and|or|to|und|oder|bzw|et|ou|y|o|e|ed)\b)"
)
"""A word that goes on in the next line. U+2010 is what `man` puts there, and belongs to no word."""
_RULES = re.compile(r"^[ \t]*([-=_*~+])[ \t]*(?:\1[ \t]*){2,}$", re.MULTILINE)


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
    """The kinds (see `kinds`) that the backend says well as they are written."""
    say_as: SayAs = NONE
    """What the user has respelled."""
    max_chars: int = MAX_CHARS
    """The longest piece, in characters."""
    first_max: int = FIRST_MAX_CHARS
    """A longer first piece is cut short after a clause, so that the first sound comes early."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One utterance's text, on one line."""

    index: int
    text: str


class Speakable:
    """Turns a text that comes little by little into pieces."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._cleaner = Cleaner()
        self._segmenter = Segmenter(reading.lang, reading.format != "plain", reading.first_max)
        self._count = 0

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are complete now that this much more of the text has come."""
        pieces: list[Piece] = []
        for at in range(0, len(text), BLOCK_CHARS):
            pieces += self.feed_clean(self._cleaner.feed(text[at : at + BLOCK_CHARS]))
        return pieces

    def feed_clean(self, text: str) -> list[Piece]:
        """As `feed`, of text that is clean already."""
        return list(self.feed_lazily(text))

    def feed_lazily(self, text: str) -> Iterator[Piece]:
        """As `feed_clean`, each piece made when it is asked for."""
        for at in range(0, len(text), BLOCK_CHARS):
            yield from self._pieces(self._segmenter.feed(text[at : at + BLOCK_CHARS]))

    def flush(self) -> list[Piece]:
        """The clauses of what has come, for a writer who says no more for a while."""
        pieces = self.feed_clean(self._cleaner.flush())
        return [*pieces, *self._pieces(self._segmenter.flush())]

    def finish(self) -> list[Piece]:
        """The pieces of the rest: the text is complete."""
        pieces = self.feed_clean(self._cleaner.finish())
        return [*pieces, *self._pieces(self._segmenter.finish())]

    def _pieces(self, segments: list[str]) -> Iterator[Piece]:
        return (self._piece(text) for segment in segments for text in self._texts(segment))

    def _piece(self, text: str) -> Piece:
        self._count += 1
        return Piece(self._count - 1, text)

    def _texts(self, segment: str) -> Iterator[str]:
        """What is said of a segment, one utterance after the other."""
        if "-\n" in segment or "\u2010\n" in segment:
            segment = _HYPHENATED.sub(r"\1", segment)
        for paragraph in map(undrawn, self._paragraphs(segment)):
            said = self._respelled(paragraph)
            for text in split(said, self._reading.lang, self._reading.max_chars):
                yield from self._short_if_first(text, paragraph)

    def _respelled(self, paragraph: str) -> str:
        """The paragraph in words."""
        reading, said = self._reading, ""
        for part, is_final in reading.say_as.parts(paragraph, reading.lang, reading.backend):
            words = part if is_final else self._spoken(part)
            # ".conf" is "dot conf" now, behind a word that was respelled.
            is_word = words[:1].isalnum() and not part[:1].isalnum()
            said += f" {words}" if is_word and said[-1:].isalnum() else words
        return said

    def _paragraphs(self, segment: str) -> list[str]:
        reading = self._reading
        is_sure = reading.format == "markdown"
        if is_sure or (reading.format == "auto" and is_markdown(segment)):
            from . import markdown  # takes 10 ms: most texts wait for none of it

            return markdown.spoken(segment, reading.speak_code, reading.lang, is_sure)
        return _plain_paragraphs(segment)

    def _spoken(self, text: str) -> str:
        reading = self._reading
        said = tokens.spoken(text, reading.lang, reading.reads, reading.emoji)
        said = numbers.spoken(said, reading.lang, reading.reads)
        if said == text:
            return said
        # Words that stood in an address or in a name of code: "checkWCAG".
        parts = reading.say_as.parts(said, reading.lang, reading.backend)
        return "".join(part for part, _ in parts)

    def _short_if_first(self, said: str, paragraph: str) -> Iterator[str]:
        """A long first utterance, cut behind a clause of the paragraph as it is written.

        A comma in a date or in a telephone number is none of the text's.
        """
        if not self._count and len(said) > self._reading.first_max:
            source = " ".join(paragraph[: 4 * self._reading.first_max].split())
            for clause in CLAUSE_END.finditer(source):
                if _WITHIN_DATE.match(source, clause.start() - 1):
                    continue
                cut = len(words := " ".join(self._respelled(source[: clause.end()]).split()))
                if cut > self._reading.first_max:
                    break
                if is_clause(said, words):
                    yield words
                    said = said[cut:].lstrip()
                    break
        yield said


def _plain_paragraphs(segment: str) -> list[str]:
    """The plain text of a segment that is no Markdown."""
    if segment[0].isalpha() and "\n" not in segment:
        return [segment]
    text = _MARKERS.sub("", _RULES.sub("", segment))
    return _BLANK.split(text)


def pieces(text: str, reading: Reading) -> Iterator[Piece]:
    """The pieces of a whole text, each made when it is asked for."""
    speakable = Speakable(reading)
    for block in cleaned(text):
        yield from speakable.feed_lazily(block)
    yield from speakable.finish()
