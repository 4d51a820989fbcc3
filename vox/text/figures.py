"""Numbers as words: cardinals, decimals, ordinals, years, fractions and single digits.

Owns num2words and how each language writes its numbers. Knows nothing of what the numbers mean.
What a library cannot say is read digit by digit: nothing raises.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..languages import primary
from .agreement import agreed
from .number_words import AND_A_HALF, FRACTIONS, LANGUAGES, SCALES, WORDS

_LONGEST = 15
"""A longer string of digits without groups is no quantity: it is read digit by digit."""
_MOST_DIGITS = 33
"""Of a grouped number; num2words does not name larger ones in every language."""
_SPACES = " \u00a0\u2009\u202f"
_LEFT_ALONE = frozenset("ja ko zh yue th km lo my bo".split())
"""Numbers stand among the words there without spaces, and counters change how they are read."""
_POINT_TAGS = frozenset(
    "es-mx es-us es-419 es-pr es-gt es-hn es-ni es-pa es-pe es-sv es-do".split()
)
"""Tags whose decimal sign is a point although that of their language is a comma."""


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """How one language writes and says numbers. There is one for each tag (`language_of`)."""

    tag: str
    code: str
    """The primary subtag."""
    name: str
    """What num2words calls it."""
    cldr: str
    """What CLDR calls it."""
    decimal: str
    group: str
    """Its signs, "," and "." or the other way round."""
    number: re.Pattern[str]
    """A number as it is written in this language."""
    is_known: bool
    """Whether we have tables for it; all others get what the libraries give."""

    def word(self, key: str) -> str:
        return WORDS[self.code][key]


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    whole: str
    """The digits before the decimal sign."""
    decimals: str = ""
    sign: str = ""
    """The decimal sign, "" if it is an integer."""
    is_grouped: bool = False

    @property
    def is_code(self) -> bool:
        """Whether it names something (007) instead of counting it."""
        leading = len(self.whole) > 1 and self.whole[0] == "0"
        longest = _MOST_DIGITS if self.is_grouped else _LONGEST
        return leading or len(self.whole) > longest

    @property
    def value(self) -> Decimal:
        """For plural forms alone: the last digits decide, so huge ones are cut."""
        return Decimal(f"{self.whole[-30:]}.{self.decimals[:30]}".rstrip("."))

    def is_one(self) -> bool:
        return self.whole == "1" and not self.sign


_DIGITS = re.compile("[0-9]+")


def _pattern(decimal: str, group: str, code: str) -> re.Pattern[str]:
    """A number: grouped, or plain, with decimals; also with the signs the other way round."""
    d, g = re.escape(decimal), re.escape(group)
    fixed = "[\u00a0\u2009\u202f]"
    spaced = f"[{_SPACES}]" if code in ("fr", "ru", "uk", "pl", "cs", "sk", "sv", "no") else fixed
    return re.compile(
        rf"(?P<foreign>[1-9]\d{{0,2}}(?:{d}\d{{3}})+){g}(?P<hundredths>\d{{1,2}})(?![\d]|[.,]\d)"
        rf"|(?P<grouped>[1-9]\d{{0,2}}(?:(?:{g}\d{{3}})+|(?:['’]\d{{3}})+|(?:{spaced}\d{{3}})+"
        rf"|(?: \d{{3}}){{2,}}|(?: \d00)|(?:{d}\d{{3}}){{2,}})(?!\d))(?:(?P<by>{d})(?P<part>\d+))?"
        r"|(?P<plain>\d+)(?:(?P<sign>[.,])(?P<decimals>\d+)(?![.,]?\d))?",
        re.ASCII,
    )


@functools.lru_cache(maxsize=64)
def language_of(tag: str) -> Language | None:
    """None: numbers in this language are left as they are."""
    tag = tag.replace("_", "-").lower() or "en"
    code = primary(tag)
    name = _library_name(tag, code)
    if name is None or code in _LEFT_ALONE:
        return None
    region = tag.rpartition("-")[2] if "-" in tag else ""
    cldr = f"{code}_{region.upper()}" if re.fullmatch("[a-z]{2}|[0-9]{3}", region) else code
    point = code in ("en", "he", "hi", "te", "kn", "bn", "am") or tag in _POINT_TAGS
    decimal, group = (".", ",") if point or tag.endswith("-ch") else (",", ".")
    pattern = _pattern(decimal, group, code)
    return Language(tag, code, name, cldr, decimal, group, pattern, code in LANGUAGES)


def _library_name(tag: str, code: str) -> str | None:
    from num2words import CONVERTER_CLASSES

    if code == "pt" and tag != "pt-pt":
        return "pt_BR"
    wanted = tag.partition("-")
    for name in (f"{code}_{wanted[2].upper()}", code):
        # Those of this release are wrong on "deux cents".
        if name in CONVERTER_CLASSES and name != "fr_CH":
            return str(name)
    return None


def number_at(language: Language, text: str, at: int, floor: int = 0) -> tuple[Number, int] | None:
    """The number that begins at this digit, and where it ends. `floor`: read before."""
    found = language.number.match(text, at)
    if found is None:
        return None
    if at > floor + 1 and text[at - 1] in ".," and text[at - 2].isdigit():
        # "1,2,3": what goes before it was no decimal number, so this is none either.
        plain = _DIGITS.match(text, at)
        return (Number(plain[0]), plain.end()) if plain else None
    if found["foreign"]:
        whole = "".join(_DIGITS.findall(found["foreign"]))
        return Number(whole, found["hundredths"], language.decimal, True), found.end()
    if found["grouped"]:
        whole = "".join(char for char in found["grouped"] if char.isdigit())
        return Number(whole, found["part"] or "", found["by"] or "", True), found.end()
    sign = found["sign"] or ""
    if sign == "," and language.decimal == ".":
        if len(found["decimals"]) == 2 and _is_of_euros(text, at, found.end()):
            return Number(found["plain"], found["decimals"], sign), found.end()
        # "pages 3,14": a list. A comma is no decimal sign here.
        return Number(found["plain"]), found.end("plain")
    return Number(found["plain"], found["decimals"] or "", sign), found.end()


_EURO = re.compile(f"[{_SPACES}]?(?:€|EUR\\b)")


def _is_of_euros(text: str, at: int, end: int) -> bool:
    """Prices in euros are written with a comma in English texts too: "3,20 €"."""
    return text[max(0, at - 2) : at].rstrip().endswith("€") or bool(_EURO.match(text, end))


def _converted(language: Language, number: Any, to: str) -> str | None:
    """What num2words makes of it; None if it cannot."""
    from num2words import num2words

    try:
        words = str(num2words(number, lang=language.name, to=to))
    except Exception:  # it raises whatever its languages' code happens to raise
        return None
    words = words.replace(",", "") if language.is_known else words
    if language.code == "es":
        # num2words 0.5.14 writes "treinta y uno mil".
        words = re.sub(r"\bveintiuno(?= mil)", "veintiún", words)
        words = re.sub(r"\buno(?= mil)", "un", words)
    if language.code == "it":
        # num2words 0.5.14 writes "centodicotto" and "centoventitre".
        words = re.sub(r"([aeiou])tre\b", r"\1tré", words.replace("dicotto", "diciotto"))
    return None if any(char.isdigit() for char in words) else " ".join(words.split())


def sign_word(language: Language, key: str) -> str:
    """ "minus" and its like; in a language without tables "minus" alone is known."""
    if language.is_known:
        return language.word(key)
    words, one = (_converted(language, n, "cardinal") or "" for n in (-1, 1))
    return words.removesuffix(one).strip() if key == "minus" else ""


@functools.lru_cache(maxsize=65_536)
def cardinal(language: Language, whole: str) -> str:
    return _converted(language, int(whole), "cardinal") or digits(language, whole)


@functools.lru_cache(maxsize=4096)
def ordinal(language: Language, whole: str, *, feminine: bool = False) -> str:
    """ "third"; in its basic form, for German "dritte"."""
    words = _converted(language, int(whole), "ordinal") if len(whole) <= 6 else None
    words = words or cardinal(language, whole)
    if not feminine:
        return words
    if language.code == "fr":
        return {"premier": "première"}.get(words, words)
    if language.code in ("es", "it", "pt"):
        return " ".join(w[:-1] + "a" if w.endswith("o") else w for w in words.split())
    return words


@functools.lru_cache(maxsize=4096)
def year(language: Language, whole: str) -> str:
    if language.code in ("en", "de") and len(whole) <= 4:
        return _converted(language, int(whole), "year") or cardinal(language, whole)
    return cardinal(language, whole)


@functools.lru_cache(maxsize=64)
def _names_of_digits(language: Language) -> dict[int, str]:
    """For `str.translate`: each with a space before it."""
    return {
        ord(digit): f" {_converted(language, int(digit), 'cardinal') or digit}"
        for digit in "0123456789"
    }


def in_threes(text: str) -> list[str]:
    """Groups of three digits; the last has up to four."""
    groups = [text[at : at + 3] for at in range(0, len(text), 3)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def digits(language: Language, text: str) -> str:
    """Digit by digit, with a comma between groups: those of the text, else threes."""
    names = _names_of_digits(language)
    groups = _DIGITS.findall(text)
    if len(groups) == 1 and len(text) > 6:
        groups = in_threes(text)
    return ",".join(groups).translate(names)[1:]


def _decimals(language: Language, part: str) -> str:
    """Read as a number where people do so ("virgule quatorze"), else digit by digit."""
    if language.code in ("fr", "es", "it", "pt") and len(part) <= 3:
        zeros = len(part) - len(part.lstrip("0"))
        words = [cardinal(language, "0")] * zeros
        return " ".join([*words, cardinal(language, part[zeros:])] if part[zeros:] else words)
    return part.translate(_names_of_digits(language))[1:]


def said(language: Language, number: Number, *, feminine: bool | None = None) -> str:
    """The number as words. `feminine`: the gender of the noun behind it, None if there is none."""
    if number.is_code:
        words = digits(language, number.whole)
    else:
        words = cardinal(language, number.whole)
        if feminine is not None and not number.sign:
            words = agreed(language.code, words, feminine=feminine)
    if not number.sign:
        return words
    if not language.is_known:
        value = Decimal(f"{number.whole}.{number.decimals[:20]}")
        said_whole = _converted(language, value, "cardinal")
        return said_whole or f"{words} {digits(language, number.decimals)}"
    point = language.word("comma" if number.sign == "," else "point")
    return f"{words} {point} {_decimals(language, number.decimals)}"


_MILLIONS = re.compile(
    r"(?:[mb]ill(?:i?ones|ón|ions?|iards?)|mili(?:oni|one|ardi|ardo)|[mb]ilh(?:ão|ões))\Z"
)


def joined(language: Language, words: str, name: str) -> str:
    """An amount and what is counted: "cinco millones de euros"."""
    if language.code not in ("fr", "es", "it", "pt") or not _MILLIONS.search(words):
        return f"{words} {name}"
    of = {"fr": "d'" if name[0] in "aeiouhéê" else "de ", "it": "di "}.get(language.code, "de ")
    return f"{words} {of}{name}"


def scaled(language: Language, number: Number, power: int) -> str:
    """ "three point five million": a number and one of the powers of ten that have names."""
    one, many = SCALES[language.code][power]
    if power == 3 and not number.sign and len(number.whole) <= 6:
        return cardinal(language, number.whole + "000")
    if power == 3 and language.code == "it":
        one = many = "mila"
    words = said(language, number, feminine=language.code == "de" and power > 3)
    if number.is_one() and power == 9 and language.code == "es":
        return one
    return f"{words} {one if number.is_one() else many}"


@functools.lru_cache(maxsize=1024)
def fraction(language: Language, over: int, under: int) -> str:
    """ "three quarters"; also for German, in which the words grow together."""
    code = language.code
    one, many = FRACTIONS[code].get(under) or _denominator(language, under)
    if over == 1:
        if code == "en":
            return f"one {one}"
        return f"{agreed(code, cardinal(language, '1'), feminine=False)} {one}"
    return f"{agreed(code, cardinal(language, str(over)), feminine=False)} {many}"


def _denominator(language: Language, under: int) -> tuple[str, str]:
    name = ordinal(language, str(under))
    if language.code == "de":
        name = f"{name[:-1]}el".capitalize()
        return name, name
    if language.code == "it":
        return name, f"{name[:-1]}i"
    if language.code in ("es", "pt") and under > 10:
        name = cardinal(language, str(under))
        return (name + "avo", name + "avos") if language.code == "es" else (f"{name} avos",) * 2
    return name, name + "s"


def mixed(language: Language, whole: str, over: int, under: int) -> str:
    """ "two and a half" of 2½."""
    words = cardinal(language, whole)
    if (over, under) == (1, 2):
        if language.code == "de":
            return agreed("de", words, feminine=False) + "einhalb"
        return f"{words} {AND_A_HALF[language.code]}"
    joint = "" if language.code == "de" else language.word("and") + " "
    return f"{words} {joint}{fraction(language, over, under)}"
