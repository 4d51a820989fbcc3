"""Amounts of money as words: "$5.50", "3,20 €", "5 USD", "US$3.5 million".

Names of currencies and their plural forms are CLDR's, but for those that people call by a shorter
name where they write only the sign: "$5" is five dollars, "5 USD" five US dollars.
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import Final

from .agreement import is_attribute, is_feminine
from .figures import Language, Number, joined, number_at, said, scaled
from .kinds import MONEY
from .number_words import SCALE_NAMES, SCALE_SIGNS
from .readings import Reading, Spot
from .units import per_behind

_SIGNS: Final = {
    "$": "$", "€": "EUR", "£": "£", "¥": "¥", "₹": "₹", "₩": "KRW", "₽": "RUB", "₺": "TRY",
    "₴": "UAH", "₪": "ILS", "₫": "VND", "฿": "THB", "₱": "PHP", "₦": "NGN", "₿": "BTC", "¢": "¢",
    "R$": "R$", "$ US": "USD", "US$": "USD", "U$S": "USD", "C$": "CAD", "CA$": "CAD", "A$": "AUD",
    "AU$": "AUD",
    "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "MX$": "MXN", "zł": "PLN", "Kč": "CZK", "Fr.": "CHF",
    "SFr.": "CHF", "CN¥": "CNY", "JP¥": "JPY", "Rs.": "₹",
}  # fmt: skip
_CODES: Final = (
    "USD EUR GBP JPY CHF CAD AUD NZD CNY HKD SGD INR BRL MXN SEK NOK DKK PLN CZK HUF RUB TRY ILS "
    "KRW ZAR THB UAH RON BGN ARS CLP COP PEN IDR MYR PHP VND AED SAR EGP NGN KES MAD BTC"
).split()
_NAMES: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "en": {"$": ("dollar", "dollars"), "£": ("pound", "pounds"), "¥": ("yen", "yen"),
           "₹": ("rupee", "rupees"), "R$": ("real", "reais"), "BTC": ("bitcoin", "bitcoins")},
    "de": {"$": ("Dollar", "Dollar"), "£": ("Pfund", "Pfund"), "¥": ("Yen", "Yen"),
           "₹": ("Rupie", "Rupien"), "R$": ("Real", "Reais"), "BTC": ("Bitcoin", "Bitcoin")},
    "fr": {"$": ("dollar", "dollars"), "£": ("livre", "livres"), "¥": ("yen", "yens"),
           "₹": ("roupie", "roupies"), "R$": ("real", "réaux"), "BTC": ("bitcoin", "bitcoins")},
    "es": {"$": ("dólar", "dólares"), "£": ("libra", "libras"), "¥": ("yen", "yenes"),
           "₹": ("rupia", "rupias"), "R$": ("real", "reales"), "BTC": ("bitcóin", "bitcoines")},
    "it": {"$": ("dollaro", "dollari"), "£": ("sterlina", "sterline"), "¥": ("yen", "yen"),
           "₹": ("rupia", "rupie"), "R$": ("real", "reais"), "BTC": ("bitcoin", "bitcoin")},
    "pt": {"$": ("dólar", "dólares"), "£": ("libra", "libras"), "¥": ("iene", "ienes"),
           "₹": ("rupia", "rupias"), "R$": ("real", "reais"), "BTC": ("bitcoin", "bitcoins")},
}  # fmt: skip
_CLDR: Final = {"$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR", "R$": "BRL"}
_CENTS: Final[dict[str, tuple[str, str]]] = {
    "en": ("cent", "cents"), "de": ("Cent", "Cent"), "fr": ("centime", "centimes"),
    "es": ("céntimo", "céntimos"), "it": ("centesimo", "centesimi"), "pt": ("centavo", "centavos"),
}  # fmt: skip
_OTHER_CENTS: Final[dict[tuple[str, str], tuple[str, str]]] = {
    ("en", "£"): ("penny", "pence"), ("en", "R$"): ("centavo", "centavos"),
    ("en", "MXN"): ("centavo", "centavos"), ("en", "CHF"): ("centime", "centimes"),
    ("en", "₹"): ("paisa", "paise"), ("de", "£"): ("Penny", "Pence"),
    ("de", "CHF"): ("Rappen", "Rappen"), ("fr", "$"): ("cent", "cents"),
    ("fr", "£"): ("penny", "pence"), ("es", "$"): ("centavo", "centavos"),
    ("es", "£"): ("penique", "peniques"), ("es", "MXN"): ("centavo", "centavos"),
    ("es", "R$"): ("centavo", "centavos"), ("it", "£"): ("penny", "pence"),
    ("pt", "£"): ("péni", "pence"), ("pt-pt", "EUR"): ("cêntimo", "cêntimos"),
    ("pt", "EUR"): ("cêntimo", "cêntimos"), ("it", "$"): ("centesimo", "centesimi"),
}  # fmt: skip
_SAME: Final = {"USD": "$", "CAD": "$", "AUD": "$", "NZD": "$", "HKD": "$", "SGD": "$", "GBP": "£",
                "BRL": "R$", "INR": "₹"}  # fmt: skip


def _any(words: object) -> str:
    return "|".join(re.escape(w) for w in sorted(words, key=len, reverse=True))  # type: ignore[call-overload]


_SPACE: Final = "[ \u00a0\u202f\u2009]"
_BEFORE: Final = re.compile(
    r"(?:(?<![\w.])|(?=[$€£¥₹₩₽₺₴₪₫฿₱₦₿¢]))"
    rf"(?P<sign>[-−–])?(?P<what>{_any([*_SIGNS, *_CODES])}){_SPACE}?(?P<inner>[-−–])?\Z"
)
_NO_CENTS: Final = re.compile(r"[.,](?:[-–—]{1,2})(?![\w-])")
"""Behind a round amount: "20.-", "20,– €"."""
_LOOK_BACK: Final = 9
_LOOK_AHEAD: Final = 32
_MARKS: Final = frozenset("$€£¥₹₩₽₺₴₪₫฿₱₦₿¢złKčDRYFKPNCLBSs.-−–\u00a0\u202f ")
_AFTER: Final = re.compile(
    rf"{_SPACE}?(?P<what>{_any([*_CODES, *(s for s in _SIGNS if s not in ('Rs.',))])})(?!\w)"
)
_SCALE: Final = {
    code: re.compile(
        rf"(?P<sign>bn|[kKMBTmb])(?![\w])|{_SPACE}?(?P<short>[kM]|Md)(?={_SPACE}?[€$£])"
        rf"|[ \u00a0\u202f-](?P<word>{_any(names)})(?![\w])"
    )
    for code, names in SCALE_NAMES.items()
}


@functools.lru_cache(maxsize=4096)
def _name(language: Language, currency: str, value: Decimal) -> str:
    """The currency's name, in the form that this value takes."""
    own = _NAMES.get(language.code, {}).get(currency)
    if own is not None:
        one = value == 1 or (language.code in ("fr", "pt") and abs(value) < 2)
        return own[0] if one else own[1]
    from babel.numbers import get_currency_name

    try:
        code = _CLDR.get(currency, currency)
        name = get_currency_name(code, value, locale=_locale(language))
    except Exception:  # an unknown locale, or data that it lacks
        return currency
    if language.code == "pt":
        return name.lower()
    return name


