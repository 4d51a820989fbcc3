"""Numbers with a unit as words: "5 km", "20 °C", "60 km/h", "50 %", "6 ft 2 in".

The units' names and plural forms are CLDR's. A unit is read only behind a number, and one that is a
word or a letter of the language only where it can be nothing else.
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from .agreement import is_attribute, is_feminine
from .figures import Language, Number, cardinal, joined, said
from .kinds import UNITS
from .rates import PER, per
from .readings import Reading, Spot
from .unit_names import CLDR, ONLY_IN, OWN, PER_SECOND

if TYPE_CHECKING:
    from babel import Locale

_TIGHT: Final = frozenset("in A T N K J".split())
"""They may be a name ("Plan 5 A") or a word: read only at the end of a clause."""
_NAME_BEFORE: Final = re.compile(r"\b[A-Z]\w+ \Z")
_SPELT_BEFORE: Final = re.compile(r"(?:\A|[\W\d]\w?) \Z")
_SHORTENED: Final = frozenset(
    "min mins sec secs hr hrs wk wks yr yrs tsp tbsp oz lb lbs ft in gal".split()
)
_GOES_ON: Final = re.compile(r"\.(?: [a-z]|,| \d{1,2} ?in\b)")
_ATTACHED_ONLY: Final = frozenset("us um Gb".split())
_SPACE: Final = "[ \u00a0\u202f\u2009]"
_NAMES: Final = sorted((*CLDR, *OWN, *PER_SECOND), key=len, reverse=True)
_BEHIND: Final = re.compile(
    rf"(?P<space>{_SPACE}|-(?=[A-Za-zµ]))?(?P<unit>{'|'.join(map(re.escape, _NAMES))})"
    rf"(?![\w²³]|/(?!{PER.pattern[1:]}))"
)
_FIRST: Final = frozenset(name[0] for name in _NAMES) | frozenset(" -\u00a0\u202f\u2009")
_LOOK_AHEAD: Final = 20


@functools.lru_cache(maxsize=4096)
def _pattern(language: Language, unit: str, value: Decimal) -> str | None:
    """ "{0} kilometers": the unit's name around a number of this value."""
    if own := OWN.get(unit):
        if language.code not in own:
            return None
        one, many = own[language.code]
        return f"{{0}} {one if _is_one(language, value) else many}"
    if unit in PER_SECOND:
        amount = _pattern(language, PER_SECOND[unit], value)
        second = _pattern(language, "s", Decimal(1))
        if amount is None or second is None or not language.is_known:
            return None
        return f"{amount} {language.word('per')} {second.replace('{0}', '').strip()}"
    try:
        key = language.cldr, unit, _locale(language.cldr).plural_form(value)
    except Exception:  # an unknown locale
        return None
    if key not in _known:
        _known[key] = _cldr_pattern(language.cldr, unit, value)
    return _known[key]


_known: dict[tuple[str, str, str], str | None] = {}
"""{(CLDR tag, unit, plural form): pattern}. To format one takes babel 0.2 ms."""


@functools.lru_cache(maxsize=64)
def _locale(tag: str) -> Locale:
    from babel import Locale

    return Locale.parse(tag)


def _cldr_pattern(tag: str, unit: str, value: Decimal) -> str | None:
    from babel.numbers import format_decimal
    from babel.units import format_unit

    try:
        locale, name = _locale(tag), CLDR[unit]
        written = format_decimal(value, locale=locale)
        words: str = format_unit(value, name, length="long", locale=locale)
    except Exception:  # an unknown locale, or data that it lacks
        return None
    if written not in words:
        return None
    before, _, after = words.partition(written)
    return f"{before}{{0}}{after}"


def _is_one(language: Language, value: Decimal) -> bool:
    return value == 1 or (language.code in ("fr", "pt") and abs(value) < 2)


def _fits(language: Language, text: str, number: Number, found: re.Match[str], before: str) -> bool:
    """Whether this is the unit and no word or letter that looks like it."""
    unit, end = found["unit"], found.end()
    if language.code not in ONLY_IN.get(unit, language.code).split():
        return False
    if unit in _ATTACHED_ONLY:
        return not found["space"]
    if found["space"] == "-":
        if text[end : end + 1] == "-":
            return False  # "1-in-5"
        return language.code in ("en", "de") and len(unit) > 1
    follows = text[end : end + 3]
    if unit == "J" and follows[:1] == ".":
        return False  # "20 J.": years
    if unit == "in" and not number.sign:
        return False  # "5 in a row"
    if unit in _TIGHT:
        is_spelt = len(number.whole) == 1 and _SPELT_BEFORE.search(before)  # "d 5 A"
        is_name = is_spelt or _NAME_BEFORE.search(before) is not None
        return bool(found["space"]) and not (
            (follows[:1] == " " and follows[1:2].isalnum()) or is_name
        )
    return True


def unit_at(spot: Spot, after: str = "") -> Reading | None:
    """The unit behind this number. `after`: what was counted just before it."""
    if spot.follows not in _FIRST or spot.number.is_code:
        return None
    language, number = spot.language, spot.number
    unit = unit_behind(language, spot.text, spot.end, number, after, spot.back(14))
    if unit is None:
        return None
    noun = unit.words.replace("{0}", "").split()[0]
    feminine = is_feminine(language.code, noun)
    words = said(language, number, feminine=feminine)
    if unit.words.startswith("{0} ") and language.is_known:
        words = joined(language, words, unit.words[4:])
    else:
        words = unit.words.replace("{0}", words)
    if language.code == "it":
        words = re.sub(r"^una (?=[aeiou])", "un'", words)
    rate = per_behind(language, spot.text, unit.end)
    if rate is not None:
        unit, words = unit._replace(end=rate.end), f"{words} {rate.words}"
    return unit._replace(start=spot.at, words=words)


def per_behind(language: Language, text: str, end: int) -> Reading | None:
    """ "/kWh" and "/month" at this place."""
    found = PER.match(text, end, end + _LOOK_AHEAD) if language.is_known else None
    if found is None:
        return None
    what = found[0][1:]
    pattern = _pattern(language, what, Decimal(1)) if what in CLDR or what in OWN else None
    name = pattern.replace("{0}", "").strip() if pattern else None
    return Reading(end, found.end(), per(language, what, name), UNITS)


def unit_behind(
    language: Language, text: str, end: int, number: Number, after: str = "", before: str = ""
) -> Reading | None:
    """The unit at this place, as words around "{0}"."""
    found = _BEHIND.match(text, end, end + _LOOK_AHEAD)
    if found is None:
        return None
    unit = found["unit"]
    is_rest = after == "ft" and unit == "in"
    if not is_rest and not _fits(language, text, number, found, before):
        return None
    if after == "h" and unit == "m":
        unit = "min"  # "1h 30m"
    attribute = (found["space"] == "-" and language.code == "en") or is_attribute(
        language.code, text, before, found.end()
    )
    value = Decimal(1) if attribute else number.value
    pattern = _pattern(language, unit, value)
    if pattern is None:
        return None
    if "100" in pattern:
        # "l/100 km"; CLDR's French name of it ends in "km".
        pattern = pattern.replace("100", cardinal(language, "100"))
        pattern = re.sub(r"\bkm\b", "kilomètres", pattern)
    stop = found.end()
    if unit in _SHORTENED and _GOES_ON.match(text, stop):
        stop += 1  # "30 min. until"
    return Reading(end, stop, " ".join(pattern.split()), UNITS, unit)
