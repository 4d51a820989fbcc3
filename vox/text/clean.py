"""Text without what no voice can speak: control characters, odd newlines, binary data."""

from __future__ import annotations

import re

from ..errors import BadInput, EmptyText, TextTooLong

LIMIT_CHARS = 1_000_000

_SPEAKABLE = re.compile(r"[^\W_]")
_CONTROL = re.compile("[\x01-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_NEWLINE = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(text: str, limit: int = LIMIT_CHARS) -> str:
    """The text with plain newlines, without control characters and without space around it.

    Raises TextTooLong, BadInput (binary, or bytes that were no UTF-8), EmptyText.
    """
    if len(text) > limit:
        raise TextTooLong(
            f"the text has {len(text):,} characters; {limit:,} are the limit",
            "split it into several",
        )
    if "\0" in text:
        raise BadInput("the text has NUL bytes: it looks like binary", "give plain text")
    if _SURROGATE.search(text):
        raise BadInput("the text is not valid UTF-8", "convert it: iconv -f LATIN1 -t UTF-8 FILE")
    text = _CONTROL.sub("", _NEWLINE.sub("\n", text)).strip()
    if not is_speakable(text):
        raise EmptyText("there is nothing to speak in it", "give some words")
    return text


def is_speakable(text: str) -> bool:
    """True if it has a letter or a digit, of whatever script."""
    return _SPEAKABLE.search(text) is not None
