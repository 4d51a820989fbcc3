"""Dates as words: "2026-11-29", "29.11.2026", "11/29/2026", "Nov 29", "3. Oktober", "le 1er mai".

The names of months are CLDR's; the order of day, month and year is that of the language's region.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from .figures import Language, cardinal, ordinal, year
from .kinds import DATES
from .ordinals import german_ending
from .readings import Reading, Spot

_ISO: Final = re.compile(r"([12]\d{3})-([01]\d)-([0-3]\d)(?![\w-]|\.\d)")
_ISO_TIME: Final = re.compile(r"([12]\d{3})-([01]\d)-([0-3]\d)[Tt](?=\d{2}:\d{2})")
_TIME_BEHIND: Final = re.compile(r" [012]\d:[0-5]\d")
_NUMERIC: Final = re.compile(r"(\d{1,2})([./])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-]|[.,]\d)")
_LOGGED: Final = re.compile(
    r"(\d{1,2})([/-])(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\2(\d{4}|\d{2})(?![\w/-])"
)
_DASHED: Final = re.compile(r"(\d{1,2})(-)(\d{1,2})-((?:19|20)\d{2})(?![\w/-]|[.,]\d)")
_COMPACT: Final = re.compile(r"((?:19|20)\d{2})([01]\d)([0-3]\d)(?![\w/-]|[.,:]\d)")
_YEAR_FIRST: Final = re.compile(r"([12]\d{3})([./])(\d{1,2})\2(\d{1,2})(?![\w/-]|[.,]\d)")
_GERMAN_SHORT: Final = re.compile(r"(\d{1,2})\.(?: ?)(\d{1,2})\.(?!\d)")
_GERMAN_BEFORE: Final = re.compile(
    r"\b(?:am|vom|zum|bis|ab|seit|den|der|dem|beim|und|–|-"
    r"|(?:Mo|Di|Mi|Do|Fr|Sa|So)\.?,?|(?:\w+tag|Mittwoch),? ?\(?) ?(?:zum )?\Z",
    re.IGNORECASE,
)
_SLASHED: Final = re.compile(
    r"(\d{1,2})/(0[1-9]|1[0-2]|(?<=\d\d/)[1-9]|[1-9](?=\Z|[.,;:)!?]| (?:[àaeyoé]|et|ou|alle|ao"
    r"|às|au|al|pour|por|per|em|en) ))(?![\w/%-]|[.,]\d| ?(?:d[’'eaoiu]|partes))"
)
_TWO_DIGITS: Final = re.compile(r"([0-3]\d)/(0[1-9]|1[0-2])(?![\w/%-]|[.,]\d)")
_FROM: Final = re.compile(r"\b(?:de|a|até|em) \Z", re.IGNORECASE)
_SLASH_BEFORE: Final = {
    "fr": re.compile(
        r"\b(?:le|au|du|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche) \Z", re.I
    ),
    "es": re.compile(
        r"\b(?:el|del|al|día|lunes|martes|miércoles|jueves|viernes|sábado|domingo) \Z", re.I
    ),
    "it": re.compile(
        r"\b(?:il|del|dal|al|giorno|(?:lun|mar|mercol|giov|ven)edì|venerdì|sabato|domenica) \Z",
        re.I,
    ),
    "pt": re.compile(
        r"\b(?:dia|-feira|segunda|terça|quarta|quinta|sexta|sábado|domingo),? \Z", re.I
    ),
}
_YEAR: Final = r"(?P<y>,? (?:(?:de|del) )?(?P<year>[12]\d{3})(?![\w%€$]|[.,:/-]\d))?"
_SUFFIX: Final = r"(?P<suffix>st|nd|rd|th|er|ers|º|°|ª|\.º|\.)?"
_SPACE: Final = "[ \u00a0\u202f]"
# Forms that people write and CLDR does not list.
_OTHERS: Final = {
    "en": {"Sept": 9, "Sept.": 9},
    "de": {"Jänner": 1, "Feber": 2, "Mär": 3, "Mrz": 3, "Mär.": 3, "Sept": 9, "Okt": 10, "Dez": 12},
    "fr": {"fév.": 2, "fevr.": 2, "aout": 8, "fevrier": 2, "decembre": 12, "sep.": 9},
    "es": {"set.": 9, "setiembre": 9, "sep.": 9, "sept.": 9},
    "it": {"sett.": 9},
    "pt": {"marco": 3},
}


@functools.lru_cache(maxsize=32)
def _wide(language: Language) -> dict[int, str]:
    """The months' names, as they stand in a date."""
    from babel import Locale

    return dict(Locale.parse(language.code).months["format"]["wide"])


@functools.lru_cache(maxsize=32)
def _months(language: Language) -> dict[str, int]:
    """{name or abbreviation in lower case: month}"""
    from babel import Locale

    names = {}
    months = Locale.parse(language.code).months
    for style in ("format", "stand-alone"):
        for width in ("wide", "abbreviated"):
            for number, name in months[style][width].items():
                bare = name.rstrip(".").lower()
                names[bare] = names[f"{bare}."] = number
    names |= {name.lower(): n for name, n in _OTHERS.get(language.code, {}).items()}
    return names


