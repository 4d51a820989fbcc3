"""Ordinal numbers as words: "22nd", "1er", "2ª", "die 3. Auflage"."""

from __future__ import annotations

import re
from typing import Final

from .agreement import is_feminine
from .figures import Language, ordinal
from .kinds import ORDINALS
from .readings import Reading, Spot

_ENGLISH: Final = re.compile(r"(?:st|nd|rd|th|ST|ND|RD|TH)(?!\w)")
_FRENCH: Final = re.compile(
    r"(?:(?P<fem>re|ère|nde|de|ʳᵉ)|er|ᵉʳ|nd|d|i?[eè]me|e|ᵉ)(?P<many>s)?(?!\w)"
)
_SIGN: Final = re.compile(
    r"\.?(?:(?P<fem>ª|a(?<=\.a))|º|o(?<=\.o)|(?P<degree>°)(?! ?[CFK]\b)|er)(?!\w)"
)
_GERMAN: Final = re.compile(
    r"(\d{1,3})\."
    r"(?P<more>[ \u00a0](?:bis|und|oder)(?: zum| den| am)?[ \u00a0]\d{1,3}\.|[–-]\d{1,3}\.)?"
    r"[ \u00a0](?P<next>[a-zäöü]+ )?(?P<noun>[A-ZÄÖÜ][\wäöüß]+)"
)
_LEADS_ALONE: Final = re.compile(
    r"\b(?:[Aa]m|[Zz]um|[Vv]om|[Dd]er|[Dd]em|den|[Dd]ie|das|[Bb]eim) \Z"
)
_NO_NOUN: Final = frozenset(
    "Im Am Der Die Das Dann Es Er Sie Wir Ich In An Und Aber Ein Eine Zum Zur Bei Mit Nach Von "
    "Wenn Als Auch Doch So Da Man Nun Jetzt Heute Danach Den Dem Für Auf Aus Um Ihr Du Was Wer "
    "Wie Nur Alle".split()
)
_ALONE: Final = re.compile(
    r"(\d{1,2})\.(?:(?P<more>(?= [a-zäöü(]|, ?[a-zäöü]))"
    rf"|(?=\s*\Z| (?:{'|'.join(sorted(_NO_NOUN))})\b))"
)
_GERMAN_WORD: Final = re.compile(r"s?te(?P<ending>[nrsm]?)(?!\w)")
_ARTICLE: Final = re.compile(r"(?:^|(?<=[^\w]))([A-Za-zäöüß]+)(?: ([a-zäöüß]+))? \Z")
_WEAK: Final = frozenset(
    "am im zum vom beim zur dem den des einem einen einer eines meinem seinem ihrem unserem ihren "
    "seinen meinen unseren jedem jeden diesem diesen allen ab seit bis "
    "spätestens frühestens".split()
)
"""Words behind which the ordinal ends in -en."""
_ARTICLES: Final = frozenset(
    "der die das ein eine kein keine jede jeder jedes diese dieser mein meine sein seine ihr ihre "
    "unser unsere".split()
)
_DATIVE: Final = frozenset(
    "in mit von zu bei nach seit aus an auf während wegen ab unter vor".split()
)
_NOUNS: Final = re.compile(
    r"Jahrhundert|Jahrtausend|Jhd?|Aufl|Platz|Auflage|Klasse|Mal|Tag|Stock|Etage|Bundesliga"
    r"|Weltkrieg|Kapitel|Jahrestag|Geburtstag|Quartal|Semester|Runde|Liga|Spieltag|Minute|Stunde|Woche|Monat|Jahr"
    r"|Lebensjahr|Teil|Band|Akt|Szene|Schritt|Versuch|Stufe|Reihe|Etappe|Sitzung|Rang|Satz|Halbzeit"
    r"|Viertel|Preis|Ausgabe|Generation|Lesung|Advent|Obergeschoss|Stockwerk|Bezirk|Armee|Person"
    r"|Fassung|Version|Abschnitt|Artikel|Hälfte|Hauptsatz|Grad|Dan|Kreis|Kreisliga|Sinfonie|Symphonie|Internationale?"
)
MONTHS: Final = frozenset(
    "Januar Jänner Februar März April Mai Juni Juli August September Oktober November "
    "Dezember".split()
)
_NEUTER: Final = re.compile(
    r"(?:Jahrhundert|Jahrtausend|Jhd?|Mal|Kapitel|Quartal|Semester|Jahr|Lebensjahr|Viertel"
    r"|Obergeschoss|Stockwerk)"
)
_LOOK_BACK: Final = 28


