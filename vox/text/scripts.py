"""In which scripts a text is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

_SPACES = re.compile(r"\s+")
_SCRIPT = re.compile("[^A-Z]")


def written_in(text: str, scripts: Collection[str], limit: int = 20) -> str:
    """The first stretch in letters of these scripts, on one line and no longer than `limit`.

    "" if there is none. `scripts`: what Unicode's names of their letters begin with ("CJK",
    "CYRILLIC"); signs such as the one for micro are none.
    """
    letters = "".join(
        char
        for char in set(text)
        if char.isalpha() and _SCRIPT.split(unicodedata.name(char, ""), maxsplit=1)[0] in scripts
    )
    found = re.search(rf"[{letters}][{letters}\W]{{0,99}}", text) if letters else None
    if found is None:
        return ""
    stretch = _SPACES.sub(" ", found.group())
    while unicodedata.category(stretch[-1])[0] not in "LM":
        stretch = stretch[:-1]
    return stretch if len(stretch) <= limit else stretch[: limit - 1].rstrip() + "…"
