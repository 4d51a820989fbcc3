"""Server-sent events as they go over the wire. Knows nothing of jobs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse

HEARTBEAT_S = 15.0
"""A stream that is quiet for this long sends a comment, so that a lost connection is noticed."""
HEARTBEAT = b": still here\n\n"


def frame(name: str, data: dict[str, Any], event_id: str = "") -> bytes:
    """One event."""
    prefix = f"id: {event_id}\n" if event_id else ""
    return f"{prefix}event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def response(chunks: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(chunks, media_type="text/event-stream", headers=headers)


def last_event_id(request: Request) -> str | None:
    """The id of the last event that a client which reconnects has seen."""
    return request.headers.get("last-event-id") or request.query_params.get("last_event_id")
