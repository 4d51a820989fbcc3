"""What is drawn with characters: rules, bars of progress, frames of tables, trees, prompts.

A reader passes over it. Takes one paragraph of plain text; no letter and no digit is lost.
"""

from __future__ import annotations

import re
from typing import Final

_ANYTHING: Final = re.compile(
    r"[-=*#~+|:]{4}|^[ \t]*\||\[[=#>.* -]{4}|[\u2500-\u259f]|^[ \t]*\$ |\|[\\/]|\|[#= ]{4}",
    re.MULTILINE,
)
_DRAWN: Final = re.compile(
    r"(?<!\S)(?:([-=*#~+])\1{3,}|[-+|=:]{4,}|\[[=#>.* -]{4,60}\]|\|[#=> -]{4,60}\|)(?!\S)"
    r"|\|?[\u2500-\u259f][\u2500-\u259f ]*\|?"
)
_ROW: Final = re.compile(r"^[ \t]*\|[ \t](.*)[ \t]\|[ \t]*$", re.MULTILINE)
_GRAPH: Final = re.compile(
    r"^\|[ |*\\/_]*(?=[\da-f]{7,40} |$)|(?<=[ \n])\|[ |\\/]{1,20}$", re.MULTILINE
)
"""The lines that `git log --graph` draws."""
_PROMPT: Final = re.compile(r"^[ \t]*\$ (?=[a-z./~])", re.MULTILINE)


def undrawn(text: str) -> str:
    """The text without what is drawn; the cells of a framed row with commas between them."""
    if not _ANYTHING.search(text):
        return text
    text = _PROMPT.sub("", _DRAWN.sub(" ", text))
    return _ROW.sub(_row, _GRAPH.sub("", text))


def _row(row: re.Match[str]) -> str:
    cells = " ".join(row[1].split()).strip("| ").replace(" | | ", ". ").replace(" | ", ", ")
    return cells if cells[-1:] in ".!?…:" else f"{cells}."
