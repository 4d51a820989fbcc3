"""What several families of routes share: JSON made in a thread, and noticing a disconnect.

Whoever holds the interpreter for long makes speech stutter: the player has to write every few
milliseconds. So what may be long is read, encoded and sent in small parts.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive

from .writing import in_writer

PART_BYTES = 64 * 1024
"""Sent at once of a long answer."""
_encoded = json.JSONEncoder(ensure_ascii=False).encode


async def json_response(
    build: Callable[[], Any], status: int = 200, *, writes: bool = False
) -> Response:
    """What `build` returns, as JSON. Runs in a thread; `writes`: in one for writers."""
    run = in_writer if writes else asyncio.to_thread
    body = await run(lambda: _encoded(build()).encode())
    return Response(body, status, media_type="application/json")


async def json_array(
    build: Callable[[], Iterator[Any]], headers: Mapping[str, str] | None = None
) -> Response:
    """The items of the iterator that `build` returns, as a JSON array with one item a line.

    They are made in a thread and sent as they come, so the list may be as long as it likes. An
    error before the first part is sent is answered as one; a later one breaks the answer off.
    """
    parts = await asyncio.to_thread(lambda: _parts(build()))

    async def next_part() -> bytes:
        """b"" at the end."""
        return await asyncio.to_thread(lambda: next(parts, b""))

    first, second = await next_part(), await next_part()
    if not second:
        return Response(first, headers=headers, media_type="application/json")

    async def body() -> AsyncIterator[bytes]:
        yield first
        part = second
        while part:
            yield part
            part = await next_part()

    return StreamingResponse(body(), headers=headers, media_type="application/json")


def _parts(items: Iterator[Any]) -> Iterator[bytes]:
    """The array in parts of about PART_BYTES; its first and its last line are brackets."""
    part, size, separator = ["["], 0, "\n"
    for item in items:
        text = _encoded(item)
        part += (separator, text)
        size, separator = size + len(text), ",\n"
        if size >= PART_BYTES:
            yield "".join(part).encode()
            part, size = [], 0
    yield "".join([*part, "\n]\n"]).encode()


async def has_gone(request: Request) -> bool:
    """Whether the caller has disconnected already."""
    for _ in range(3):  # the loop learns of the end of a connection after what came before it
        await asyncio.sleep(0)
    return await request.is_disconnected()


async def disconnected(receive: Receive) -> None:
    """Return once the caller has disconnected. What it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
