"""Text without what no voice can speak: control characters, unusual newlines, binary data.

A `Cleaner` takes a text as it comes. What a terminal would not show is left out, see `terminal`.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterator

from ..errors import BadInput, TextTooLong
from . import terminal

LIMIT_CHARS = 1_000_000
BLOCK_CHARS = 4096

_SPEAKABLE = re.compile(r"[^\W_]")
_NEWLINE = re.compile("\r\n|[\x0b\x0c\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSEEN = re.compile(
    "[\x01-\x07\x0e-\x17\x1a\x1c-\x1f\x7f-\x84\x86-\x8f\x91-\x97\x99\x9a\ufffe\uffff"
    "\xad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffc]"
)
"""Control characters, and those that have no width and break words for a voice: soft hyphens,
zero-width spaces, byte order marks, what sets the direction. ZWJ and ZWNJ belong to words."""
_EDITING = re.compile("\r(?!\n)|\x08|(?:\x1b\\[|\x9b)[0-9;]*[KDG`]")
_EDITORS = "\r\x08\x1b\x9b"
"""With what such a sequence begins: these are found in a long text far more quickly."""

_MARKS_MAX = 30
"""As many combining marks on one letter are kept: Unicode's Stream-Safe Text Format, UAX 15. To put
any number of them in order takes a time that grows with its square."""
_MANY_MARKS = re.compile(rf"[^\w\s\x00-\x7f]{{{_MARKS_MAX + 1},}}")


class Cleaner:
    """Cleans a text that comes in parts; where they are cut makes no difference.

    What it gives out is NFC with plain newlines. The end of a part is held back where what follows
    may change it: an escape sequence, a letter whose accent may come. If a line is written over
    after its text was given out, `terminal.ERASE` or `terminal.BACK` says so.
    """

    def __init__(self) -> None:
        self._escape = ""
        self._tail = ""

    def feed(self, text: str) -> str:
        """Take the next part; returns what is certain."""
        text = self._escape + terminal.without_own(text)
        text, self._escape = terminal.split_unfinished(text)
        text = self._edited(text)
        cut = _last_cell(text)
        self._tail = text[cut:]
        return text[:cut]

    def flush(self) -> str:
        """What is held back as it stands, but for an escape sequence without its end."""
        text, self._tail = self._tail.rstrip("\r\b"), ""
        return text

    def finish(self) -> str:
        """The rest."""
        text, self._escape = self._edited(self._escape), ""
        self._tail = text
        return self.flush()

    def _edited(self, text: str) -> str:
        text = self._tail + _UNSEEN.sub("", terminal.without_escapes(text))
        text = _NEWLINE.sub("\n", terminal.with_short_runs(text))
        if not text.isascii():
            text = unicodedata.normalize("NFC", _MANY_MARKS.sub(_fewer_marks, text))
        return terminal.edited(text)


def _fewer_marks(run: re.Match[str]) -> str:
    if not any(map(unicodedata.combining, run.group())):
        return run.group()
    kept: list[str] = []
    marks = 0
    for char in run.group():
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= _MARKS_MAX:
            kept.append(char)
    return "".join(kept)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def _last_cell(text: str) -> int:
    """Where the last character begins that something may follow which changes it."""
    cut = terminal.undecided(text)
    for _ in range(2 * _MARKS_MAX):
        if not cut or text[cut - 1] in "\n\b":
            break
        cut -= 1
        if not (_is_mark(text[cut]) or "\u1160" <= text[cut] <= "\u11ff"):  # vowels of Hangul
            break
    return cut


def cleaned(text: str) -> Iterator[str]:
    """A whole text, clean, in blocks. Of each line only what it says at its end."""
    cleaner = Cleaner()
    may_be_edited = any(char in text for char in _EDITORS)
    is_edited = may_be_edited and _EDITING.search(text) is not None
    line: list[str] = []
    for at in range(0, len(text), BLOCK_CHARS):
        block = cleaner.feed(text[at : at + BLOCK_CHARS])
        if is_edited:
            begun, newline, block = block.rpartition("\n")
            whole = "".join([*line, begun]).split("\n") if newline else []
            line = [*(() if newline else line), block]
            block = "".join(terminal.last_state(each) + "\n" for each in whole)
        yield block
    yield terminal.last_state("".join(line) + cleaner.finish())


def check(text: str, limit: int = LIMIT_CHARS) -> None:
    """Raises TextTooLong, BadInput (binary data, or bytes that were not UTF-8)."""
    if len(text) > limit:
        raise TextTooLong(
            f"the text has {len(text):,} characters; {limit:,} are the limit",
            "split it into several",
        )
    check_characters(text)


def check_characters(text: str) -> None:
    """As `check`, but for a part of a text."""
    if "\0" in text:
        raise BadInput("the text has NUL bytes: it looks like binary", "give plain text")
    if not text.isascii() and _SURROGATE.search(text):
        raise BadInput("the text is not valid UTF-8", "convert it: iconv -f LATIN1 -t UTF-8 FILE")


def is_speakable(text: str, start: int = 0, end: int = sys.maxsize) -> bool:
    """True if the text, between `start` and `end`, has a letter or a digit of any script."""
    return _SPEAKABLE.search(text, start, end) is not None
