"""Language tags: their form, which of them a speaker treats alike, and their scripts.

Owns the comparison of BCP 47 tags (RFC 5646) as far as voices need it. Knows nothing of backends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import UnknownLanguage

_TAG = re.compile(
    r"(?P<primary>[A-Za-z]{2,4})(?:-(?P<script>[A-Za-z]{4}))?(?:-(?P<region>[A-Za-z]{2}|[0-9]{3}))?"
    r"(?P<rest>(?:-[A-Za-z0-9]{1,8})*)"
)
# ISO 639: tags that differ and mean the same to a speaker.
_SAME = {"cmn": "zh", "nb": "no", "iw": "he", "in": "id", "ji": "yi", "fil": "tl"}
_NAMES = {
    "arabic": "ar",
    "chinese": "zh",
    "dutch": "nl",
    "english": "en",
    "french": "fr",
    "german": "de",
    "hindi": "hi",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "polish": "pl",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
    "turkish": "tr",
    "ukrainian": "uk",
}
# By the first word of the letters' Unicode names. Languages in Latin letters are listed too: the
# script of a language that is missing here is not known.
_WRITTEN = {
    "LATIN": "af az bs ca cs cy da de en eo es et eu fi fr ga gl hr hu id is it la lb lt lv mi ms "
    "mt nl nn no pl pt ro sk sl sq sr sv sw tl tr uz vi",
    "ARABIC": "ar fa ku ps sd ug ur",
    "ARMENIAN": "hy",
    "BENGALI": "as bn",
    "CJK": "ja ko yue zh",
    "CYRILLIC": "az ba be bg cv kk ky mk mn ru sr tg tt uk uz",
    "DEVANAGARI": "hi kok mr ne",
    "ETHIOPIC": "am ti",
    "GEORGIAN": "ka",
    "GREEK": "el grc",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he yi",
    "HIRAGANA": "ja",
    "KANNADA": "kn",
    "KATAKANA": "ja",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my shn",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo dz",
}
_SCRIPTS = {script: frozenset(languages.split()) for script, languages in _WRITTEN.items()}
_KNOWN = frozenset[str]().union(*_SCRIPTS.values())


def normalize(tag: str) -> str:
    """The tag in its usual form: "en-US" for "EN_us". Raises UnknownLanguage for anything else."""
    found = _TAG.fullmatch(tag.strip().replace("_", "-"))
    if found is None:
        code = _NAMES.get(tag.strip().lower())
        hint = f"write {code}" if code else "write it like en, en-GB or de"
        raise UnknownLanguage(f"{tag!r} is not a language tag", hint)
    parts = [found["primary"].lower()]
    if found["script"]:
        parts.append(found["script"].title())
    if found["region"]:
        parts.append(found["region"].upper())
    return "-".join(parts) + found["rest"].lower()


def primary(tag: str) -> str:
    """The language without region and script: "en" of "en-US", "zh" of "cmn"."""
    first = re.split("[-_]", tag, maxsplit=1)[0].lower()
    return _SAME.get(first, first)


def closeness(spoken: str, wanted: str) -> int:
    """How well a voice's language fits the requested one: 0 is not at all, 3 is the same tag."""
    if primary(spoken) != primary(wanted):
        return 0
    spoken, wanted = spoken.lower().replace("_", "-"), wanted.lower().replace("_", "-")
    if spoken == wanted:
        return 3
    return 2 if "-" not in wanted or "-" not in spoken else 1


def foreign_scripts(spoken: Iterable[str]) -> frozenset[str]:
    """The scripts that none of these languages uses, by their Unicode names ("CJK").

    Never Latin, which occurs in text of every language. Empty if the script of one of the languages
    is not known.
    """
    languages = {primary(tag) for tag in spoken}
    if not languages or not languages <= _KNOWN:
        return frozenset()
    return frozenset(script for script, written in _SCRIPTS.items() if not written & languages) - {
        "LATIN"
    }
