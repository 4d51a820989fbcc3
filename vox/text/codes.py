"""Digits that name something, as telephone and card numbers do: they are read one by one."""

from __future__ import annotations

import re
from typing import Final

from .figures import Language, digits, in_threes
from .kinds import NUMBERS
from .readings import Reading, Spot

_SEPARATOR: Final = "[ \u00a0\u202f.\u2011/-]"
_ABROAD: Final = re.compile(rf"\d{{1,3}}(?:{_SEPARATOR}?\(?\d{{1,8}}\)?){{1,6}}(?![\d\w])")
_AT_HOME: Final = re.compile(
    rf"0\d{{1,5}}\)?(?:{_SEPARATOR}{{1,2}}\d{{2,8}}){{1,5}}(?![\w.,:/-]?\d|\w)"
)
_AMERICAN: Final = re.compile(
    r"(?:1[ .-])?\(?\d{3}(?:\) ?|[ .-])\d{3}[.-]\d{4}(?!\w|[.,/:-]\d)|\d{3}-\d{4}(?!\w|[.,/:-]\d)"
)
_AREA: Final = re.compile(r"\d{2,5}\)[ -]?\d{3,5}(?:[ -]\d{2,5}){0,3}(?!\w|[.,/:-]\d)")
"""The area in brackets; the bracket was opened before it."""
_CARD: Final = re.compile(r"\d{4}(?:[ \u00a0-]\d{4}){2,4}(?:[ \u00a0-]\d{1,4})?(?!\w|[.,/:-]\d)")
_PARTS: Final = re.compile(r"\d+(?:-\d+){2,9}(?!\w|[.,/:-]\d)")
_LONGEST: Final = 60
_INSIDE: Final = frozenset(" \u00a0\u202f.\u2011/-)")


def code_at(spot: Spot) -> Reading | None:
    """The code that begins with this number, with the signs before it that belong to it."""
    language, text, at = spot.language, spot.text, spot.at
    if spot.before not in ("+", "(") and spot.follows not in _INSIDE:
        return None
    start, before = at, spot.back(2)
    if before.endswith("(") and not before.endswith("+("):
        start = at - 1
        before = before[:-1]
    if before.endswith("+") and language.is_known:
        found = _ABROAD.match(text, at, at + _LONGEST)
        if found and 8 <= _count(found[0]) <= 15:
            words = f"{language.word('plus')} {digits(language, _country_first(found[0]))}"
            return Reading(start - 1, found.end(), words, NUMBERS)
        return None
    found = _found(language, text, at, is_open=start != at)
    if found is None:
        return None
    if ")" not in found[0]:
        start = at
    return Reading(start, found.end(), digits(language, found[0]), NUMBERS)


def _found(language: Language, text: str, at: int, *, is_open: bool) -> re.Match[str] | None:
    """The code at this place. `is_open`: a bracket was opened before it."""
    stop = at + _LONGEST
    found = (_AT_HOME if text[at] == "0" else _CARD).match(text, at, stop)
    if found and 7 <= _count(found[0]) <= 24:
        return found
    if is_open and (found := _AREA.match(text, at, stop)):
        return found
    found = _AMERICAN.match(text, at, stop) if text[at] != "0" else None
    if found and _is_whole(found[0], is_open) and _may_be_american(language, found[0]):
        return found
    found = _PARTS.match(text, at, stop)
    return found if found and _count(found[0]) >= 7 else None


def _count(text: str) -> int:
    return sum(char.isdigit() for char in text)


def _country_first(found: str) -> str:
    """Grouped where it was written in one piece: the country, then threes."""
    if re.search(r"\D", found):
        return found
    country = 1 if found[0] in "17" else 2
    return " ".join([found[:country], *in_threes(found[country:])])


def _is_whole(found: str, is_open: bool) -> bool:
    return (")" in found) == is_open or "(" in found


def _may_be_american(language: Language, found: str) -> bool:
    """ "555-1234" is a telephone number in English only; the long form everywhere."""
    return _count(found) > 7 or language.code == "en"
