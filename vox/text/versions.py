"""Version numbers, as words: "v2.0.1" -> "version 2 point 0 point 1".

Owns how a version is told from a date, a decimal and a number with separators.
"""

from __future__ import annotations

import re

from .known import PRODUCTS, PRODUCTS_IN_CAPITALS
from .words import word

_PRODUCT = re.compile(r"([^\W\d][\w.+#-]*?)(?:[ ]|[ ]?(?:[<>=!~^]=?|===)[ ]?|-)(v ?)?\Z")
_TELEPHONE = re.compile(r"\d{3}\.\d{3}\.\d{4}")
_MARK = re.compile(r"([<>=!~^]=?|===) ?\Z")
_NUMBERS = re.compile(r"([vV]?)(\d+(?:\.(?:\d+|[x*]))*)")
_PARTS = re.compile(r"\d+|[^\W\d_]+|\+")
_FRENCH_TELEPHONE = re.compile(r"0\d(?:\.\d\d){4}")
_BEFORE_DAY = re.compile(r"\b(?:am|vom|dem|le|il|el|dia|geb\.|v\.) \Z", re.IGNORECASE)
_NAMES = {"a": "alpha", "b": "beta"}


def version(token: str, before: str, lang: str) -> str | None:
    """What is read for a version; None for any other number."""
    found = _NUMBERS.match(token)
    if found is None or _TELEPHONE.fullmatch(token):
        return None
    mark, numbers = found[1], found[2].split(".")
    suffix = token[found.end() :]
    if not (mark or suffix) and (_is_grouped(numbers) or _is_other(token, numbers, before, lang)):
        return None
    named = _is_named(before)
    if not (named or mark == "v" or (mark and len(numbers) > 1) or _is_version(numbers, suffix)):
        return None
    if mark and len(numbers) == 1 and suffix:
        return None
    if len(numbers) == 1 and not mark:
        return None
    said = f" {word(lang, 'point')} ".join(map(_number, numbers))
    for part in _PARTS.findall(suffix):
        said += f" {word(lang, 'plus') if part == '+' else _NAMES.get(part, part)}"
    if mark and not re.search(rf"\b{word(lang, 'version')} \Z", before, re.I):
        return f"{word(lang, 'version')} {said}"
    return f" {said}" if before[-1:] == "-" else said


def _is_other(token: str, numbers: list[str], before: str, lang: str) -> bool:
    """Whether it is a day ("am 23.2.25") or a French telephone number."""
    if lang[:2] == "fr" and _FRENCH_TELEPHONE.fullmatch(token):
        return True
    if len(numbers) != 3 or len(numbers[2]) != 2 or not _BEFORE_DAY.search(before):
        return False
    return "*" not in numbers and "x" not in numbers and _is_day(numbers)


def _is_day(numbers: list[str]) -> bool:
    return 1 <= int(numbers[0]) <= 31 and 1 <= int(numbers[1]) <= 12


def _is_named(before: str) -> bool:
    """Whether a product's name stands before it: "Python 3.11"."""
    found = _PRODUCT.search(before)
    return found is not None and (
        found[1].lower() in PRODUCTS
        or found[1] in PRODUCTS_IN_CAPITALS
        or _MARK.search(before) is not None
    )


def _is_grouped(numbers: list[str]) -> bool:
    """1.000.000, as a number is written in some languages."""
    return (
        len(numbers) > 1
        and 1 <= len(numbers[0]) <= 3
        and all(len(number) == 3 for number in numbers[1:])
    )


def _is_version(numbers: list[str], suffix: str) -> bool:
    """Whether numbers with dots are a version's by their form alone."""
    if suffix:
        return len(numbers) > 1
    if len(numbers) < 3:
        return numbers[-1] in ("x", "*") and len(numbers) > 1
    return not _is_date(numbers)


def _is_date(numbers: list[str]) -> bool:
    if len(numbers) != 3 or not all(map(str.isdigit, numbers)):
        return False
    first, second, third = map(int, numbers)
    if len(numbers[0]) == 4:  # 2024.05.12
        return 1500 <= first <= 2199 and 1 <= second <= 12 and 1 <= third <= 31
    is_day = 1 <= first <= 31 and 1 <= second <= 12
    if len(numbers[2]) == 4:
        return is_day and 1500 <= third <= 2199
    return is_day and [len(number) for number in numbers] == [2, 2, 2]


def _number(part: str) -> str:
    """Digits; one with a leading zero digit by digit: "04" of "22.04"."""
    if part == "*":
        return "x"
    return " ".join(part) if len(part) > 1 and part[0] == "0" else part
