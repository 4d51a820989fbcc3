"""Events of the Wyoming protocol as bytes.

A line of JSON, then `data_length` bytes of JSON, then `payload_length` bytes of audio. The peer has
shown no token, so what it sends is bounded in size and in time. Knows nothing of speech.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

from ..errors import BadInput

LINE_BYTES = 64 * 1024
"""The longest line, and what is read or decoded at once."""
FRAME_S = 30.0
"""How long an event may take to come, from its first byte."""


class Event(NamedTuple):
    type: str
    data: dict[str, Any]


def encoded(kind: str, data: dict[str, Any], payload: bytes = b"") -> bytes:
    """An event as it goes over the wire."""
    body = _json(data)
    head: dict[str, Any] = {"type": kind, "data_length": len(body)}
    if payload:
        head["payload_length"] = len(payload)
    return b"".join((_json(head), b"\n", body, payload))


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode(errors="replace")


async def read_event(
    reader: asyncio.StreamReader,
    most_bytes: int,
    begins_within_s: float | None,
    ends_within_s: float = FRAME_S,
) -> Event | None:
    """The next event, without its payload; None at the end, also one in the middle of an event.

    `most_bytes` its data or payload may have. `reader` has the limit LINE_BYTES. Raises BadInput
    for what is no event, or not whole in time; TimeoutError if none begins in time.
    """
    try:
        async with asyncio.timeout(begins_within_s):
            first = await reader.readexactly(1)
        try:
            async with asyncio.timeout(ends_within_s):
                return await _read(first, reader, most_bytes)
        except TimeoutError:
            raise BadInput(f"an event did not come to its end within {ends_within_s:g} s") from None
    except asyncio.IncompleteReadError:
        return None


async def _read(first: bytes, reader: asyncio.StreamReader, most_bytes: int) -> Event:
    try:
        line = b"\n" if first == b"\n" else first + await reader.readuntil()
    except asyncio.LimitOverrunError:
        raise BadInput(f"a line has more than {LINE_BYTES:,} bytes") from None
    head = _object(line, "a line")
    kind, data = head.get("type"), head.get("data")
    if not isinstance(kind, str):
        raise BadInput("an event has no type")
    if not isinstance(data, dict | None):
        raise BadInput("an event's data is no object")
    more = _length(head, "data_length", most_bytes)
    payload = _length(head, "payload_length", most_bytes)
    data = data or {}
    if more:
        data |= await _read_object(reader, more)
    while payload:  # nothing that is served here has one
        payload -= len(await reader.readexactly(min(payload, LINE_BYTES)))
    return Event(kind, data)


async def _read_object(reader: asyncio.StreamReader, length: int) -> dict[str, Any]:
    body = await reader.readexactly(length)
    if length <= LINE_BYTES:
        return _object(body, "an event's data")
    return await asyncio.to_thread(_object, body, "an event's data")


def _length(head: dict[str, Any], name: str, most: int) -> int:
    length = head.get(name) or 0
    if type(length) is not int or not 0 <= length <= most:
        raise BadInput(f"{name} must be a number of bytes up to {most:,}")
    return length


def _object(data: bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadInput(f"{what} is no JSON object", "this port speaks the Wyoming protocol")
    return found