def _locale(language: Language) -> str:
    from babel import Locale
    from babel.core import UnknownLocaleError

    try:
        Locale.parse(language.cldr)
    except (UnknownLocaleError, ValueError):
        return language.code
    return language.cldr


def _cents(language: Language, currency: str) -> tuple[str, str]:
    for key in (currency, _SAME.get(currency, currency)):
        if names := _OTHER_CENTS.get((language.code, key)):
            return names
    return _CENTS[language.code]


def _counted(language: Language, number: Number, name: str) -> str:
    feminine = is_feminine(language.code, name.split()[0])
    return joined(language, said(language, number, feminine=feminine), name)


def amount(
    language: Language, number: Number, currency: str, power: int = 0, *, attribute: bool = False
) -> str:
    """The words for this much of a currency; `power`: of ten, that was written behind it."""
    if not language.is_known:
        return f"{said(language, number)} {_name(language, currency, number.value)}"
    if attribute and not number.sign and not power:
        return f"{said(language, number)} {_name(language, currency, Decimal(1))}"
    if power:
        name = _name(language, currency, Decimal(1) if attribute else Decimal(10) ** power)
        words = scaled(language, number, power)
        if power == 3 or language.code in ("en", "de"):
            return f"{words} {name}"
        of = {"fr": "d'" if name[0] in "aeiouy" and name[0] != "y" else "de ", "it": "di "}
        return f"{words} {of.get(language.code, 'de ')}{name}"
    if currency == "¢":
        one, many = _CENTS[language.code] if language.code != "fr" else ("cent", "cents")
        return _counted(language, number, one if number.is_one() else many)
    if len(number.decimals) != 2 or number.is_code:
        return _counted(language, number, _name(language, currency, number.value))
    whole, small = Number(number.whole), Number(number.decimals.lstrip("0") or "0")
    one, many = _cents(language, currency)
    cents = _counted(language, small, one if small.whole == "1" else many)
    if small.whole == "0":
        return _counted(language, whole, _name(language, currency, whole.value))
    if whole.whole == "0":
        return cents
    units = _counted(language, whole, _name(language, currency, whole.value))
    return f"{units} {language.word('cents-and')} {cents}"


