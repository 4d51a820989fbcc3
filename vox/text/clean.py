"""Text without what no voice can speak: control characters, unusual newlines, binary data."""

from __future__ import annotations

import re
import sys

from ..errors import BadInput, TextTooLong

LIMIT_CHARS = 1_000_000

_SPEAKABLE = re.compile(r"[^\W_]")
_CONTROL = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_NEWLINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def check(text: str, limit: int = LIMIT_CHARS) -> None:
    """Raises TextTooLong, BadInput (binary data, or bytes that were not UTF-8)."""
    if len(text) > limit:
        raise TextTooLong(
            f"the text has {len(text):,} characters; {limit:,} are the limit",
            "split it into several",
        )
    if "\0" in text:
        raise BadInput("the text has NUL bytes: it looks like binary", "give plain text")
    if _SURROGATE.search(text):
        raise BadInput("the text is not valid UTF-8", "convert it: iconv -f LATIN1 -t UTF-8 FILE")


def plain(text: str) -> str:
    """The text with plain newlines, without control characters and without space around it."""
    return _CONTROL.sub("", _NEWLINE.sub("\n", text)).strip()


def is_speakable(text: str, start: int = 0, end: int = sys.maxsize) -> bool:
    """True if the text, between `start` and `end`, has a letter or a digit of any script."""
    return _SPEAKABLE.search(text, start, end) is not None
