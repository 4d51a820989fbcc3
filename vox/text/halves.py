"""Halves agree with what is halved: "media hora", "ein halbes Kilo", "deux heures et demie"."""

from __future__ import annotations

import re
from typing import Final

from .agreement import agreed, is_feminine
from .figures import Language, cardinal, ordinal
from .number_words import AND_A_HALF

_HALF: Final = {
    "es": ("medio", "media"),
    "it": ("mezzo", "mezza"),
    "pt": ("meio", "meia"),
    "fr": ("un demi", "une demi"),
}
_ITALIAN: Final = {"ore": "ora", "tazze": "tazza", "cucchiai": "cucchiaio", "litri": "litro"}
_GERMAN_FEMININE: Final = re.compile(
    r"(?:\w*(?:[Zz]wiebel|[Ss]emmel|[Kk]artoffel)|Milliarde|Million)"
)
_GERMAN_NEUTER: Final = re.compile(
    r"\w*(?:gramm|byte|bit|watt|volt|hertz|chen|lein|[Pp]fund|[Jj]ahr|Dutzend|[Gg]las|[Pp]aket|Kilo|Prozent"
    r"|[Bb]rot|[Hh]uhn|[Ss]tück|[Bb]latt)"
)
_GERMAN_MASCULINE: Final = re.compile(
    r"(?:EL|TL)|\w*(?:liter|Liter|meter|Meter|löffel|Löffel|[Tt]ag|[Mm]onat|[Bb]echer|[Aa]pfel|Zoll"
    r"|Grad|[Ww]ürfel|[Kk]opf)"
)


def half_of(language: Language, noun: str) -> str | None:
    """ "1/2" before this noun; None if its gender is not known."""
    code = language.code
    if code != "de":
        return _HALF[code][is_feminine(code, noun)] if code in _HALF else None
    if _GERMAN_MASCULINE.fullmatch(noun):
        return "ein halber"
    if _GERMAN_NEUTER.fullmatch(noun):
        return "ein halbes"
    if is_feminine("de", noun) or _GERMAN_FEMININE.fullmatch(noun):
        return "eine halbe"
    return None


def and_a_half(language: Language, whole: str, noun: str) -> str | None:
    """ "deux heures et demie": in these languages the half comes behind the noun."""
    code = language.code
    if code not in _HALF:
        return None
    if whole == "1":
        noun = _ITALIAN.get(noun, noun) if code == "it" else noun.removesuffix("s")
        if code == "it" and noun[-1] in "ei":
            return None
    feminine = is_feminine(code, noun.split()[0])
    words = agreed(code, cardinal(language, whole), feminine=feminine)
    half = AND_A_HALF[code]
    if feminine:
        half += "e" if code == "fr" else ""
        half = half if code == "fr" else f"{half[:-1]}a"
    return f"{words} {noun} {half}".replace("una ora", "un'ora")


def parts(language: Language, over: int, under: int) -> str | None:
    """ "tres cuartas" of "3/4 partes"."""
    if language.code not in ("es", "pt") or not 3 <= under <= 10:
        return None
    words = agreed(language.code, cardinal(language, str(over)), feminine=True)
    name = ordinal(language, str(under), feminine=True)
    name = "terça" if name == "terceira" else name
    return f"{words} {name}{'s' if over > 1 else ''}"
