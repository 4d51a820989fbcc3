"""Markdown that is evidently simple: read without the parser, which takes ten times as long.

Owns what is so simple that there is only one way to read it: one heading, list item or paragraph
with nothing in it but words, code spans, and emphasis of whole words. All else is the parser's.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from . import tex

SIGN: Final = re.compile(
    r"[\n\\`*\[\]<$&_~=!:](?:(?<![_~=!:])|(?<=_)(?:(?<![^\W_]_)|(?![^\W_]))|(?<=~)(?=~)|(?<==)(?==)"
    r"|(?<=!)(?=\[)|(?<=:)(?=//|[\w+-]))"
)
"""Where markup may begin or end within a paragraph: at none of these there is only text. What is
left out: an underscore in a word, and signs that mean something only with the next one."""
_BLOCK: Final = re.compile(
    r"(?:(?P<heading>#{1,6}) {1,3}|[-*+] {1,3}|(?P<number>\d{1,9})(?P<mark>[.)]) {1,3})?"
    r"(?P<text>(?:[^\W\d_]|\*{1,2}[^\W_]|`[^\s`]).*)",
    re.DOTALL,
)
_MARKED: Final = re.compile(
    r"(?:(?<=[\s(])|\A)(?:"
    r"(?P<sign>\*{1,2})(?P<words>[^\W_](?:[^*`\n]*(?:[^\W_]|[:.,!?](?=\*+(?:\s|\Z))))?)(?P=sign)(?!\*)"
    r"|`(?P<code>[^\s`](?:[^`\n]*[^\s`])?)`(?!`))(?=[\s,;:!?)]|\.(?!\w)|\Z)"
)
_JOINT: Final = re.compile(r"(?<=[\w,;.])\n(?=[^\W\d_])")
"""Between two lines of a paragraph."""


class Simple(NamedTuple):
    """What stands in a block."""

    mark: str
    """The number of a list's item, "" if there is none."""
    text: str


def simple(source: str) -> Simple | None:
    """What is said of it; None: the parser must be asked."""
    block = _BLOCK.match(source)
    if block is None:
        return None
    text = block["text"]
    if block["heading"]:
        if "#" in text or "{" in text:
            return None
    elif "\n" in text:
        text = _JOINT.sub(" ", text)
    if "*" in text or "`" in text:
        text = _MARKED.sub(lambda found: found["words"] or found["code"], text)
    if SIGN.search(_without_dollars(text) if "$" in text else text):
        return None
    # Not "1)": a voice pauses at this one.
    mark = block["number"] + block["mark"].replace(")", ":") if block["number"] else ""
    return Simple(mark, text)


def _without_dollars(text: str) -> str:
    """The text without the signs of money: those that are around no formula."""
    has_formula = tex.INLINE.search(text) or tex.BLOCK.search(text)
    return text if has_formula else text.replace("$", " ")
