"""Digits that name something, as telephone and card numbers do: they are read one by one."""

from __future__ import annotations

import re
from typing import Final

from .figures import Language, cardinal, digits, in_threes
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
_IDS: Final = re.compile(
    r"(?:\d{3}\.\d{3}\.\d{3}-\d{2}|\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}"
    r"|\d{3} \d{3} \d{3} \d{5})(?![\w-])"
)
"""Tax numbers of Brazil, and French ones."""
_POSTCODE: Final = re.compile(r"\d{5}(?= [A-ZÄÖÜ][a-zäöüß])")
_PORTUGUESE_POSTCODE: Final = re.compile(r"\d{4}-\d{3}(?= [A-Z])")
_STREET: Final = re.compile(r"(?:\d ?[a-z]?, ?|PLZ:? )\Z")
_TELEPHONE: Final = re.compile(r"\d{2,5}(?:[ \u00a0./-]\d{2,8}){1,6}(?![\w/-]|[.,]\d)")
_CALL: Final = re.compile(
    r"\b(?:tel|tél|fon|telefon|telefono|teléfono|telefone|téléphone|cell|cellulare"
    r"|llam\w+ al|appelez le|chiam\w+ (?:il|lo|al)|lig\w+ para(?: o)?|fax|handy|mobil|cel"
    r"|celular|móvil|tfno|whatsapp)\.?:? \Z",
    re.IGNORECASE,
)
_PAIRS: Final = re.compile(r"0\d(?:[ \u00a0\u202f.-]?\d\d){4}(?![\w.-]?\d)|\d(?: \d\d){4}(?!\w)")
_ZIP: Final = re.compile(r"\d{5}(?!\w|[.,]\d)")
_ZIP_BEFORE: Final = re.compile(r"(?:, [A-Z]{2}|\b(?:ZIP|zip|Zip)(?: code)?) \Z")
"""Of an American address."""
_LONGEST: Final = 60
_INSIDE: Final = frozenset(" \u00a0\u202f.\u2011/-)")


def code_at(spot: Spot) -> Reading | None:
    """The code that begins with this number, with the signs before it that belong to it."""
    language, text, at = spot.language, spot.text, spot.at
    if _ZIP.match(text, at) and _ZIP_BEFORE.search(text, max(spot.floor, at - 9), at):
        return Reading(at, spot.end, digits(language, spot.number.whole), NUMBERS)
    if spot.before not in ("+", "(") and spot.follows not in _INSIDE:
        return None
    start, before = at, spot.back(2)
    if before.endswith("(") and not before.endswith("+("):
        start = at - 1
        before = before[:-1]
    if before.endswith("+") and language.is_known:
        found = _ABROAD.match(text, at, at + _LONGEST)
        if language.code == "fr" and (reading := _french(language, text, at)):
            return reading._replace(start=start - 1)
        if found and 8 <= _count(found[0]) <= 15:
            words = f"{language.word('plus')} {digits(language, _country_first(found[0]))}"
            return Reading(start - 1, found.end(), words, NUMBERS)
        return None
    if language.code == "fr" and (pairs := _PAIRS.match(text, at)) and text[at] == "0":
        return Reading(at, pairs.end(), _in_pairs(language, pairs[0]), NUMBERS)
    found = _found(language, text, at, is_open=start != at) or _named(language, text, at)
    if found is None:
        return None
    if ")" not in found[0]:
        start = at
    return Reading(start, found.end(), digits(language, found[0]), NUMBERS)


def _found(language: Language, text: str, at: int, *, is_open: bool) -> re.Match[str] | None:
    """The code at this place. `is_open`: a bracket was opened before it."""
    stop = at + _LONGEST
    if ids := _IDS.match(text, at, stop):
        return ids
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


def _named(language: Language, text: str, at: int) -> re.Match[str] | None:
    """The code at this place, by the word or the street before it."""
    before = text[max(0, at - 14) : at]
    if language.code == "pt" and (code := _PORTUGUESE_POSTCODE.match(text, at)):
        return code
    if language.code == "de" and _STREET.search(before) and (code := _POSTCODE.match(text, at)):
        return code
    found = _TELEPHONE.match(text, at, at + _LONGEST) if _CALL.search(before) else None
    return found if found and _count(found[0]) >= 6 else None


def _french(language: Language, text: str, at: int) -> Reading | None:
    """ "33 1 23 45 67 89" behind a plus."""
    pairs = _PAIRS.match(text, at + 3) if text.startswith("33 ", at) else None
    if pairs is None:
        return None
    words = f"{language.word('plus')} {cardinal(language, '33')}, {_in_pairs(language, pairs[0])}"
    return Reading(at, pairs.end(), words, NUMBERS)


def _in_pairs(language: Language, number: str) -> str:
    """ "zéro six, douze": the French say their telephone numbers two digits at a time."""
    pairs = re.findall(r"\d\d?", number)
    zero = f"{cardinal(language, '0')} "
    return ", ".join(
        (zero if len(pair) > 1 and pair[0] == "0" else "") + cardinal(language, pair)
        for pair in pairs
    )


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
