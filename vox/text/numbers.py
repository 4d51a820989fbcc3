"""Numbers and what they measure, as a person reads them: the way in, and what is quick.

A text without any number costs one search. What reads them (`number_reader`) has many regular
expressions and libraries behind it, so it is imported at the first text that may have one.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Final

_SIGNS: Final = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒⁰¹²³⁴⁵⁶⁷⁸⁹"
# What a number may begin with besides digits.
# "I" is a numeral only behind a name or at the end of a clause. See `roman`.
_ROMAN: Final = (
    r"[ \u00a0](?:[VX]|[IVXLCDM]{2,9})(?!\w)|[A-ZÀ-Þ][\w.]{1,12}[ \u00a0]I(?:er|re|ère)?(?!\w)"
    r"|\w[ \u00a0]I(?:[^\w\s]|$)|[IVX](?:[eèᵉ]|r?e|th|er |\. | secolo| century)|WWI"
)
_ANYTHING: Final = re.compile(f"[0-9{_SIGNS}]|{_ROMAN}")


def spoken(text: str, lang: str, reads: Set[str] = frozenset()) -> str:
    """The text, one paragraph, with words for its numbers. Nothing is raised.

    `reads`: the kinds that are left as they are, because the backend says them well by itself.
    """
    if not _ANYTHING.search(text):
        return text
    from . import number_reader

    return number_reader.spoken(text, lang, reads)
