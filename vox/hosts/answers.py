"""What a host may answer. A frame that is none of it is refused, before anybody relies on it.

A host runs a third party's code, and whatever its libraries do. Knows headers, not pipes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..errors import (
    BadInput,
    HostCrashed,
    HostError,
    JobFailed,
    NotAvailable,
    StorageError,
    VoxError,
    from_dict,
)
from .protocol import ProtocolError

MAX_MESSAGE = 2000
"""The characters of a message of an error that are kept."""

_Fits = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_size(value: Any) -> bool:
    return value is None or (_is_number(value) and value >= 0)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_id(value: Any) -> bool:
    return isinstance(value, int)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_MEMORY: dict[str, _Fits] = {"rss_mb": _is_size, "vram_mb": _is_size}
_FIELDS: dict[str, dict[str, _Fits]] = {
    "progress": {
        "text": _is_text,
        "fraction": lambda value: value is None or _is_number(value),
    },
    "ready": {
        "device": _is_text,
        "dtype": _is_text_or_none,
        "model": _is_text_or_none,
        "engine": _is_text_or_none,
        "notes": _are_texts,
        "load_s": _is_number,
        **_MEMORY,
    },
    "chunk": {"id": _is_id, "sample_rate": _is_positive},
    "end": {"id": _is_id, "cut_off": _is_flag, **_MEMORY},
    "error": {
        "id": lambda value: value is None or _is_id(value),
        "error": lambda value: isinstance(value, dict),
    },
    "stats": _MEMORY,
}


def check(header: dict[str, Any]) -> None:
    """Raises ProtocolError unless it is the header of an answer, with all its fields."""
    event = header.get("event")
    fields = _FIELDS.get(event) if isinstance(event, str) else None
    if fields is None:
        raise ProtocolError(f"an unknown event {str(event)[:60]!r}")
    for name, fits in fields.items():
        if not fits(header.get(name)):
            raise ProtocolError(f"{event} with {name} = {str(header.get(name))[:60]!r}")


def error_of(header: dict[str, Any]) -> VoxError:
    """The error that an "error" frame tells of: one that a backend may raise."""
    error = from_dict(header["error"])
    message, hint = error.message[:MAX_MESSAGE], error.hint[:MAX_MESSAGE]
    if isinstance(error, HostError | NotAvailable | BadInput) or type(error) is StorageError:
        return type(error)(message, hint)
    return JobFailed(message, hint or HostCrashed.default_hint)