@functools.lru_cache(maxsize=32)
def _day_first(language: Language) -> re.Pattern[str]:
    """Behind a day: "Nov 2026", "de noviembre de 2026". Starts at the suffix of the day."""
    names = "|".join(re.escape(n) for n in sorted(_months(language), key=len, reverse=True))
    of = {"en": "(?:of )?", "es": "(?:de )?", "pt": "(?:de )?"}.get(language.code, "")
    return re.compile(
        rf"{_SUFFIX}{_SPACE}{of}(?P<month>{names})(?![\w-]){_YEAR}", re.IGNORECASE | re.ASCII
    )


@functools.lru_cache(maxsize=32)
def _month_before(language: Language) -> re.Pattern[str]:
    names = "|".join(re.escape(n) for n in sorted(_months(language), key=len, reverse=True))
    return re.compile(rf"(?:^|(?<=\W))(?P<month>{names}){_SPACE}(?:the )?\Z", re.IGNORECASE)


_MONTH_FIRST: Final = re.compile(
    r"(?P<day>\d{1,2})(?:st|nd|rd|th)?(?:,? (?P<year>[12]\d{3})(?![\w%€$]|[.,:/-]\d))?"
    r"(?![\w%:°]|[.,/]\d)"
)
_ENGLISH_YEAR: Final = re.compile(r"(?P<year>[12]\d{3})(?![\w%]|[.,:/-]\d)")
_LOOK_BACK: Final = 24
_AMERICAN: Final = ("en", "en-us", "en-ph")
"""Where the month goes first."""


def _is_date(y: int, month: int, day: int) -> bool:
    longest = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= month <= 12 and 1 <= day <= longest[month - 1] and (not y or y >= 1000)


def said_date(
    language: Language,
    day: int,
    month: int,
    y: str = "",
    *,
    before: str = "",
    day_first: bool = False,
) -> str:
    """The words of a date. `before`: the text in front of it, on which German endings depend."""
    code, name = language.code, _wide(language)[month]
    said_year = year(language, y) if y else ""
    if code == "en":
        if not day_first and language.tag in _AMERICAN:
            return _american(language, day, month, y)
        the = "" if re.search(r"\bthe \Z", before) else "the "
        return f"{the}{ordinal(language, str(day))} of {name} {said_year}".rstrip()
    if code == "de":
        ending = german_ending(before, name)
        words = f"{ordinal(language, str(day))[:-1]}{ending} {name}"
        return f"{words} {said_year}".strip()
    first = {"fr": "premier", "it": "primo", "pt": "primeiro"}.get(code)
    if code == "es" and language.tag not in ("es", "es-es"):
        first = "primero"
    if code == "it" and before[-1:] in ("'", "’"):
        first = None  # "l'1 maggio"
    number = first if day == 1 and first else cardinal(language, str(day))
    of = " de " if code in ("es", "pt") else " "
    return f"{number}{of}{name}" + (f"{of}{said_year}" if y else "")


def _american(language: Language, day: int, month: int, y: str) -> str:
    words = f"{_wide(language)[month]} {ordinal(language, str(day))}"
    return f"{words}, {year(language, y)}" if y else words


def _full_year(digits: str) -> str:
    return digits if len(digits) == 4 else ("19" if int(digits) > 49 else "20") + digits


def _numeric(language: Language, text: str, at: int, before: str) -> Reading | None:
    found = _ISO_TIME.match(text, at) or _ISO.match(text, at)
    gap, end = "", 0
    if found is not None:
        y, month, day = found[1], int(found[2]), int(found[3])
        gap = ", " if found[0][-1] in "Tt" else "," if _TIME_BEHIND.match(text, found.end()) else ""
    elif (found := _YEAR_FIRST.match(text, at)) is not None:
        y, month, day = found[1], int(found[3]), int(found[4])
    elif (found := _COMPACT.match(text, at)) is not None:
        y, month, day = found[1], int(found[2]), int(found[3])
    elif (found := _NUMERIC.match(text, at) or _DASHED.match(text, at)) is not None:
        first, second, y = int(found[1]), int(found[3]), _full_year(found[4])
        if len(found[4]) == 2 and found[2] == "." and language.code == "en":
            return None
        american = found[2] in "/-" and language.tag in _AMERICAN
        month, day = (first, second) if american else (second, first)
        if month > 12:
            month, day = day, month
    elif language.code == "en" and (found := _LOGGED.match(text, at)) is not None:
        y, month, day = _full_year(found[4]), _months(language)[found[3].lower()], int(found[1])
        gap = ", " if text[found.end() : found.end() + 1] == ":" else ""
        end = found.end() + len(gap[:1])
    elif language.code == "de" and (found := _GERMAN_SHORT.match(text, at)) is not None:
        y, month, day = "", int(found[2]), int(found[1])
        if not (_GERMAN_BEFORE.search(before) or day > 12 or "0" in (found[1][0], found[2][0])):
            return None
    elif (found := _slashed(language, text, at, before)) is not None:
        y, month, day = "", int(found[2]), int(found[1])
    else:
        return None
    if not _is_date(int(y or 0), month, day):
        return None
    words = said_date(language, day, month, y, before=before)
    return Reading(at, end or found.end(), words + gap, DATES)


