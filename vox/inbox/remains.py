"""What was written into a file beyond the text that was spoken of it.

Compares texts by what a voice could see of them: spaces and control characters do not count, for
the history may keep them otherwise than the file does.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

_SEEN = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff\ufffe\uffff]+")


class Spoken(NamedTuple):
    """The beginning of a text that was spoken: its characters, and their hash."""

    chars: int = 0
    digest: str = ""


NOTHING = Spoken()


def spoken(text: str) -> Spoken:
    """All of the text, as it is now."""
    seen = "".join(_SEEN.findall(text))
    return Spoken(len(seen), hashlib.sha256(_encoded(seen)).hexdigest())


def rest_of(text: str, known: Spoken) -> str:
    """What follows in the text; the whole text if it does not begin as what was spoken."""
    return text[_end_of(text, known) :]


def part_of(text: str, known: Spoken) -> str:
    """What was spoken of the text; "" if it does not begin so."""
    return text[: _end_of(text, known)]


def _end_of(text: str, known: Spoken) -> int:
    if known.chars == 0:
        return 0
    count = 0
    digest = hashlib.sha256()
    for match in _SEEN.finditer(text):
        length = min(match.end() - match.start(), known.chars - count)
        count += length
        end = match.start() + length
        digest.update(_encoded(text[match.start() : end]))
        if count == known.chars:
            return end if digest.hexdigest() == known.digest else 0
    return 0


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
