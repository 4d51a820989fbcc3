"""Whether the words that a clone's recording is said to hold can have been said in that time.

A model that goes on from a recording takes each word for one that it has heard. With a text that is
too long it leaves out words that it should say, with one that is too short it repeats some.
"""

from __future__ import annotations

import unicodedata
from typing import NoReturn

from ..errors import BadOption

# In letters a second. People read 12 to 16 aloud; an auctioneer says 25, slow dictation has 5.
# Beyond the outer bounds the text belongs to another recording.
_FASTEST, _SLOWEST = 40.0, 1.0
_FAST, _SLOW = 25.0, 5.0
# A Chinese character, a Hangul syllable, a kana or a digit takes as long as so many letters.
_LETTERS_PER_WIDE = 2.5

_HINT = "give --text the words of the recording, or leave it out"


def check(transcript: str, length_s: float) -> None:
    """Raise BadOption unless the words can have been said in `length_s` seconds of speech."""
    check_longest(transcript, length_s)
    if _letters(transcript) < _SLOWEST * length_s:
        _refuse("short", length_s)


def check_longest(transcript: str, length_s: float) -> None:
    """Raise BadOption if nobody can say the words within `length_s` seconds."""
    if _letters(transcript) > _FASTEST * length_s:
        _refuse("long", length_s)


def doubt(transcript: str, length_s: float) -> str | None:
    """A note if the words can, but are hardly likely to, have been said in that time."""
    letters = _letters(transcript)
    if _SLOW * length_s <= letters <= _FAST * length_s:
        return None
    which = "short" if letters < _SLOW * length_s else "long"
    return f"the text is {which} for {length_s:.1f} s of speech; make sure that it is what is said"


def _refuse(which: str, length_s: float) -> NoReturn:
    raise BadOption(f"the text is too {which} for {length_s:.1f} s of speech", _HINT, field="text")


def _letters(text: str) -> float:
    return sum(_weight(char) for char in text)


def _weight(char: str) -> float:
    kind = unicodedata.category(char)
    if kind[0] not in "LN":
        return 0.0
    is_wide = kind[0] == "N" or unicodedata.east_asian_width(char) in "WF"
    return _LETTERS_PER_WIDE if is_wide else 1.0