def _second(language: Language, text: str, at: int) -> tuple[Number, int] | None:
    """The number behind a dash that ends a range."""
    if not language.is_known or text[at : at + 1] not in ("-", "–", "\u2011"):
        return None
    if not text[at + 1 : at + 2].isdecimal():
        return None
    found = number_at(language, text, at + 1)
    if found is None or text[found[1] : found[1] + 1] in ("-", "/", ":", "%"):
        return None
    follows = text[found[1] : found[1] + 1]
    is_word = follows.isalnum() and not _SCALE[language.code].match(text, found[1])
    return None if found[0].is_code or is_word else found


def _currency_of(what: str) -> str:
    return _SIGNS.get(what, what)


def money_at(spot: Spot) -> Reading | None:
    """The amount that has this number."""
    language, text, at, floor, number, end = (
        spot.language,
        spot.text,
        spot.at,
        spot.floor,
        spot.number,
        spot.end,
    )
    before, first = None, ""
    if at > floor and spot.before in _MARKS:
        before = _BEFORE.search(text, max(floor, at - _LOOK_BACK), at)
    power = 0
    if dash := _NO_CENTS.match(text, end):
        end = dash.end()
    scale = _SCALE[language.code].match(text, end, end + _LOOK_AHEAD) if language.is_known else None
    after_scale = scale.end() if scale is not None else end
    after = None
    if before is None:
        after = _AFTER.match(text, after_scale, after_scale + _LOOK_AHEAD)
        if after is None and scale is not None:
            scale, after = None, _AFTER.match(text, end, end + _LOOK_AHEAD)
        if after is None:
            return None
    if before is not None and (second := _second(language, text, end)):
        # "$5-10": the second number has no sign of its own.
        first, (number, end) = f"{said(language, number)} {language.word('to')} ", second
        scale = _SCALE[language.code].match(text, end, end + _LOOK_AHEAD)
    if scale is not None:
        names = SCALE_NAMES[language.code]
        word = scale["word"]
        power = names[word] if word else SCALE_SIGNS.get(scale["sign"] or scale["short"], 9)
        end = scale.end()
    if after is not None:
        end = after.end()
    currency = _currency_of((before or after)["what"])  # type: ignore[index]
    start = before.start() if before is not None else at
    attribute = is_attribute(language.code, text, text[max(floor, start - 4) : start], end)
    words = first + amount(language, number, currency, power, attribute=attribute)
    if before is not None and (before["sign"] or before["inner"]) and language.is_known:
        words = f"{language.word('minus')} {words}"
    if rate := per_behind(language, text, end):
        words, end = f"{words} {rate.words}", rate.end
    return Reading(start, end, words, MONEY)
