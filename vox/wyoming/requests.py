"""What `synthesize` and `synthesize-start` ask for, as our request."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..errors import BadOption
from ..jobs import CONNECTION, Request
from ..voices.wish import split_voice


def to_request(data: dict[str, Any], backends: Collection[str], is_open: bool) -> Request:
    """The request of an event's data; `backends` are our names. Raises BadOption.

    `is_open`: the text comes in further events. A voice is named, by name or, where somebody has
    only that field, as a speaker, or chosen by language, or left to the settings.
    """
    if (_text_of(data, "text_format") or "text") != "text":
        raise BadOption("only plain text is spoken, no SSML", field="text_format")
    voice = data.get("voice")
    if not isinstance(voice, dict | None):
        raise BadOption("voice must be an object", field="voice")
    asked = voice or {}
    name = _text_of(asked, "name") or _text_of(asked, "speaker")
    backend, name = split_voice(name, backends) if name else (None, None)
    return Request(
        text="" if is_open else _text_of(data, "text") or "",
        backend=backend,
        voice=name,
        lang=_text_of(asked, "language") or None,
        sink="stream",
        via="wyoming",
        is_open=is_open,
        caller=CONNECTION if is_open else None,
    )


def chunk_of(data: dict[str, Any]) -> str:
    """The text of a `synthesize-chunk`. Raises BadOption."""
    return _text_of(data, "text") or ""


def _text_of(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if not isinstance(value, str | None):
        raise BadOption(f"{name} must be a text", field=name)
    return value
