"""What is said of a character, a key, a text that is spelled, and of the symbols in a text."""

from __future__ import annotations

import re
import string
import unicodedata

from .letters import letter_name
from .marked import Marked
from .symbols import LEVELS, symbol_name, symbols, word

_COMMON = string.ascii_lowercase + string.digits + " .,-/@"
_CHARACTER = re.compile(r"\S[\u0300-\u036f\ufe0f\u200d]*|\s+", re.DOTALL)
_BLANKS = re.compile(r"[ \t\r\f\v\xa0]{2,}|[\t\r\f\v\xa0]")
_SPLIT_NUMBER = re.compile(r"(?<=\d) (\.)(?=\d)")
"""What speech-dispatcher makes of 1.5, whatever its settings are."""
_ALSO_PAUSES = frozenset(".,;:!?…")
"""They stay behind their names, for the voice pauses there."""
_FIRST_EMOJI = "\U0001f000"
_FUNCTION_KEY = re.compile(r"[fF]\d{1,2}")
_KEY_PREFIX = "kp"


class Wording:
    """The wording of one language."""

    def __init__(self, lang: str, says_capitals: bool = False) -> None:
        """`lang`: a lower-case tag such as "en-gb".

        `says_capitals`: that a letter is a capital is said.
        """
        self._lang = lang
        self._primary = lang.partition("-")[0]
        self._says_capitals = says_capitals

    def common(self) -> list[str]:
        """The names of the characters that are said most."""
        return [self.character(char) for char in _COMMON]

    def character(self, char: str) -> str:
        """The name of one character. An emoji is itself: vox has their names."""
        char = unicodedata.normalize("NFC", char)
        if (named := symbol_name(char, self._primary)) is not None:
            return named
        lower = char.lower()
        said = letter_name(lower, self._lang) if len(lower) == 1 else None
        if said is None:
            is_itself = not char or char[0].isalnum() or char[0] >= _FIRST_EMOJI
            said = char if is_itself else unicodedata.name(char[0], "").lower()
        if self._says_capitals and char != lower:
            return (word("capital", self._primary) or "{}").format(said)
        return said

    def spelled(self, text: str) -> str:
        """The text, character by character."""
        return _CHARACTER.sub(lambda found: self._spelt(found[0]), text)

    def spell(self, text: Marked) -> Marked:
        """As `spelled`."""
        return text.sub(_CHARACTER, lambda found: self._spelt(found[0]))

    def _spelt(self, char: str) -> str:
        return f"{self.character(char[0] if char.isspace() else char)}, "

    def key(self, name: str) -> str:
        """What is said of a key, `control_a` or `KP_Enter` for example."""
        if len(name) == 1:
            return self.character(name)
        parts = [part for part in name.split("_") if part]
        said = [self._key(part) for part in parts] or [self.character("_")]
        if name.endswith("__"):
            said.append(self.character("_"))
        return " ".join(said)

    def _key(self, part: str) -> str:
        if len(part) == 1:
            return self.character(part)
        lower = part.lower()
        if _FUNCTION_KEY.fullmatch(part):
            return f"{self.character('f')} {part[1:]}"
        if (named := word(lower, self._primary)) is not None:
            return named
        prefix, _, rest = lower.partition("-")
        if prefix == _KEY_PREFIX and rest:
            return f"{word(_KEY_PREFIX, self._primary)} {self._key(rest)}"
        return part.replace("-", " ")

    def punctuated(self, text: Marked, mode: str) -> Marked:
        """The text with the names of the symbols that this mode of punctuation says."""
        level = LEVELS.get(mode, 0)
        signs = [sign for sign, symbol in symbols().items() if symbol.level <= level]
        if not signs:
            return text
        pattern = re.compile(f"[{re.escape(''.join(signs))}]")
        return text.sub(pattern, self._named)

    def _named(self, found: re.Match[str]) -> str:
        sign, after = found[0], found.string[found.end() : found.end() + 1]
        pause = sign if sign in _ALSO_PAUSES and not after.isalnum() else ""
        return f" {symbol_name(sign, self._primary)}{pause} "


_EDGES = re.compile(r"\A\s+|\s+\Z")


def tidied(text: Marked) -> Marked:
    """The text without the blanks that the server has put into it, and without those around it."""
    text = text.sub(_SPLIT_NUMBER, lambda found: found[1]).sub(_BLANKS, lambda _found: " ")
    return text.sub(_EDGES, lambda _found: "")
