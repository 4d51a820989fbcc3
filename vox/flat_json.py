"""JSON of one level, without the module `json`, whose import takes longer than a warm call may."""

from __future__ import annotations

try:
    from _json import encode_basestring_ascii as _quoted
except ImportError:  # another Python than CPython
    from json.encoder import encode_basestring_ascii as _quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Value = str | float | bool | None


def flat_json(values: Mapping[str, Value]) -> str:
    """An object in ASCII, as `json.dumps` writes it. Numbers must be finite."""
    return "{" + ", ".join(f"{_quoted(n)}: {_written(v)}" for n, v in values.items()) + "}"


def _written(value: Value) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else repr(value)
