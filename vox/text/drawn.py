"""What is drawn with characters: rules, bars of progress, frames of tables, trees, prompts.

A reader passes over it. Takes one paragraph of plain text; no letter and no digit is lost.
"""

from __future__ import annotations

import re
from typing import Final

_ANYTHING: Final = re.compile(
    r"[-=*#~+|:]{4}|^[ \t]*\||\[[=#>.* -]{4}|[\u2500-\u259f]|^[ \t]*\$ |\|[#= ]{4}", re.MULTILINE
)
_DRAWN: Final = re.compile(
    r"(?<!\S)(?:([-=*#~+])\1{3,}|[-+|=:]{4,}|\[[=#>.* -]{4,60}\]|\|[#=> -]{4,60}\|)(?!\S)"
    r"|\|?[\u2500-\u259f][\u2500-\u259f ]*\|?"
)
_ROW: Final = re.compile(r"^[ \t]*\|[ \t](.*)[ \t]\|[ \t]*$", re.MULTILINE)
_CELLS: Final = re.compile(r"[ \t]+\|[ \t]+")
_ROWS: Final = re.compile(r"[ \t]+\|[ \t]+\|[ \t]+")
_PROMPT: Final = re.compile(r"^[ \t]*\$ (?=[a-z./~])", re.MULTILINE)


def undrawn(text: str) -> str:
    """The text without what is drawn; the cells of a framed row with commas between them."""
    if not _ANYTHING.search(text):
        return text
    text = _PROMPT.sub("", _DRAWN.sub(" ", text))
    return _ROW.sub(_row, text)


def _row(row: re.Match[str]) -> str:
    cells = _CELLS.sub(", ", _ROWS.sub(". ", f" {row[1]} ").strip(" |\t"))
    return cells if cells[-1:] in ".!?…:" else f"{cells}."
