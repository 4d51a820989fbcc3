"""Numbers that stand for themselves as words: cardinals, years, fractions, powers, multiples.

Owns how they are told apart by what stands around them; `figures` makes the words.
"""

from __future__ import annotations

import re
from typing import Final

from .agreement import agreed, article_of, is_feminine, noun_behind
from .figures import Language, Number, cardinal, digits, fraction, mixed, said, scaled, year
from .halves import and_a_half, half_of, parts
from .kinds import NUMBERS, UNITS
from .number_words import SCALE_NAMES
from .readings import Reading, Spot
from .unit_names import CLDR
from .units import unit_behind

VULGAR: Final = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5),
    "⅗": (3, 5), "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅐": (1, 7), "⅛": (1, 8), "⅜": (3, 8),
    "⅝": (5, 8), "⅞": (7, 8), "⅑": (1, 9), "⅒": (1, 10),
}  # fmt: skip
SUPERSCRIPTS: Final = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_POWER: Final = re.compile(
    rf"(?:\^(?P<minus>[-−])?(?P<up>\d{{1,6}})(?![\w.,]\d|\w)|(?P<sup>⁻?[{SUPERSCRIPTS}]{{1,6}})(?!\w))"
)
_VARIABLE: Final = re.compile(r"(?:^|[^\w])([^\W\d_]{1,2})\Z")
_CARET: Final = re.compile(r"(?:(?<=[^\W\d_])(?<!\w{3})|(?<=\)))\^(?P<minus>[-−])?\Z")
_POINT: Final = re.compile(r"(?:^|[\s(<>=≈~+−-])\.\Z")
_GOES_ON: Final = re.compile(r"[.,]?\d|\w")
_EXPONENT: Final = re.compile(r"[eE](?P<sign>[-−+])?(?P<power>\d{1,4})(?!\w|\.\d)")
_TIMES_TEN: Final = re.compile(
    r"[ \u00a0]?[×x·][ \u00a0]?10"
    rf"(?:\^(?P<sign>[-−])?(?P<power>\d{{1,4}})|(?P<minus>⁻)?(?P<sup>[{SUPERSCRIPTS}]{{1,4}}))(?!\w)"
)
_FRACTION: Final = re.compile(r"(?P<over>\d{1,4})[/⁄](?P<under>\d{1,4})(?![\w/]|[.,]\d)")
_RATING: Final = re.compile(r"/(\d{1,3})(?![\w/]|[.,]\d)")
_MIXED: Final = re.compile(
    r"[ \u00a0](?P<over>\d{1,2})[/⁄](?P<under>\d{1,2})(?![\w/]|[.,]\d)"
    rf"|[ \u00a0\u2009\u202f]?(?P<sign>[{''.join(VULGAR)}])"
)
_PAGE: Final = re.compile(
    r"\b(?:[Pp]age|[Ss]lide|[Ss]eite|Blatt|Teil|Folie|Schritt|Partie|[Pp]arte"
    r"|[Pp][áa]gina|[Ff]oglio) \Z"
)
_SEASON: Final = re.compile(
    r"\b(?:WS|SS|Saison|[Ss]aison|season|[Tt]emporada|[Ss]tagione|Schuljahr) \Z"
)
_DECADE: Final = re.compile(r"[’']?s(?!\w)")
_GERMAN_DECADE: Final = re.compile(r"er(?:(?P<joint>-)(?=\w)|(?P<dative>n)?(?!\w))")
_HUNDREDS: Final = re.compile(r"s(?= of\b)")
_YEAR: Final = re.compile(r"[12]\d{3}(?![\w%°])")
_YEAR_BEFORE: Final = re.compile(
    r"(?:\b(?:in|since|by|from|until|till?|of|years?|around|circa|before|after|spring|summer|autumn"
    r"|fall|winter|late|early|mid|ad|copyright|born|died|during|between|im jahre?|seit|anno|q[1-4]"
    r"|and|und|to|bis)[ -]?|[(©–-] ?)\Z",
    re.IGNORECASE,
)
_NOUN_BEHIND: Final = re.compile(
    r"[ \u00a0](?!(?:was|is|has|as|its|this|less|unless|plus|does|yes|us|thus|across|always|perhaps"
    r"|besides|towards|works|means|shows|remains)\b)(?:[a-z]+s|people|men|women|children|feet)\b"
)
_GERMAN_NOUN: Final = re.compile(r"[ \u00a0][A-ZÄÖÜ][a-zäöüß]+(?:e|en|n|er|s)\b")
_MULTIPLE: Final = re.compile(r"[x×](?!\w| ?[=+*/^²³]| [-−] | (?:plus|equals) )")
_MORE: Final = re.compile(r"\+(?![\w+])")
_SCALE: Final = re.compile(r"(?P<sign>[kKM]|bn|B(?= [a-z]))(?!\w|[/-]\w)")
_WORD_SCALE: Final = {
    code: re.compile(
        "[ \u00a0](?P<word>"
        + "|".join(re.escape(n) for n in sorted(names, key=len, reverse=True))
        + r")(?!\w)"
    )
    for code, names in SCALE_NAMES.items()
}
_SPELT_SCALES: Final = frozenset(
    "Mio. Mio Mrd. Mrd Tsd. mn mln bn bln tn Md Mds mld mrd mi bi".split()
)
_LEADS_DECADE: Final = re.compile(
    r"(?:\b(?:the|his|her|my|their|our|your|mid|early|late)[ -]|[’'])\Z"
)


