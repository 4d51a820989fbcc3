"""Whether a text may be Markdown: what is asked of every text, before anything reads it as such."""

from __future__ import annotations

import re
from typing import Final

_SIGN: Final = re.compile(r"[*_`~\[\]<$&\\|#>=]")
_PLACED_SIGN: Final = re.compile(r"^[ \t]*(?:[-+:]|\d{1,9}[.)])|:[\w+-]+:| {2}\n", re.MULTILINE)
"""Signs that prose is full of, where they may mean something. With `_SIGN`, what is quick to find:
without any of them there can be no `_EVIDENCE`."""
_EVIDENCE: Final = re.compile(
    r"""^[ \t]*(?:
        \#{1,6}(?:[ \t]|$) | `{3} | ~{3} | [-*+](?:[ \t]|$) | > | \[[^\]\n]+\]: | :[ \t]
        | \d{1,9}[.)](?:[ \t]|$) | ([-=*_])(?:[ \t]*\1){2,}[ \t]*$ | [-=]+[ \t]*$
        | \|?[ \t]*:?-+:?[ \t]*\|[ \t:|-]*$
    )
    | \$(?=\S) | \*{2} | (?<![\w*])\*(?=[^\s*]) | (?<=[^\s*])\*(?!\w) | `
    | __ | (?<!\w)_ | _(?!\w) | ~~ | (?<![\w=])==(?=\S)
    | \]\( | \]\[ | \[\^ | \[\[\S | </?[a-zA-Z] | <[!?] | &\#?\w{1,31};
    | \\[!-/:-@\[-`{-~] | \\$ | [ ]{2}$(?=\n) | (?<!\w):[a-zA-Z\d+-][\w+-]*:(?!\w)
    """,
    re.MULTILINE | re.VERBOSE,
)


def is_markdown(source: str) -> bool:
    """Whether something in a segment may be markup; if not, `spoken` leaves the words alone."""
    has_sign = _SIGN.search(source) or _PLACED_SIGN.search(source)
    return bool(has_sign and _EVIDENCE.search(source))
