"""Events as bytes: the package `wyoming` reads ours, and we read its and garbage."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.errors import BadInput
from vox.wyoming.frames import LINE_BYTES, Event, encoded, read_event

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from wyoming import event as package

MOST_BYTES = 200_000

objects = st.dictionaries(
    st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text(max_size=20)), max_size=4
)


def read(
    data: bytes, begins_within_s: float | None = None, ends_within_s: float = 60.0
) -> list[Event]:
    """All events in it. Raises as `read_event`."""

    async def all_of_them() -> list[Event]:
        reader = asyncio.StreamReader(limit=LINE_BYTES)
        reader.feed_data(data)
        if begins_within_s is None:
            reader.feed_eof()
        found = []
        while event := await read_event(reader, MOST_BYTES, begins_within_s, ends_within_s):
            found.append(event)
        return found

    return asyncio.run(all_of_them())


@given(kind=st.text(min_size=1, max_size=10), data=objects, payload=st.binary(max_size=50))
def test_the_package_and_we_read_each_other(
    kind: str, data: dict[str, Any], payload: bytes
) -> None:
    out = io.BytesIO()
    for _ in range(2):
        package.write_event(package.Event(kind, data, payload or None), out)
    assert read(out.getvalue()) == [Event(kind, data)] * 2
    found = package.read_event(io.BytesIO(encoded(kind, data, payload)))
    assert found == package.Event(kind, data, payload or None)


def test_data_may_stand_in_the_line_and_what_follows_goes_before_it() -> None:
    line = {"type": "x", "data": {"a": 1, "b": 1}, "data_length": 8, "payload_length": 2}
    assert read(json.dumps(line).encode() + b'\n{"b": 2}pp' + b'{"type": "y"}\n') == [
        Event("x", {"a": 1, "b": 2}),
        Event("y", {}),
    ]


def test_what_cannot_be_written_is_replaced() -> None:
    assert b'"text": "?"' in encoded("pong", {"text": "\ud800"})


def test_long_data_and_payloads_are_read_in_parts() -> None:
    data = {"text": "x" * (MOST_BYTES // 2)}
    assert read(encoded("x", data, bytes(MOST_BYTES))) == [Event("x", data)]


@pytest.mark.parametrize("name", ["data_length", "payload_length"])
def test_what_is_too_large_is_refused_before_it_comes(name: str) -> None:
    for length in (MOST_BYTES + 1, -1, "1", True, 1.5, [1]):
        with pytest.raises(BadInput, match=name):
            read(json.dumps({"type": "x", name: length}).encode() + b"\n")


@given(st.binary(max_size=200))
def test_garbage_is_the_end_or_an_error_and_nothing_else(garbage: bytes) -> None:
    for data in (garbage, garbage + b"\n", b'{"type": "x", "data_length": 9}\n' + garbage):
        with contextlib.suppress(BadInput):
            read(data)


@pytest.mark.parametrize("half", [b'{"type"', b'{"type": "x", "payload_length": 3}\npp'])
def test_half_an_event_takes_only_so_long(half: bytes) -> None:
    with pytest.raises(BadInput, match=r"within 0\.05 s"):
        read(half, begins_within_s=60.0, ends_within_s=0.05)
    with pytest.raises(TimeoutError):
        read(b"", begins_within_s=0.05)
