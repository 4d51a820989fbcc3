"""What several families of routes share: JSON made in a thread, and noticing a disconnect."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

from fastapi import Response
from starlette.types import Receive


async def json_response(build: Callable[[], Any], status: int = 200) -> Response:
    """What `build` returns, as JSON. Runs in a thread: a long list would hold up the loop."""
    body = await asyncio.to_thread(lambda: _encoded(build()))
    return Response(body, status, media_type="application/json")


def _encoded(value: Any) -> bytes:
    """As JSON. An iterator's items are encoded one by one, for the encoder blocks all threads."""
    dumps = functools.partial(json.dumps, ensure_ascii=False)
    if isinstance(value, Iterator):
        return f"[{', '.join(map(dumps, value))}]".encode()
    return dumps(value).encode()


async def disconnected(receive: Receive) -> None:
    """Return once the caller has disconnected. What it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
