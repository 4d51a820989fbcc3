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
    pattern = _AT_HOME if text[at] == "0" else _CARD
    found = pattern.match(text, at, at + _LONGEST)
    if found and not 7 <= _count(found[0]) <= 24:
        found = None
    if found is None and text[at] != "0":
        found = _AMERICAN.match(text, at, at + _LONGEST)
        if found and not (
            _is_whole(found[0], start != at) and _may_be_american(language, found[0])
        ):
            found = None
    if found is None:
        found = _PARTS.match(text, at, at + _LONGEST)
        start = at
        if found and _count(found[0]) < 7:
            return None
    if found is None:
        return None
    if start != at and ")" not in found[0]:
        start = at
    return Reading(start, found.end(), digits(language, found[0]), NUMBERS)


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