def powers_of(text: str) -> str:
    """Plain digits of superscripts."""
    return "".join(str(SUPERSCRIPTS.index(char)) for char in text if char in SUPERSCRIPTS)


def power_words(language: Language, power: str, *, minus: bool = False) -> str:
    if power in ("2", "3") and not minus:
        return language.word("squared" if power == "2" else "cubed")
    sign = f"{language.word('minus')} " if minus else ""
    return f"{language.word('power')} {sign}{cardinal(language, power)}"


def superscript_at(language: Language, text: str, at: int, floor: int) -> Reading | None:
    """ "x²": a superscript behind a letter that stands alone, or behind a bracket."""
    found = _POWER.match(text, at)
    variable = _VARIABLE.search(text[max(floor, at - 3) : at])
    letters = variable[1] if variable else ""
    is_unit = letters + text[at] in CLDR or (len(letters) > 1 and letters in CLDR)
    alone = bool(letters) and not is_unit
    if found is None or not found["sup"] or not (alone or (at > 0 and text[at - 1] in ")]")):
        return None
    words = power_words(language, powers_of(found["sup"]), minus=found["sup"][0] == "⁻")
    return Reading(at, found.end(), f" {words}", NUMBERS)


def caret_at(spot: Spot) -> Reading | None:
    """ "x^2": a power of a letter or of what stands in brackets."""
    if spot.before not in ("^", "-", "−") or spot.number.sign:
        return None
    found = _CARET.search(spot.back(6))
    if found is None:
        return None
    words = power_words(spot.language, spot.number.whole, minus=bool(found["minus"]))
    return Reading(spot.at - len(found[0]), spot.end, f" {words}", NUMBERS)


def point_at(spot: Spot) -> Reading | None:
    """ ".5": decimals alone, where the decimal sign is a point."""
    language, number = spot.language, spot.number
    if spot.before != "." or language.decimal != "." or number.sign or number.is_grouped:
        return None
    if not _POINT.search(spot.back(2)) or _GOES_ON.match(spot.text, spot.end):
        return None
    words = said(language, Number("0", number.whole, "."))
    return Reading(spot.at - 1, spot.end, words, NUMBERS)


def vulgar_at(language: Language, text: str, at: int) -> Reading | None:
    over, under = VULGAR[text[at]]
    return _fraction(language, text, at, at + 1, over, under)


