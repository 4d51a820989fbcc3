"""Roman numerals as words, behind a name or a word that takes one: "Henry VIII", "Kapitel III".

Nowhere else: a lone "I", "MIX" or "CD" is a word, and "Malcolm X" is no king.
"""

from __future__ import annotations

import re
from typing import Final

from .agreement import is_feminine
from .figures import Language, cardinal, ordinal
from .number_words import LANGUAGES
from .ordinals import german_ending
from .roman_names import (
    CENTURIES,
    FRENCH_SHORT,
    ITALIAN_SHORT,
    PARTS,
    RANKED,
    RULERS,
    SHORT_CENTURIES,
    TITLES,
)

_CANDIDATE: Final = re.compile(
    r"[ \u00a0](?P<roman>[IVXLCDM]{1,9})(?P<suffix>ers?|res?|ères?|es?|èmes?|\.)?(?!\w|-\w)"
)
_VALID: Final = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_SHORT: Final = frozenset(
    "Vol. vol. Ch. ch. Chap. chap. Art. art. Sec. sec. Pt. pt. Fig. fig.".split()
)
_VALUES: Final = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_FEMALE: Final = re.compile(
    r"Elizabeth|Elisabeth|Élisabeth|Isabel(?:la)?|Catherine|Catarina|Catalina|Caterina|Katharina|Mary"
    r"|Maria|María|Margaret|Margarethe|Juliana|Wilhelmina|Elisabetta|Cleopatra|Marie|Anna|Ana"
)
_FRENCH_CENTURY: Final = re.compile(
    r"(?<!\w)(?:(?P<first>I)(?:er|(?P<fem>[rè]re|re))s?|(?P<roman>[IVX]+)(?:[eè]mes?|es?|ᵉ))(?!\w)"
)
_ITALIAN_CENTURY: Final = re.compile(r"(?<!\w)(?P<roman>[IVX]+)(?= secolo\b)")
_ENGLISH_CENTURY: Final = re.compile(
    r"(?<!\w)(?:(?P<roman>[IVX]+)(?:th|st|nd|rd)?(?=(?:[ -]|th )century\b)|WW(?P<war>II?)(?!\w))"
)
_JOINTS: Final = frozenset(
    (" and", " or", " und", " oder", " bis", " et", " ou", " y", " o", " e", ",", " to", " –")
)
_GERMAN_RANK: Final = re.compile(
    r"(?<!\w)(?P<roman>[IVX]+)\."
    r"(?= (?P<noun>Weltkrieg|Jahrhundert|Quartal|Kapitel|Abschnitt|Akt|Teil|Republik|Reich)"
    r"(?:e?s)?\b)"
)
_QUOTES: Final = "([{\"'“„«‘*"
_I_GOES_ON: Final = re.compile(
    r" (?:am|was|have|had|will|would|can|could|did|do|read|wrote|write|love|like|think|thought|said"
    r"|know|knew|want|wanted|need|saw|see|got|get|went|shall|should|may|might|must|never|always|also|just"
    r"|really|still|found|find|bought|made|met|told|asked|gave|use|used|chose|prefer|liked|loved)\b"
)
_KING_ENDS: Final = re.compile(
    r"(?:$|[^\w\s]|\s*[.,;:!?)\]]| (?:of|reigned|ruled|died|became|and the)\b)"
)


def value_of(roman: str) -> int | None:
    """What it stands for; None if it is no numeral. The largest is 3999."""
    if not _VALID.fullmatch(roman):
        return None
    total = 0
    for at, char in enumerate(roman):
        value = _VALUES[char]
        larger = at + 1 < len(roman) and _VALUES[roman[at + 1]] > value
        total += -value if larger else value
    return total


def _ruler(language: Language, name: str, number: int) -> str:
    """ "the eighth", "der Vierzehnte", "quatorze", "sexto"."""
    code, digits = language.code, str(number)
    feminine = bool(_FEMALE.fullmatch(name))
    if code == "en":
        return f"the {ordinal(language, digits)}"
    if code == "de":
        return f"{'die' if feminine else 'der'} {ordinal(language, digits).capitalize()}"
    if code == "fr":
        return (
            ordinal(language, digits, feminine=feminine)
            if number == 1
            else cardinal(language, digits)
        )
    if code == "it" or number <= 10:
        return ordinal(language, digits, feminine=feminine)
    return cardinal(language, digits)


