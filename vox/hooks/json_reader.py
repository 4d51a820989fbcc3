"""Reads JSON without the module `json`, whose import takes longer than a hook may take.

The scanner is that module's own, in C.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BLANKS = " \t\r\n"


class _Plain:
    """What `json.JSONDecoder` says by default."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float, parse_int, parse_constant = float, int, float

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}


def _scanner() -> Any:
    """Called with a text and a place in it: the value there and its end. Raises StopIteration."""
    try:
        import _json

        maker: Any = _json.make_scanner
        return maker(_Plain())
    except (ImportError, AttributeError, TypeError):  # another Python than those that we know
        from json import JSONDecoder

        return JSONDecoder().raw_decode


def parse(text: str) -> object:
    """The value in a JSON text. Raises ValueError, RecursionError."""
    text = text.removeprefix("\ufeff").strip(_BLANKS)
    try:
        value, end = _scanner()(text, 0)
    except (StopIteration, SystemError):  # the latter as its own error is in the module `json`
        raise ValueError("no JSON") from None
    if end != len(text):
        raise ValueError("more than one JSON value")
    return value