def _fraction(language: Language, text: str, at: int, end: int, over: int, under: int) -> Reading:
    """A fraction, in agreement with what stands behind it."""
    words, noun = fraction(language, over, under), noun_behind(language.code, text, end)
    if noun in ("parte", "partes"):
        words = parts(language, over, under) or words
    unit = unit_behind(language, text, end, Number("1"))
    if unit is not None and "{0}" in unit.words:
        noun = unit.words.replace("{0}", "").split()[0]
    if (over, under) == (1, 2) and noun:
        words = half_of(language, noun) or words
    return _of_unit(language, text, at, end, words, Number("1"))


def _mixed(spot: Spot, end: int, over: int, under: int) -> Reading:
    language, text, at, whole = spot.language, spot.text, spot.at, spot.number.whole
    several = Number(whole, "5", ".")
    if (over, under) == (1, 2):
        unit = unit_behind(language, text, end, Number("1") if whole == "1" else several)
        noun = unit.words.replace("{0}", "").strip() if unit else ""
        noun = noun or noun_behind(language.code, text, end) or ""
        if noun and (words := and_a_half(language, whole, noun)):
            return Reading(at, unit.end if unit else end + 1 + len(noun), words, NUMBERS)
    return _of_unit(language, text, at, end, mixed(language, whole, over, under), several)


def _of_unit(
    language: Language, text: str, at: int, end: int, words: str, number: Number
) -> Reading:
    """The fraction, with the unit behind it if there is one."""
    unit = unit_behind(language, text, end, number)
    if unit is None or "{0}" not in unit.words:
        return Reading(at, end, words, NUMBERS)
    return Reading(at, unit.end, unit.words.replace("{0}", words), UNITS, unit.noun)


def _is_part(over: int, under: int) -> bool:
    """Whether it is a fraction, and no count of what is done: "45/100"."""
    return under <= 10 or under in (12, 16, 32, 64) or (over, under) == (1, 100)


def fraction_at(spot: Spot) -> Reading | None:
    """ "3/4", "2½", "1 1/2", "24/7", "15/20"."""
    language, text, at, number = spot.language, spot.text, spot.at, spot.number
    if number.sign and (found := _RATING.match(text, spot.end)):
        words = f"{said(language, number)} {language.word('of')} {cardinal(language, found[1])}"
        return Reading(at, found.end(), words, NUMBERS)
    if number.sign or number.is_code:
        return None
    if found := _MIXED.match(text, spot.end):
        pair = VULGAR[found["sign"]] if found["sign"] else (int(found["over"]), int(found["under"]))
        if 0 < pair[0] < pair[1] <= 20:
            return _mixed(spot, found.end(), *pair)
    found = _FRACTION.match(text, at) if spot.follows in ("/", "⁄") else None
    if found is None:
        return None
    over, under = int(found["over"]), int(found["under"])
    is_part = 0 < over < under and spot.before != "[" and _is_part(over, under)
    if is_part and not _PAGE.search(spot.back(9)):
        return _fraction(language, text, at, found.end(), over, under)
    words = _with_slash(spot, found["over"], found["under"])
    return Reading(at, found.end(), words, NUMBERS)


def _with_slash(spot: Spot, over: str, under: str) -> str:
    """ "2023/24", "24/7", "15/20", "445/2000", "page 3/10"."""
    language, number, other = spot.language, int(over), int(under)
    first, second = cardinal(language, over), cardinal(language, under)
    both = f"{first} {second}"
    is_next = number % 100 + 1 == other % 100
    if len(over) == 4 and is_next and len(under) != 3:
        return f"{year(language, over)} {year(language, under)}"  # a season or a school year
    if (number, other) in ((24, 7), (9, 11), (50, 50), (20, 20)):
        return both
    if is_next and _SEASON.search(spot.back(11)):
        return both
    if under[0] == "0" and len(under) > 1:
        return f"{first} {language.word('slash')} {digits(language, under)}"
    is_file = len(under) == 4 and 1900 <= other < 2100 and language.code != "en"
    if number <= other and not is_file:
        return f"{first} {language.word('of')} {second}"
    return f"{first} {language.word('slash')} {year(language, under) if is_file else second}"