def _words(language: Language, text: str, found: re.Match[str]) -> str | None:
    """What this candidate is read as; None: it is no numeral here."""
    roman, suffix = found["roman"], found["suffix"] or ""
    before = text[max(0, found.start() - 40) : found.start()].split()
    if not before:
        return None
    name, title = before[-1].strip(_QUOTES), before[-2].strip(_QUOTES) if before[1:] else ""
    is_ruler = name in RULERS or (title in TITLES and name[:1].isupper())
    code = language.code
    is_century = name.lower() in CENTURIES.get(code, ())
    if not (is_ruler or is_century or name.lower() in PARTS[code] or name in _SHORT):
        return None
    number = value_of(roman)
    if number is None or number > 400:
        return None
    if is_ruler and number < 40:
        is_sure = (
            title in TITLES or suffix in ("er", "re", "ère", ".") or roman != "I" or code != "en"
        )
        if not is_sure and not _KING_ENDS.match(text, found.end("roman")):
            return None
        return _ruler(language, name, number)
    if is_century:
        rank = code == "it" or (code in ("es", "pt") and number <= 10)
        return ordinal(language, str(number)) if rank else cardinal(language, str(number))
    if len(roman) == 1 and roman not in "IVX":
        return None
    if roman == "I" and code == "en":
        rest = text[found.end("roman") : found.end("roman") + 12]
        if _I_GOES_ON.match(rest) or (name.islower() and rest[:1] == " "):
            return None
    return cardinal(language, str(number))


def spoken(text: str, language: Language) -> str:
    """The text with words for its Roman numerals. All others stay as they are."""
    if language.code not in LANGUAGES:
        return text
    if short := SHORT_CENTURIES.get(language.code):
        text = short[0].sub(short[1], text)
    if language.code == "it":
        text = ITALIAN_SHORT.sub(lambda found: f" secolo{_point(found)}", text)
    out: list[str] = []
    done = 0
    last = before = ""
    for found in _CANDIDATE.finditer(text):
        words = _words(language, text, found)
        if words is None and done and text[done : found.start()] in _JOINTS:
            # "chapters II and III"
            number = value_of(found["roman"]) if set(found["roman"]) <= set("IVX") else None
            is_rank = number and last and last == ordinal(language, str(value_of(before)))
            words = (ordinal if is_rank else cardinal)(language, str(number)) if number else None
        if words is None:
            continue
        last, before = words, found["roman"]
        suffix = found["suffix"] or ""
        end = (
            found.end("roman")
            if suffix == "." and not _takes_point(language, text, found)
            else found.end()
        )
        out += (text[done : found.start() + 1], words)
        done = end
    out.append(text[done:])
    text = "".join(out)
    return _centuries(language, text)


def _german_rank(language: Language, found: re.Match[str]) -> str:
    """ "Zweiter" of "II. Weltkrieg"."""
    number = value_of(found["roman"])
    if number is None:
        return found[0]
    before = found.string[max(0, found.start() - 24) : found.start()]
    return ordinal(language, str(number))[:-1] + german_ending(before, found["noun"])


def _point(found: re.Match[str]) -> str:
    """The point of an abbreviation that ends a sentence too."""
    return "." if found["more"] is None else ""


def _rank(language: Language, found: re.Match[str]) -> str:
    """ "segunda" of "la II Guerra Mundial"."""
    number = value_of(found["roman"])
    if number is None or number > 60:
        return found[0]
    if language.code == "es" and number > 10:
        return cardinal(language, str(number))
    words = ordinal(
        language, str(number), feminine=is_feminine(language.code, found["noun"].lower())
    )
    if language.code == "es" and words in ("primero", "tercero"):
        words = words[:-1]
    return words


def _takes_point(language: Language, text: str, found: re.Match[str]) -> bool:
    """Whether the point belongs to a German ordinal ("Ludwig XIV. war") and ends no sentence."""
    rest = text[found.end() : found.end() + 2]
    return language.code == "de" and bool(rest.strip()) and not rest.strip()[0].isupper()


def _centuries(language: Language, text: str) -> str:
    """ "XIXe siècle" and "XIX secolo"."""
    if language.code == "de":
        return _GERMAN_RANK.sub(lambda found: _german_rank(language, found), text)
    if ranked := RANKED.get(language.code):
        text = ranked.sub(lambda found: _rank(language, found), text)
    if language.code == "fr":
        text = FRENCH_SHORT.sub(lambda found: f" siècle{_point(found)}", text)
    patterns = {"fr": _FRENCH_CENTURY, "it": _ITALIAN_CENTURY, "en": _ENGLISH_CENTURY}
    pattern = patterns.get(language.code)
    if pattern is None:
        return text

    def words(found: re.Match[str]) -> str:
        parts = found.groupdict()
        if parts.get("war"):
            return f"World War {cardinal(language, str(len(parts['war'])))}"
        number = value_of(parts.get("first") or parts["roman"])
        if number is None or number > 40:
            return found[0]
        return ordinal(language, str(number), feminine=bool(parts.get("fem")))

    return pattern.sub(words, text)
