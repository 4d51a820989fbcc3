"""In which scripts a text is written, and which language that tells."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from operator import itemgetter

_SPACES = re.compile(r"\s+")
_SCRIPT = re.compile("[^A-Z]")


def written_in(text: str, scripts: Collection[str], limit: int = 20) -> str:
    """The first stretch in letters of these scripts, on one line and no longer than `limit`.

    "" if there is none. `scripts`: what Unicode's names of their letters begin with ("CJK",
    "CYRILLIC"); signs such as the one for micro are none.
    """
    letters = "".join(char for char in set(text) if char.isalpha() and _script_of(char) in scripts)
    found = re.search(rf"[{letters}][{letters}\W]{{0,99}}", text) if letters else None
    if found is None:
        return ""
    stretch = _SPACES.sub(" ", found.group())
    while unicodedata.category(stretch[-1])[0] not in "LM":
        stretch = stretch[:-1]
    return stretch if len(stretch) <= limit else stretch[: limit - 1].rstrip() + "…"


_OF_SCRIPT = {
    "ARABIC": "ar",
    "ARMENIAN": "hy",
    "BENGALI": "bn",
    "CYRILLIC": "ru",
    "DEVANAGARI": "hi",
    "ETHIOPIC": "am",
    "GEORGIAN": "ka",
    "GREEK": "el",
    "GUJARATI": "gu",
    "GURMUKHI": "pa",
    "HANGUL": "ko",
    "HEBREW": "he",
    "KANNADA": "kn",
    "KHMER": "km",
    "LAO": "lo",
    "MALAYALAM": "ml",
    "MYANMAR": "my",
    "ORIYA": "or",
    "SINHALA": "si",
    "TAMIL": "ta",
    "TELUGU": "te",
    "THAI": "th",
    "TIBETAN": "bo",
}
"""The language that most text in a script is written in."""

_OF_LETTERS = {
    "CYRILLIC": (("ў", "be"), ("қғұ", "kk"), ("іїєґ", "uk"), ("ѓќѕ", "mk"), ("јљњџђћ", "sr")),
    "ARABIC": (("ےںٹڈڑہ", "ur"), ("پچژگی", "fa")),
}
"""Languages whose letters others in that script do not have. The first that is found counts."""

_RARE = 100
"""One letter of so many is a name from another language."""

_EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA")
_KANA_AMONG = 20
"""Japanese has at least one kana among so many characters; a Chinese text may quote fewer."""

# The hard sign: in Russian it stands before a few vowels only, in Bulgarian it is a vowel.
_BULGARIAN = re.compile("ъ(?![еёюяіъ])", re.IGNORECASE)
_RUSSIAN = re.compile("[ыэё]", re.IGNORECASE)


def language_of(text: str) -> str | None:
    """The language that the script of most letters tells; None: Latin, or no letters."""
    if text.isascii():
        return None
    chars = Counter(text.lower())
    scripts = Counter[str]()
    for char, count in chars.items():
        if char.isalpha():
            scripts[_script_of(char)] += count
    kana = scripts.pop("HIRAGANA", 0) + scripts.pop("KATAKANA", 0)
    scripts["CJK"] += kana
    script, most = max(scripts.items(), key=itemgetter(1), default=("", 0))
    if most == 0:
        return None
    if script == "CJK":
        return "ja" if kana * _KANA_AMONG >= most else "zh"
    for own, lang in _OF_LETTERS.get(script, ()):
        if sum(chars[char] for char in own) * _RARE >= most:
            return lang
    if (
        script == "CYRILLIC"
        and chars["ъ"]
        and _BULGARIAN.search(text)
        and not _RUSSIAN.search(text)
    ):
        return "bg"
    return _OF_SCRIPT.get(script)


def _script_of(char: str) -> str:
    """What the Unicode name of the letter begins with."""
    name = unicodedata.name(char, "")
    name = name.removeprefix("HALFWIDTH ").removeprefix("FULLWIDTH ")
    return _SCRIPT.split(name, maxsplit=1)[0]