def _slashed(language: Language, text: str, at: int, before: str) -> re.Match[str] | None:
    """ "15/04" behind an article or a weekday, where it is no part of something."""
    led = _SLASH_BEFORE.get(language.code)
    found = _SLASHED.match(text, at) if led and led.search(before) else None
    if language.code == "pt" and _FROM.search(before):
        found = _TWO_DIGITS.match(text, at)  # "de 1/4 a 1/2 xícara" are parts
    return found if found and (int(found[1]), int(found[2])) != (24, 7) else None


def is_before_month(spot: Spot) -> bool:
    """Whether the name of a month follows, in a language whose days may be ordinals."""
    found = _NEXT_WORD.match(spot.text, spot.end, spot.end + 30)
    return found is not None and found[1].lower() in _months(spot.language)


def date_at(spot: Spot) -> Reading | None:
    """The date that has this number."""
    language, text = spot.language, spot.text
    if not language.is_known or len(spot.number.whole) > 8:
        return None
    reading = _date(spot)
    if reading is None or language.code != "en":
        return reading
    weekday = _WEEKDAY.search(text, max(spot.floor, reading.start - 8), reading.start)
    if weekday is None:
        return reading
    day = f"{_DAYS[weekday[1][:3]]}{weekday[2]}"
    return reading._replace(start=weekday.start(1), words=f"{day}{reading.words}")


def _date(spot: Spot) -> Reading | None:
    language, text, at = spot.language, spot.text, spot.at
    before = spot.back(_LOOK_BACK)
    if language.code == "de":
        # "vom 1.-15. August": both days depend on what stands before the first.
        before = _FIRST_DAY.sub("", text[max(0, at - _LOOK_BACK - 8) : at])
    if _NUMBERS_GO_ON.match(text, at) and (found := _numeric(language, text, at, before)):
        return found
    digits = _DAY.match(text, at)
    if digits and (found := _day_and_month(language, text, digits, before)):
        return found
    if len(spot.number.whole) <= 4 and before and before[-1] in " \u00a0\u202f":
        return _month_and_day(language, text, at, before)
    return None


_WEEKDAY: Final = re.compile(r"\b(Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)\b\.?(,? )\Z")
_DAYS: Final = {
    day[:3]: day
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
}
_NEXT_WORD: Final = re.compile(r"\.?[ \u00a0]([^\W\d_]{3,})")
_FIRST_DAY: Final = re.compile(r"(?<!\d)\d{1,2}\.(?:\d{1,2}\.)? ?(?:[-–/]|bis|und|oder) ?\Z")
_NUMBERS_GO_ON: Final = re.compile(r"\d{1,4}[./-] ?[\dA-Z]|\d{8}(?!\d)")
_DAY: Final = re.compile(r"\d{1,2}(?=[\u00a0\u202f .a-zº°ª])")


_DAY_AND_TIME: Final = re.compile(r" {1,2}\d{1,2} {1,2}(?:\d\d:\d\d|[12]\d{3})\b")


def _day_and_month(
    language: Language, text: str, digits: re.Match[str], before: str
) -> Reading | None:
    at = digits.start()
    found = _day_first(language).match(text, digits.end(), digits.end() + 48)
    if found is None or not _is_date(0, _months(language)[found["month"].lower()], int(digits[0])):
        return None
    name, end = found["month"], found.end()
    if language.code == "en" and not name[0].isupper():
        return None
    if not found["year"] and _DAY_AND_TIME.match(text, end):
        return None  # `ls -l`: "6 Nov 29 14:15", where the size goes before the date
    if name.endswith(".") and not found["year"] and _ends_sentence(text, end):
        end -= 1
    month = _months(language)[name.lower()]
    words = said_date(
        language, int(digits[0]), month, found["year"] or "", before=before, day_first=True
    )
    return Reading(at, end, words, DATES)


def _ends_sentence(text: str, at: int) -> bool:
    """Whether the point before this place is a full stop too."""
    rest = text[at : at + 3].lstrip()
    return not rest or rest[0].isupper() or rest[0] == "\n"


def _month_and_day(language: Language, text: str, at: int, before: str) -> Reading | None:
    """ "November 29, 2026", and "Nov 2026"."""
    named = _month_before(language).search(before)
    if named is None or (language.code == "en" and not named["month"][0].isupper()):
        return None
    month = _months(language)[named["month"].lower()]
    start = at - len(before) + named.start("month")
    if start and text[start - 1].isalnum():
        return None
    found = _MONTH_FIRST.match(text, at) if language.code == "en" else None
    if found is not None and _is_date(0, month, int(found["day"])):
        words = _american(language, int(found["day"]), month, found["year"] or "")
        return Reading(start, found.end(), words, DATES)
    found = _ENGLISH_YEAR.match(text, at)
    if found is None:
        return None
    name = _wide(language)[month]
    return Reading(start, found.end(), f"{name} {year(language, found['year'])}", DATES)
