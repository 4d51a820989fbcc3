"""Emoji by name, or left out.

Names are those of Unicode's CLDR, from the package `emoji`, imported when the first one is met.
Symbols that belong to the text (an arrow between words, a trade mark) are not emoji here: see
`tokens`.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from ..languages import primary
from .words import word

_SKIN = "\U0001f3fb-\U0001f3ff"
_BASE = (
    "ℹ↔-↙↩↪⌚⌛⌨⏏⏩-⏳⏸-⏺Ⓜ▪▫▶◀◻-◾☀-☄☎☑☒☔☕☘☝☠☢☣☦☪☮☯☸-☺♀♂♈-♓♟♠♣♥♦♨♻♾♿⚒-⚗⚙⚛⚜⚠⚡⚧⚪⚫⚰"
    "⚱⚽⚾⛄⛅⛈⛎⛏⛑⛓⛔⛩⛪⛰-⛵⛷-⛺⛽✂✅✈-✍✏✒-✘✝✡✨✳✴❄❇❌❎❓-❕❗❣❤➕-➗➡➰➿⤴⤵⬅-⬇⬛⬜⭐⭕㊗㊙"
    "\U0001f004\U0001f0cf\U0001f170-\U0001f171\U0001f17e-\U0001f17f\U0001f18e\U0001f191-\U0001f19a"
    "\U0001f201\U0001f202\U0001f21a\U0001f22f\U0001f232-\U0001f23a\U0001f250\U0001f251"
    "\U0001f300-\U0001f3fa\U0001f400-\U0001f64f\U0001f680-\U0001f6ff\U0001f7e0-\U0001f7f0"
    "\U0001f900-\U0001faff"
)
_ONE = (
    "(?:[\U0001f1e6-\U0001f1ff]{2}"
    "|[0-9#*]\ufe0f?\u20e3"
    f"|[{_BASE}][{_SKIN}]?\ufe0f?(?:[\U000e0020-\U000e007e]{{1,16}}\U000e007f)?"
    f"(?:\u200d[{_BASE}][{_SKIN}]?\ufe0f?)*+)"
)
SIGNS = f"\u20e3\U0001f1e6-\U0001f1ff{_BASE}"
"""The characters of emoji, as they stand between brackets in an expression."""
_SIGN = re.compile(f"[{SIGNS}]")
_EMOJI = re.compile(_ONE)
_RUN = re.compile(rf" ?{_ONE}(?: ?{_ONE})*+ ?")
_NOT_SAID = frozenset("▪▫◻◼◽◾")
"""Squares that stand for bullets: a reader passes over them."""
_SAID_LIKE = {"✓": "✔", "✗": "❌", "✘": "❌", "✕": "❌", "☑": "✔", "☒": "❌"}
_OPENING = "([{\"'“„«¿¡\n"
_MODIFIERS = re.compile(f"[{_SKIN}]")
_TIDY = re.compile(r"[():_/«»“”]+|\s\s+")


def spoken(text: str, lang: str, emoji: str) -> str:
    """The text with each emoji's name in it ("name"), set off by commas, or without ("drop")."""
    if not _SIGN.search(text):
        return text
    if emoji == "drop":
        return _RUN.sub(_left_out, text)
    return _RUN.sub(functools.partial(_named, lang=lang), text)


def _left_out(run: re.Match[str]) -> str:
    if kept := [each for each in _EMOJI.findall(run[0]) if name(each, "en") is None]:
        if len(kept) == len(_EMOJI.findall(run[0])):
            return run[0]
        return f" {' '.join(kept)} "
    has_space = run[0][0] == " " or run[0][-1] == " "
    before, after = _around(run)
    return " " if has_space and before and after and after not in ".,;:!?…)" else ""


def _named(run: re.Match[str], lang: str) -> str:
    found = _EMOJI.findall(run[0])
    names: list[str] = []
    for each in found:
        said = name(each, lang)
        if said is None:
            said = each
        if said and said not in names[-1:]:
            names.append(said)
    if names == found:  # nothing that has a name
        return run[0]
    before, after = _around(run)
    if not names:
        has_space = run[0][0] == " " or run[0][-1] == " "
        return " " if has_space and before and after else ""
    start = "" if not before or before in _OPENING else " " if before in ".,;:!?…—–-" else ", "
    if not after or after in ".,;:!?…)]}\"'”»\n":
        end = " " if after and run[0][-1] == " " and after in "\"'“([\n" else ""
    elif before and before in ".!?…" and after.isupper():
        end = ". "
    else:
        end = ", "
    return f"{start}{', '.join(names)}{end}"


def _around(run: re.Match[str]) -> tuple[str, str]:
    """The characters before and after, "" at the text's ends."""
    text = run.string
    return text[max(0, run.start() - 1) : run.start()], text[run.end() : run.end() + 1]


@functools.lru_cache(maxsize=2048)
def name(sequence: str, lang: str) -> str | None:
    """What an emoji is called; "" if it is passed over, None if it has no name.

    The colour of a skin is not told.
    """
    plain = _MODIFIERS.sub("", sequence)
    if not plain.strip("\ufe0f"):  # a skin's colour alone
        return ""
    first = plain[0]
    if first.isascii():  # a keycap
        return {"#": word(lang, "hash"), "*": word(lang, "star")}.get(first, first)
    if first == "🔟":
        return "10"
    if first in _NOT_SAID and len(plain.strip("\ufe0f")) == 1:
        return ""
    if known := _cldr_name(_SAID_LIKE.get(plain.strip("\ufe0f"), plain), lang):
        return known
    parts = [_cldr_name(part, lang) for part in re.split("\u200d", plain)]
    return ", ".join(filter(None, parts)) or None


def _cldr_name(sequence: str, lang: str) -> str | None:
    import emoji

    code = primary(lang)
    code = code if code in emoji.LANGUAGES else "en"
    emoji.config.load_language(code)
    bare = sequence.replace("\ufe0f", "")
    for form in (sequence, bare, f"{bare}\ufe0f"):
        entry = emoji.EMOJI_DATA.get(form)
        if entry and (raw := entry.get(code) or entry["en"]):
            said = _TIDY.sub(" ", unicodedata.normalize("NFC", raw.strip(":"))).strip()
            said = re.sub(r"\s+", " ", said.replace("&", word(lang, "and")))
            is_flag = code == "en" and "\U0001f1e6" <= bare[0] <= "\U0001f1ff"
            return word(lang, "flag").format(said) if is_flag else said
    return None