def decade_at(spot: Spot) -> Reading | None:
    """ "1990s", "the 90s", "'90s", "90er", "100s of"."""
    language, text, at, number = spot.language, spot.text, spot.at, spot.number.whole
    if spot.number.sign or spot.follows not in ("s", "e", "'", "’"):
        return None
    is_short = len(number) == 2 and number[1] == "0" and number[0] != "0"
    is_decade = is_short or (len(number) == 4 and number[0] in "12" and number[3] == "0")
    if language.code == "de" and is_decade and (found := _GERMAN_DECADE.match(text, spot.end)):
        ending = f"er{found['joint'] or found['dative'] or ''}"
        return Reading(at, found.end(), year(language, number) + ending, NUMBERS)
    if language.code != "en":
        return None
    if number in ("100", "1000", "1000000") and (found := _HUNDREDS.match(text, spot.end)):
        words = cardinal(language, number).rpartition(" ")[2] + "s"
        return Reading(at, found.end(), words, NUMBERS)
    found = _DECADE.match(text, spot.end)
    led = _LEADS_DECADE.search(spot.back(8))
    if found is None or not is_decade or (is_short and not led):
        return None
    start = at - 1 if is_short and spot.before in "’'" else at
    return Reading(start, found.end(), _plural(year(language, number)), NUMBERS)


def _plural(words: str) -> str:
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def scientific_at(spot: Spot) -> Reading | None:
    """ "1.5e10", "3 × 10⁸", "10^6", "5²"."""
    if spot.follows not in _BEFORE_POWER:
        return None
    language, text, at, end = spot.language, spot.text, spot.at, spot.end
    if found := (_EXPONENT.match(text, end) or _TIMES_TEN.match(text, end)):
        groups = found.groupdict()
        power = groups["power"] or powers_of(groups["sup"] or "")
        minus = bool(groups.get("minus")) or (groups["sign"] or "+") in "-−"
        words = f"{said(language, spot.number)} {language.word('times')} {language.word('ten')}"
        return Reading(
            at, found.end(), f"{words} {_exponent(language, power, minus=minus)}", NUMBERS
        )
    if found := _POWER.match(text, end):
        power = found["up"] or powers_of(found["sup"])
        minus = bool(found["minus"]) or (found["sup"] or "").startswith("⁻")
        words = f"{said(language, spot.number)} {power_words(language, power, minus=minus)}"
        return Reading(at, found.end(), words, NUMBERS)
    return None


_BEFORE_POWER: Final = frozenset(f"eE ×x·^\u00a0⁻{SUPERSCRIPTS}")


def _exponent(language: Language, power: str, *, minus: bool) -> str:
    sign = f"{language.word('minus')} " if minus else ""
    return f"{language.word('power')} {sign}{cardinal(language, power.lstrip('0') or '0')}"


