"""Whether a place lies within what Markdown keeps together: code spans, links, emphasis, tags."""

from __future__ import annotations

import re

_LONG = 400
_LONGEST = 2 * _LONG + 10

_TOGETHER = re.compile(
    rf"""
      (?<!`)(`+)(?!`) .{{1,{_LONG}}}? (?<!`)\1(?!`)
    | !?\[ [^\[\]]{{0,{_LONG}}} \] (?:\([^()\n]{{0,{_LONG}}}\) | \[[^\[\]]{{0,{_LONG}}}\])?
    | <(?:[a-zA-Z/][^<>]{{0,{_LONG}}} | !--.{{0,{_LONG}}}?--)>
    | \*\*(?=\S) .{{1,{_LONG}}}? (?<=\S)\*\*
    | (?<!\w)__(?=\S) .{{1,{_LONG}}}? (?<=\S)__(?!\w)
    | ~~(?=\S) .{{1,{_LONG}}}? (?<=\S)~~
    | (?<![\w*])\*(?=[^\s*]) [^*]{{1,{_LONG}}}? (?<=\S)\*(?!\*)
    | (?<!\w)_(?=[^\s_]) [^_]{{1,{_LONG}}}? (?<=\S)_(?!\w)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENER = re.compile(
    r"[`\[]|<(?=[a-zA-Z/!])|(?<![\w*])\*{1,3}(?=[^\s*])|(?<!\w)_{1,2}(?=[^\s_])|~~(?=\S)"
)


def crosses(text: str, start: int, at: int, limit: int, is_final: bool) -> bool | None:
    """Whether something that begins after `start` goes on at `at`; None: more text tells.

    Of the text up to `limit` is known. What has no end within a bounded length is plain text.
    """
    seen = start
    for opener in _OPENER.finditer(text, start, at):
        begin = opener.start()
        if begin < seen:
            continue
        together = _TOGETHER.match(text, begin, min(limit, begin + _LONGEST))
        if not is_final and (
            begin + _LONGEST > limit if together is None else together.end() >= limit
        ):
            return None
        if together is None:
            continue
        if together.end() > at:
            return True
        seen = together.end()
    return False