def german_ending(before: str, noun: str = "") -> str:
    """What a German ordinal ends in, "e", "en", "er" or "es", behind this text."""
    noun = {"Aufl": "Auflage"}.get(noun, noun)
    if before.endswith("v. "):
        return "en"
    found = _ARTICLE.search(before)
    last = (found[2] or found[1]).lower() if found else ""
    first = found[1].lower() if found and found[2] else ""
    if last in _WEAK or (last == "und" and noun in MONTHS):
        return "en"
    if last == "der":
        return "en" if first in _DATIVE else "e"
    if last in ("die", "das", "eine", "keine", "jede", "diese", "seine", "ihre", "unsere", "meine"):
        return "e"
    if is_feminine("de", noun):
        return "e"
    return "es" if _NEUTER.fullmatch(noun) else "er"


def _german(spot: Spot) -> Reading | None:
    language, text, at = spot.language, spot.text, spot.at
    if found := _GERMAN_WORD.match(text, spot.end):
        words = ordinal(language, spot.number.whole) + found["ending"]
        return Reading(at, found.end(), words, ORDINALS)
    if spot.follows != ".":
        return None
    before = spot.back(_LOOK_BACK)
    found = _GERMAN.match(text, at, at + 64)
    if found is None:
        return _german_alone(spot, before)
    article = _ARTICLE.search(before)
    last = (article[2] or article[1]).lower() if article else ""
    is_led = last in _WEAK or last in _ARTICLES
    noun = found["noun"]
    is_known = bool(_NOUNS.fullmatch(noun) or noun in MONTHS)
    if noun in _NO_NOUN:
        return _german_alone(spot, before)
    if not (is_known or (is_led and not (found["more"] and last == "und"))):
        return None
    if found["next"] and not is_led:
        return None
    words = ordinal(language, found[1])[:-1] + german_ending(before, found["noun"])
    end = at + len(found[1]) + 1
    if noun in ("Jh", "Jhd") and text[found.end() : found.end() + 1] == ".":
        rest = text[found.end() + 1 : found.end() + 3].strip()
        is_last = not rest or rest[0].isupper()
        return Reading(at, found.end() + (not is_last), f"{words} Jahrhundert", ORDINALS)
    return Reading(at, end, words, ORDINALS)


def _german_alone(spot: Spot, before: str) -> Reading | None:
    """ "am 15. um neun", "heute ist der 3.": an ordinal behind an article, without a noun."""
    found = _ALONE.match(spot.text, spot.at) if _LEADS_ALONE.search(before) else None
    if found is None:
        return None
    words = ordinal(spot.language, found[1])[:-1] + german_ending(before)
    end = found.end() - (found["more"] is None)
    return Reading(spot.at, end, words, ORDINALS)


def ordinal_at(spot: Spot) -> Reading | None:
    """The ordinal number that this number is, by what stands behind it."""
    language, number = spot.language, spot.number
    if number.sign or not language.is_known:
        return None
    if language.code == "de":
        return _german(spot)
    pattern = {"en": _ENGLISH, "fr": _FRENCH}.get(language.code, _SIGN)
    found = pattern.match(spot.text, spot.end)
    if found is None:
        return None
    if language.code in ("es", "it", "pt") and found["degree"] and int(number.whole[:6]) > 12:
        return None  # "20°" is a temperature
    if language.code == "en":
        words = ordinal(language, number.whole)
    elif language.code == "fr":
        words = _french(language, number.whole, found)
    else:
        words = _with_sign(language, number.whole, found)
    return Reading(spot.at, found.end(), words, ORDINALS)


def _french(language: Language, number: str, found: re.Match[str]) -> str:
    if number == "2" and found[0].startswith(("nd", "d")):
        return ("seconde" if found["fem"] else "second") + (found["many"] or "")
    words = ordinal(language, number, feminine=bool(found["fem"]))
    return words + (found["many"] or "")


def _with_sign(language: Language, number: str, found: re.Match[str]) -> str:
    words = ordinal(language, number, feminine=bool(found["fem"]))
    if language.code == "es" and found[0].endswith("er") and words.endswith(("primero", "tercero")):
        return words[:-1]
    return words