def multiple_at(spot: Spot) -> Reading | None:
    """ "3x", "10k", "2M", "5 Mio."; None if no such thing stands behind the number."""
    if spot.follows not in _BEFORE_MULTIPLE:
        return None
    language, text, at, number, end = spot.language, spot.text, spot.at, spot.number, spot.end
    if found := _MULTIPLE.match(text, end):
        if language.code == "de" and number.is_one():
            return Reading(at, found.end(), "einmal", NUMBERS)
        feminine = True if language.code in ("es", "fr", "it", "pt") else None
        words = said(language, number, feminine=feminine)
        one = number.is_one() and language.code in ("es", "it", "pt", "en")
        fold = {"es": "vez", "it": "volta", "pt": "vez", "en": "time"}[language.code] if one else ""
        return Reading(at, found.end(), f"{words} {fold or language.word('fold')}", NUMBERS)
    if found := _MORE.match(text, end):
        words = f"{said(language, number)} {language.word('plus')}"
        return Reading(at, found.end(), words, NUMBERS)
    if found := _SCALE.match(text, end):
        # "4K" and "8K" are sizes of screens.
        if found["sign"] == "K" and number.whole in ("2", "4", "5", "8") and not number.sign:
            return None
        words = scaled(language, number, {"M": 6, "B": 9, "bn": 9}.get(found["sign"], 3))
        return Reading(at, found.end(), words, NUMBERS)
    found = _WORD_SCALE[language.code].match(text, end, end + 16)
    if found is None:
        return None
    power, one = SCALE_NAMES[language.code][found["word"]], number.is_one()
    if found["word"] in _SPELT_SCALES:
        return Reading(at, found.end(), scaled(language, number, power), NUMBERS)
    feminine = one and language.code == "de" and power > 3
    if power == 3 and language.code == "pt" and (noun := noun_behind("pt", text, found.end())):
        words = agreed("pt", said(language, number), feminine=is_feminine("pt", noun))
        return Reading(at, found.end("word") - len(found["word"]) - 1, words, NUMBERS)
    words = said(language, number, feminine=feminine if one else None)
    if (one and language.code != "en") or language.code == "es":
        words = said(language, number, feminine=feminine)
    return Reading(at, found.end("word") - len(found["word"]) - 1, words, NUMBERS)


_BEFORE_MULTIPLE: Final = frozenset("x×+kKMBb \u00a0")


def is_year(spot: Spot) -> bool:
    """Whether four digits are a year: by the words before and behind them."""
    language, text, at, number = spot.language, spot.text, spot.at, spot.number
    if number.sign or number.is_grouped or len(number.whole) != 4 or number.whole[0] not in "12":
        return False
    value = int(number.whole)
    if not 1100 <= value <= 2099 or not _YEAR.match(text, at):
        return False
    if value % 1000 and _YEAR_BEFORE.search(spot.back(14)):
        return True
    behind = _GERMAN_NOUN if language.code == "de" else _NOUN_BEHIND
    return value >= 1500 and not behind.match(text, at + 4, at + 28)


def plain_at(spot: Spot) -> Reading:
    """The number by itself, in agreement with a noun behind it."""
    language, number, end = spot.language, spot.number, spot.end
    if language.is_known and is_year(spot):
        return Reading(spot.at, end, year(language, number.whole), NUMBERS)
    feminine = None
    if language.code == "de" and spot.follows == "-" and _GERMAN_SUFFIX.match(spot.text, end):
        words = said(language, number, feminine=False)
        return Reading(spot.at, end + 1, words, NUMBERS)
    if not number.sign and (noun := noun_behind(language.code, spot.text, end)):
        feminine = is_feminine(language.code, noun)
        if language.code == "it" and number.is_one() and _ITALIAN_UNO.match(noun):
            feminine = None
        if language.code == "it" and feminine and number.is_one() and noun[0] in "aeiou":
            return Reading(spot.at, end + 1, "un'", NUMBERS)
    if language.code == "de" and number.is_one() and (article := article_of(spot.text, spot.at)):
        return Reading(spot.at, end, article, NUMBERS)
    return Reading(spot.at, end, said(language, number, feminine=feminine), NUMBERS)


_GERMAN_SUFFIX: Final = re.compile(
    r"-(?=(?:mal|fach|jährig|stellig|stöckig|tägig|stündig|minütig|teilig|köpfig|prozentig|seitig"
    r"|monatig|wöchig|sekündig|stufig|spurig|türig|zeilig|silbig|malig|gradig)(?:e[nrsm]?)?\b)"
)
_ITALIAN_UNO: Final = re.compile(r"(?:z|s[bcdfglmnpqrtvz]|gn|ps|x|y)[a-z]*[oe]\b")
