"""Where sentences end.

A place is judged by the words around it alone, never by what comes later: so a text that is still
being written is cut as the whole text is. `sentencex` is asked about the words, and knows many
languages; `abbreviations` has what it lacks. It is imported when it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from . import abbreviations

SHORT_BYTES = 10
"""Shorter pieces are joined to a neighbour: voices speak fragments such as "Yes." badly. So much
must have come after a sentence before it is known that nothing is joined to it."""

AHEAD_MAX = 200
"""No more characters than these after a candidate are looked at."""
_BEHIND = 48

_STOPS = ".!?…‽؟۔।॥։።"
_WIDE_STOPS = "。！？｡︒।॥။។"
_CLOSERS = "\"'”’“‘»«›‹)\\]」』）】*_`~"
_OPENERS = "\"'“‘«‹„‚([¿¡*_`~–—-"

CANDIDATE = re.compile(
    rf"(?<=[{_STOPS}{_WIDE_STOPS}{_CLOSERS}])\s+(?=[^\s{_STOPS}{_WIDE_STOPS},;:])"
    rf"|(?<=[{_WIDE_STOPS}”’」』）】])(?=[^\s{_STOPS}{_WIDE_STOPS}{_CLOSERS},，、；：]).{{0}}"
)
"""Between two sentences, perhaps. It looks at one character on each side."""
_NEAR_AHEAD = re.compile(
    rf"[\x00-\x7f]{{{SHORT_BYTES - 1}}}\s{{0,{AHEAD_MAX - SHORT_BYTES}}}[!-~]|[\u3001-\uffff]{{4}}"
)
"""What `ahead` finds, of the texts that are most frequent."""
_END = re.compile(rf"(\S*?)([{_STOPS}{_WIDE_STOPS}]+)([{_CLOSERS}]*)\Z")
_WORD = re.compile(r"[^\W_]+")
_RANGE = re.compile(r"^\d{1,2}\.?[-–](?=\d{1,2}\Z)")
_ELIDED = re.compile(r"^(?:d|l|all|dall|dell|nell|sull)['’]")
"""What may grow together with an abbreviation: "l'art. 5"."""
_QUOTES = frozenset("\"'”’»›“‘«")


def ahead(text: str, start: int, end: int) -> str | None:
    """The beginning of what follows a candidate: `SHORT_BYTES`. None if there is less."""
    if near := _NEAR_AHEAD.match(text, start, end):
        return near.group()
    size = 0
    for at in range(start, min(end, start + AHEAD_MAX)):
        char = text[at]
        size += 1 if char < "\x80" else 2 if char < "\u0800" else 3
        if size >= SHORT_BYTES and not char.isspace():
            return text[start : at + 1]
    return text[start : start + AHEAD_MAX] if end >= start + AHEAD_MAX else None


def is_short(text: str, start: int, end: int) -> bool:
    """Whether a stretch is too short to be said alone."""
    # In bytes: a character of Chinese says as much as some three of English.
    return end - start < SHORT_BYTES and len(text[start:end].encode()) < SHORT_BYTES


def language(lang: str | None) -> str:
    """The language of a BCP 47 tag."""
    return (lang or "en").replace("_", "-").split("-")[0].lower()


def is_end(text: str, start: int, at: int, following: str, lang: str) -> bool:
    """Whether the sentence that begins at `start` ends at `at`; `following`: what is ahead."""
    return _is_end(text[max(start, at - _BEHIND) : at], following, lang)


@lru_cache(maxsize=8192)
def _is_end(behind: str, following: str, lang: str) -> bool:
    end = _END.search(behind)
    if end is None:
        return False
    word, stops, closers = end.groups()
    if stops[-1] in _WIDE_STOPS:
        return True
    next_word = following.lstrip(_OPENERS)
    is_quoted = not _QUOTES.isdisjoint(closers)
    if next_word[:1].islower() and (stops[-1] in ".…" or is_quoted):
        return False
    if stops == ".":
        before = behind[: end.start()].rstrip()
        known = _after_full_stop(word.lstrip(_OPENERS), before, next_word, lang)
        if known is not None:
            return known
    if not next_word:
        return True
    words = behind[: end.end(2)].split()[-2:]
    return _asked(" ".join(words).replace('"', ""), next_word.split("\n")[0], lang)


def _after_full_stop(word: str, before: str, next_word: str, lang: str) -> bool | None:
    """What the word before a full stop says; None: nothing."""
    known, key = abbreviations.of(lang), _ELIDED.sub("", word.lower())
    spaced = f"{before.split()[-1]}{key}".lower() if before.endswith(".") else ""  # z. B.
    found = _WORD.match(next_word)
    first = found.group() if found else ""
    if key in known.perhaps or spaced in known.perhaps:
        if spaced and next_word[1:2] == ".":
            return False  # S. A. R.
        return abbreviations.begins_sentence(first, lang)
    if key in known.never or spaced.lstrip("(") in known.never:
        is_acronym = len(word) > 2 and word.isupper()  # EST, MAX
        return is_acronym and abbreviations.begins_sentence(first, lang)
    if key in known.before_number and (first.isdecimal() or (first and not first.strip("IVXLC"))):
        return False
    if abbreviations.is_weekday(word, lang) and (
        (first.isdecimal() and len(first) <= 2) or abbreviations.names_month(first, lang)
    ):
        return False
    key = _RANGE.sub("", key)
    if key.isdecimal() and len(key) <= 4:
        last = before.split()[-1:] or [""]
        if abbreviations.is_month(next_word, lang):
            return False
        return False if abbreviations.makes_ordinal(last[0], lang) else None
    if len(word) == 1 and word.isupper():
        return abbreviations.may_follow_initial(first, lang)
    return None


@lru_cache(maxsize=4096)
def _asked(behind: str, following: str, lang: str) -> bool:
    import sentencex

    sentences = sentencex.segment(lang, f"{behind} {following}")
    return len(sentences) > 1 and any(
        length == len(behind) for length in _ends([str(sentence) for sentence in sentences])
    )


def _ends(sentences: list[str]) -> Iterator[int]:
    at = 0
    for sentence in sentences:
        yield at + len(sentence.rstrip())
        at += len(sentence)


def sentences(text: str, lang: str) -> Iterator[tuple[int, int]]:
    """The sentences of a paragraph, without space around them; short ones with a neighbour."""
    end = len(text.rstrip())
    start = len(text) - len(text.lstrip())
    for place in CANDIDATE.finditer(text, start, end):
        at, following = place.start(), ahead(text, place.end(), end)
        if following is None:
            break
        if not is_short(text, start, at) and is_end(text, start, at, following, lang):
            yield start, at
            start = place.end()
    if start < end:
        yield start, end
