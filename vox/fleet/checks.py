"""What texts and numbers from Redis may be: whoever can reach the server can write there.

All of them can be stored and printed: none drives a terminal, is longer than it needs to be, or
makes arithmetic fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..printable import one_line

MAX_NAME = 200
MAX_LINE = 2000
MAX_NUMBER = 2.0**53
"""Up to here a float holds each whole number."""

Fits = Callable[[Any], bool]


def is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME and value.isprintable()


def is_text(most: int) -> Fits:
    """So many characters, and no halves of some, which JSON can hold and UTF-8 cannot."""

    def fits(value: Any) -> bool:
        is_short = isinstance(value, str) and len(value) <= most
        return is_short and not any("\ud800" <= char <= "\udfff" for char in value)

    return fits


def is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -MAX_NUMBER <= value <= MAX_NUMBER


def line_of(text: str) -> str:
    """What somebody says of a failure, or of what he does, as one line."""
    return one_line(text[:MAX_LINE])[:MAX_LINE]
