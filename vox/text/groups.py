"""Lines that belong together: quotes, tables, blocks of code, comments, front matter."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from .lines import FENCE, Kind

_LONG_QUOTE = 4_000
_LONG_TABLE = 20_000
_LONG_HEADING = 1_000
_LONG_FRONT = 4_000
_LONG_COMMENT = 20_000
_LONG_FORMULA = 2_000
_FRONT_END = re.compile(r"^(?:---|\+\+\+|\.\.\.)[ \t]*$", re.MULTILINE)
_FRONT_KEY = re.compile(r"[\w\"'-]+[ \t]*[:=]|#|\Z")
_RAW_NAME = re.compile(r"<(\w+)")


class End(NamedTuple):
    """Where a group ends."""

    at: int | None
    """None: that is not known yet."""
    line: int = 0
    """Where the line begins that is looked at next."""
    is_text: bool = False
    """It is no such group: it is read as a paragraph."""


@dataclass(frozen=True, slots=True)
class Group:
    """A kind of lines that belong together."""

    end: Callable[[str, int, int, bool], End]
    """The end of a group that begins at `start`, of a text that may go on unless it is final."""


def _while(belongs: Callable[[str], bool], long_chars: int) -> Group:
    """A group of lines that all look alike, as their first characters tell; cut if it is long."""

    def end(text: str, start: int, line: int, is_final: bool) -> End:
        while True:
            after = text.find("\n", line)
            if line > start:
                seen = text[line : after if after >= 0 else line + 400]
                if not seen.strip(" \t") and after < 0 and not is_final:
                    return End(None, line)
                if (after >= 0 or is_final) and (not belongs(seen) or line - start > long_chars):
                    return End(line)
            if after < 0:
                return End(len(text)) if is_final else End(None, line)
            line = after + 1

    return Group(end)


def _end_of_line(text: str, start: int, line: int, is_final: bool) -> End:
    after = text.find("\n", line)
    if after < 0 and len(text) - start > _LONG_HEADING:
        return End(None, is_text=True)
    return End(after + 1) if after >= 0 else End(len(text) if is_final else None, line)


def _end_of_fence(text: str, start: int, line: int, is_final: bool) -> End:
    opening = text[start : text.find("\n", start)] if "\n" in text[start : start + 400] else text
    found = FENCE.match(opening.lstrip(" \t")[:400])
    mark = found[2] if found else "```"
    closing = re.compile(rf"[ \t]*{mark}{mark[0]}*[ \t]*\Z")
    while (after := text.find("\n", line)) >= 0:
        if line > start and closing.match(text, line, after):
            return End(after + 1)
        line = after + 1
    return End(len(text) if is_final else None, line)


def _end_of_html(text: str, start: int, line: int, is_final: bool) -> End:
    name = _RAW_NAME.match(text[start : start + 100].lstrip())
    mark = f"</{name[1]}" if name else "-->"
    found = text.find(mark, start)
    if found < 0:
        return End(None, line, is_text=is_final or len(text) - start > _LONG_COMMENT)
    after = text.find("\n", found)
    if after < 0 and len(text) - found > _LONG_HEADING:
        after = text.find(">", found)
    return End(after + 1) if after >= 0 else End(len(text) if is_final else None, line)


def _end_of_formula(text: str, start: int, line: int, is_final: bool) -> End:
    found = text.find("$$", text.find("$$", start) + 2)
    if found < 0:
        return End(None, line, is_text=is_final or len(text) - start > _LONG_FORMULA)
    after = text.find("\n", found)
    if after < 0 and len(text) - found > _LONG_HEADING:
        after = found + 1
    return End(after + 1) if after >= 0 else End(len(text) if is_final else None, line)


def _end_of_front(text: str, start: int, line: int, is_final: bool) -> End:
    first = text.find("\n", start)
    second = text.find("\n", first + 1) if first >= 0 else -1
    if second < 0:
        return End(None, line, is_text=is_final or len(text) - start > _LONG_FRONT)
    if not _FRONT_KEY.match(text, first + 1, second):
        return End(None, line, is_text=True)
    found = _FRONT_END.search(text, first + 1)
    if found and (found.end() < len(text) or is_final):
        return End(min(found.end() + 1, len(text)))
    return End(None, line, is_text=is_final or len(text) - start > _LONG_FRONT)


def _is_code(line: str) -> bool:
    return line[:4] == "    " or line[:1] == "\t"


GROUPS = {
    Kind.QUOTE: _while(lambda line: line.lstrip(" \t")[:1] == ">", _LONG_QUOTE),
    Kind.TABLE: _while(lambda line: "|" in line, _LONG_TABLE),
    Kind.CODE: _while(_is_code, _LONG_QUOTE),
    Kind.HEADING: Group(_end_of_line),
    Kind.FENCE: Group(_end_of_fence),
    Kind.COMMENT: Group(_end_of_html),
    Kind.RAW: Group(_end_of_html),
    Kind.FORMULA: Group(_end_of_formula),
    Kind.RULE: Group(_end_of_front),
}
"""By what they begin with. Front matter begins with a rule."""


def without_indent(source: str) -> str:
    """A group without the indent of its first line: that of a list around it."""
    indent = len(source) - len(source.lstrip(" \t"))
    return re.sub(rf"^[ \t]{{1,{indent}}}", "", source, flags=re.MULTILINE) if indent else source
