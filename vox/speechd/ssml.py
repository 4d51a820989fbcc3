"""What the server sends as a text: SSML, or what clients take for it.

It is read leniently, never refused: a client's SSML comes as it is, also without a root element or
badly formed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from .marked import Mark, Marked

# No `<` within a tag: so what is no tag costs no more than it is long.
_TAG = re.compile(r"""<(/?)([A-Za-z][\w.:-]*)((?:"[^"<]*"|'[^'<]*'|[^<>"'])*)>|<[!?][^<>]*>""")
_ATTRIBUTE = re.compile(r"""([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_TIME = re.compile(r"\s*\+?([0-9]*\.?[0-9]+)\s*(ms|s)\s*")
_LONG_BREAK_S = 0.5
"""From this length on a pause is that between sentences, below it that of a comma."""
_STRONG = ("strong", "x-strong")
_BY_LETTERS = ("characters", "spell-out", "tts:char")
_PARAGRAPHS = ("p", "s")


def read(source: str, spell: Callable[[str], str]) -> Marked:
    """The text without tags, with the marks in it.

    `spell`: what is said for a part that is to be said letter by letter.
    """
    return _Reader(spell).read(source)


class _Reader:
    def __init__(self, spell: Callable[[str], str]) -> None:
        self._spell = spell
        self._parts: list[str] = []
        self._length = 0
        self._marks: list[Mark] = []
        self._spelling = 0
        """How many elements that spell are open."""
        self._silent: str | None = None
        """The element whose content is not said, for something else is said instead."""

    def read(self, source: str) -> Marked:
        at = 0
        for tag in _TAG.finditer(source):
            self._take(source[at : tag.start()])
            at = tag.end()
            if name := tag[2]:
                self._obey(name.lower(), _attributes(tag[3]), tag[1] == "/", tag[3].endswith("/"))
        self._take(source[at:])
        return Marked("".join(self._parts), tuple(self._marks))

    def _take(self, raw: str) -> None:
        if raw and self._silent is None:
            # Twice: speech-dispatcher 0.11 escapes a client's entities once more.
            text = html.unescape(html.unescape(raw))
            self._add(self._spell(text) if self._spelling else text)

    def _add(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _obey(self, name: str, given: dict[str, str], closes: bool, is_empty: bool) -> None:
        if name == "mark" and not closes:
            self._marks.append(Mark(html.unescape(given.get("name", "")), self._length))
        elif name == "break" and not closes:
            self._pause(given)
        elif name == "say-as":
            if closes:
                self._spelling = max(0, self._spelling - 1)
            elif not is_empty and (
                self._spelling or given.get("interpret-as", "").lower() in _BY_LETTERS
            ):
                self._spelling += 1
        elif name == "sub":
            if closes:
                self._silent = None
            elif "alias" in given:
                self._take(given["alias"])
                self._silent = None if is_empty else name
        elif name in _PARAGRAPHS and self._length:
            self._add("\n")

    def _pause(self, given: dict[str, str]) -> None:
        """A sign that makes the voice pause, unless there is one."""
        said = "".join(self._parts[-2:]).rstrip()
        if not said or not said[-1].isalnum():
            return
        found = _TIME.fullmatch(given.get("time", ""))
        seconds = float(found[1]) * (0.001 if found[2] == "ms" else 1) if found else 0.0
        if seconds >= _LONG_BREAK_S or given.get("strength") in _STRONG:
            self._add(". ")
        elif given.get("strength") != "none":
            self._add(", ")


def _attributes(source: str) -> dict[str, str]:
    return {
        found[1].lower(): found[2] if found[2] is not None else found[3]
        for found in _ATTRIBUTE.finditer(source)
    }
