"""The names of symbols, accents and keys, in the languages of `LANGUAGES`: the file `names.txt`.

In another language they are said in English.
"""

from __future__ import annotations

import functools
import os
import re
from typing import NamedTuple

LANGUAGES = ("en", "de", "fr", "es", "it", "pt")

LEVELS = {"none": 0, "some": 1, "most": 2, "all": 3}
"""The modes of punctuation: those of a symbol and above say its name."""

_BLANKS = {"space": " ", "nbsp": "\xa0", "tab": "\t", "newline": "\n"}
_SYMBOL = re.compile(r"(\S+) (\d) (.+)")
_WORD = re.compile(r"([\w -]+): (.+)")


class Symbol(NamedTuple):
    level: int
    """The lowest of LEVELS that says its name; above: none does."""
    names: tuple[str, ...]
    """In each of LANGUAGES."""


@functools.cache
def _lines() -> list[str]:
    with open(os.path.join(os.path.dirname(__file__), "names.txt"), encoding="utf-8") as file:
        return file.read().splitlines()


@functools.cache
def symbols() -> dict[str, Symbol]:
    """By the symbol."""
    found = filter(None, map(_SYMBOL.fullmatch, _lines()))
    return {
        _BLANKS.get(each[1], each[1]): Symbol(int(each[2]), tuple(each[3].split("|")))
        for each in found
    }


@functools.cache
def _words() -> dict[str, tuple[str, ...]]:
    return {each[1]: tuple(each[2].split("|")) for each in map(_WORD.fullmatch, _lines()) if each}


def _column(lang: str) -> int:
    return LANGUAGES.index(lang) if lang in LANGUAGES else 0


def symbol_name(sign: str, lang: str) -> str | None:
    """What the symbol is called in the language (a primary subtag); None: it is not known here."""
    found = symbols().get(sign)
    return found.names[_column(lang)] if found else None


def word(name: str, lang: str) -> str | None:
    """An accent, a key or `capital` in the language; None: it is not known here."""
    found = _words().get(name)
    return found[_column(lang)] if found else None
