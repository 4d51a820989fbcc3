"""Finds the numbers of a text, and asks the readers of each kind what they are.

The text is read once, from left to right, from digit to digit. At each the readers are asked in
turn; the first that knows what stands there says where it begins and ends. What no reader knows
("mp3", "COVID-19", "10.0.0.1") stays as it is. What was read has no digit left, so that reading it
again changes nothing. Whatever a reader looks at around a digit is bounded: the time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from typing import Final

from . import roman
from .codes import code_at
from .dates import date_at, is_before_month
from .figures import Language, Number, cardinal, language_of, number_at, said, sign_word
from .kinds import DATES, MONEY, NUMBERS, ORDINALS, ROMAN, TIMES, UNITS
from .money import money_at
from .number_words import LABELS
from .ordinals import ordinal_at
from .plain_numbers import (
    SUPERSCRIPTS,
    VULGAR,
    caret_at,
    decade_at,
    fraction_at,
    multiple_at,
    plain_at,
    point_at,
    scientific_at,
    superscript_at,
    vulgar_at,
)
from .readings import Reading, Spot
from .times import time_at
from .units import unit_at
from .words import word

_SIGNS: Final = "".join(VULGAR) + SUPERSCRIPTS
_ANCHOR: Final = re.compile(f"[0-9{_SIGNS}]")
_KINDS: Final = frozenset((NUMBERS, ORDINALS, MONEY, DATES, TIMES, UNITS))
_READERS: Final = (date_at, time_at, code_at)
_READERS_OF_QUANTITIES: Final = (money_at, ordinal_at)
_READERS_IF_KNOWN: Final = (caret_at, point_at, decade_at, fraction_at, scientific_at)

_LIST: Final = re.compile(r"(?:[0-9]+,){2,}(?=[0-9])")
_UNKNOWN: Final = re.compile(r"\w*(?:[-_.,:/@+'’]+\w+)*")
_GOES_ON: Final = re.compile(r"[.:/]\d|\w")
_RATIO: Final = re.compile(r"\d{1,4}:(?:\d{1,4}|\d{1,3}(?:[.,]\d{3})+)(?![\w:]|[.,]\d)")
_PREFIX: Final = re.compile(r"(?:^|[^\w])(?:mid|pre|post|early|late|anti)-\Z", re.IGNORECASE)
_CHAIN: Final = re.compile(r"-(?:in|to|by|on|of|for|and)-\Z")
"""Between two numbers: "3-to-1"."""
_BARE_CENTS: Final = re.compile(r"(?<![\w.])([$€£])\.(?=\d\d(?!\w|[.,]\d))")
_HYPHENS: Final = ("-", "\u2011", "−", "–")
_DASHES: Final = (*_HYPHENS, "—")
_BETWEEN: Final = {
    "+": "plus", "=": "equals", "×": "times", "÷": "divided", "−": "minus", "*": "times",
    "±": "plus-minus", "x": "by",
}  # fmt: skip
_IN_SUM: Final = {"-": "minus", "/": "divided"}
"""What they are before a result: "10 - 4 = 6"."""
_LEADS: Final = {
    "+": "plus", "±": "plus-minus", "~": "about", "≈": "about", "#": "number", "<": "less",
    ">": "more", "≤": "most", "≥": "least",
}  # fmt: skip
_LABEL: Final = re.compile(
    r"(?:^|(?<=[^\w.]))(?P<label>[^\W\d_]{1,6}\.º?|[nN][°ºo]s?|[№§]{1,2})[ \u00a0\u202f]?\Z"
)
_APOSTROPHE: Final = re.compile(r"(?:anni|ann[ée]es|años|anos|Jahre) ['’]\Z", re.IGNORECASE)
_SCORE: Final = re.compile(r"[A-ZÀ-Ý]\w+ \Z")
_TEAM: Final = re.compile(r" [A-ZÀ-Ý]")
_LEADING_ZERO: Final = re.compile(r"0\d")
_ARTICLE: Final = re.compile(r"\b[LRDA]\. ?\Z")
_LABEL_ENDS: Final = frozenset(" \u00a0\u202f.§№°ºo")


def spoken(text: str, lang: str, reads: Set[str]) -> str:
    """See `numbers.spoken`, which asks only for texts that may have numbers."""
    language = language_of(lang)
    if language is None:
        return text
    if ROMAN not in reads:
        text = roman.spoken(text, language)
    if reads >= _KINDS or not _ANCHOR.search(text):
        return text
    if language.decimal == ".":
        text = _BARE_CENTS.sub(r"\g<1>0.", text)
    return "".join(_parts(text, language, reads))


def _parts(text: str, language: Language, reads: Set[str]) -> Iterator[str]:
    """The parts of the new text, in order."""
    done = at = 0
    last: Reading | None = None
    """What was read just before, if it ends at `done`."""
    while found := _ANCHOR.search(text, at):
        at = found.start()
        reading = _reading(language, text, at, done, last)
        if reading is None or (reading.kind != DATES and _is_cut(text, reading.end)):
            at = _end_of_unknown(language, text, at)
            last = None
            continue
        if reading.kind in reads:
            yield text[done : reading.end]
            done = at = reading.end
            last = None
            continue
        gap = _joint(language, text, done, last, reading)
        yield f"{gap} " if gap[-1:].isalnum() and reading.words[:1].isalnum() else gap
        yield reading.words
        done = at = reading.end
        last = reading
        if text[done : done + 1] in (",", ".") and text[done + 1 : done + 2].isdecimal():
            # "1,2": without a space it would become one word.
            yield f"{text[done]} "
            done = at = done + 1
    yield text[done:]


def _is_cut(text: str, end: int) -> bool:
    """Whether what was read is only the beginning of a word."""
    follows = text[end : end + 1]
    is_word = follows.isalnum() or follows == "_"
    return is_word and not (_is_by(text, end) or text[end - 1] in " ,-")


def _is_by(text: str, at: int) -> bool:
    """Whether "x" and a digit stand here, as in "1920x1080"."""
    return text[at : at + 1] == "x" and text[at + 1 : at + 2].isdecimal()


def _joint(language: Language, text: str, done: int, last: Reading | None, reading: Reading) -> str:
    """What stands between two numbers, as words where it says how they belong together."""
    gap = text[done : reading.start]
    if last is None or not language.is_known:
        return gap
    sign = gap.strip()
    if gap == sign and sign in _HYPHENS and _is_code(language, text, last.start, reading.start):
        return f" {word(language.code, 'dash')} "
    if sign in _DASHES and (gap == sign or (sign in "–—" and last.kind == reading.kind)):
        return f" {language.word('to')} "
    if sign in _IN_SUM and gap != sign and _gives(language, text[reading.end : reading.end + 20]):
        return f" {language.word(_IN_SUM[sign])} "
    if sign == "x" and _gives(language, text[reading.end : reading.end + 20]):
        return f" {language.word('times')} "
    is_pair = sign == "x" and language.code == "pt" and _TEAM.match(text, reading.end)
    if is_pair and _SCORE.search(text, max(0, last.start - 24), last.start):
        return " a "
    if sign in _BETWEEN:
        return f" {language.word(_BETWEEN[sign])} "
    return f" {language.word('ratio')} " if gap == ":" else gap


def _gives(language: Language, behind: str) -> bool:
    """Whether the result of a sum follows; `tokens` may have said the sign."""
    return behind.lstrip().startswith(("=", f"{language.word('equals')} "))


def _is_code(language: Language, text: str, first: int, second: int) -> bool:
    """Whether two numbers with a hyphen are no range: "2024-0815", in French "L. 121-1"."""
    is_article = language.code == "fr" and _ARTICLE.search(text, max(0, first - 3), first)
    return bool(_LEADING_ZERO.match(text, second) or is_article)


def _end_of_unknown(language: Language, text: str, at: int) -> int:
    """Where the word or the chain ends that no reader knows."""
    number = number_at(language, text, at, at)
    found = _UNKNOWN.match(text, max(at, number[1] if number else at))
    return max(found.end() if found else 0, at + 1)


def _is_inside_word(language: Language, text: str, at: int, floor: int) -> bool:
    """Whether the digit belongs to a word: "mp3", "COVID-19", "x86_64", "v2"."""
    if at == floor:
        return False
    before = text[at - 1]
    if before == "x" and at - 1 == floor > 0:
        return False
    if text[max(floor, at - 3) : at].lower().endswith(("nº", "n.º")):
        return False
    if before in "_@\\" or before.isalnum() or text[max(floor, at - 2) : at] == "++":
        return True
    if at - 2 < floor or not (text[at - 2].isalnum() or text[at - 2] == "_"):
        return False
    if before == ".":
        label = _label(text, at, floor)
        return label is None or (
            len(label) == 2 and label.lower() not in LABELS.get(language.code, ())
        )
    if before == "-" and _CHAIN.search(text, max(floor - 1, 0, at - 10), at):
        return False
    return before in "-\u2011/" and not _PREFIX.search(text, max(floor, at - 7), at)


def _reading(
    language: Language, text: str, at: int, floor: int, last: Reading | None
) -> Reading | None:
    """What stands at this digit; None if no reader knows it."""
    char = text[at]
    if char in SUPERSCRIPTS:
        return superscript_at(language, text, at, floor) if language.is_known else None
    if _is_inside_word(language, text, at, floor):
        return None
    if char in VULGAR:
        return vulgar_at(language, text, at) if language.is_known else None
    if (found := _LIST.match(text, at)) and (reading := _list(language, found)):
        return reading
    number = number_at(language, text, at, floor)
    if number is None:
        return None
    before, follows = text[at - 1 : at] if at else "", text[number[1] : number[1] + 1]
    spot = Spot(language, text, at, *number, floor, before, follows)
    if not language.is_known and _is_unsure(spot):
        return None
    reading = _measured(spot, last)
    return reading and _with_sign(language, text, reading, floor)


def _is_unsure(spot: Spot) -> bool:
    """Whether a number in a language without tables may be a time, a price or a day."""
    number = spot.number
    if number.sign and number.sign != spot.language.decimal:
        return True
    if number.sign and len(number.decimals) == 2 and money_at(spot) is not None:
        return True
    return is_before_month(spot)


def _list(language: Language, found: re.Match[str]) -> Reading | None:
    """All but the last of "1,2,3", which is no large number in groups of three."""
    items = found[0].split(",")[:-1]
    if len(items[0]) <= 3 and all(len(item) == 3 for item in items[1:]):
        return None
    words = [
        said(language, Number(item)) if len(item) > 3 else cardinal(language, item)
        for item in items
    ]
    return Reading(found.start(), found.end(), ", ".join([*words, ""]), NUMBERS)


def _measured(spot: Spot, last: Reading | None) -> Reading | None:
    """Asks the readers of each kind in turn."""
    language = spot.language
    for reader in _READERS:
        if reading := reader(spot):
            return reading
    if spot.follows == "." and spot.text[spot.end + 1 : spot.end + 2].isdecimal():
        return None
    for reader in _READERS_OF_QUANTITIES:
        if reading := reader(spot):
            return reading
    if language.is_known:
        for reader in _READERS_IF_KNOWN:
            if reading := reader(spot):
                return reading
    after = last.noun if last is not None and spot.text[spot.floor : spot.at] == " " else ""
    if reading := unit_at(spot, after):
        return reading
    if language.is_known and (reading := multiple_at(spot)):
        return reading
    if _GOES_ON.match(spot.text, spot.end) and not _is_by(spot.text, spot.end):
        return _ratio(spot)
    return plain_at(spot)


def _ratio(spot: Spot) -> Reading | None:
    """The first number of "16:9"."""
    if spot.language.is_known and _RATIO.match(spot.text, spot.at):
        return Reading(spot.at, spot.end, cardinal(spot.language, spot.number.whole), NUMBERS)
    return None


def _with_sign(language: Language, text: str, reading: Reading, floor: int) -> Reading:
    """With what stands before it: minus, plus, "#", "No." and the like."""
    start, words = reading.start, reading.words
    if start <= floor:
        return reading
    before = text[start - 1]
    if before in " \u00a0" and start - 2 >= floor and text[start - 2] in "≥≤≈~±<>":
        before, start = text[start - 2], start - 1
    if before in "'’" and _APOSTROPHE.search(text[max(floor, start - 10) : start]):
        return reading._replace(start=start - 1)  # "anni '80"
    if before in _HYPHENS or before in _LEADS:
        if start - 1 == floor > 0:
            return reading  # "3-5": that is said by the joint
        if start - 2 >= floor and (text[start - 2].isalnum() or text[start - 2] in "-)_=+<>"):
            return reading
        key = "minus" if before in _HYPHENS else _LEADS[before]
        sign = sign_word(language, key)
        return reading._replace(start=start - 1, words=f"{sign} {words}") if sign else reading
    if before not in _LABEL_ENDS or not language.is_known:
        return reading
    label = _label(text, start, floor)
    word = LABELS[language.code].get(label.rstrip().lower()) if label else None
    if label is None or word is None:
        return reading
    word = word[0].upper() + word[1:] if label[0].isupper() else word
    return reading._replace(start=start - len(label), words=f"{word} {words}")


def _label(text: str, at: int, floor: int) -> str | None:
    """The abbreviation right before this place, with the space behind it."""
    start = max(floor, at - 12)
    found = _LABEL.search(text[start:at])
    return found[0] if found and (found.start() or start == floor) else None
