"""What a page of an allowed Origin is told, so that its browser lets it use the API.

Knows nothing of which Origins are allowed, nor of routes.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import Message, Scope, Send

SCOPE_KEY = "vox.cors"
"""Where the scope has the headers of the answer, for whoever answers outside of the app."""

_METHODS = "GET, HEAD, POST, DELETE"
_HEADERS = ("authorization", "content-type", "last-event-id")
_EXPOSED = "Link, Location, Retry-After, X-Job-Id"
_MAX_AGE_S = 600
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,100}")


def is_preflight(method: str, headers: Headers) -> bool:
    """Whether a browser asks what a page may send. It shows no token then."""
    is_asked = "origin" in headers and "access-control-request-method" in headers
    return method == "OPTIONS" and is_asked


def preflight(headers: Headers) -> Response:
    """The answer to a preflight of an allowed Origin: it may send any header that it asks for."""
    asked = headers.get("access-control-request-headers", "").lower().split(",")
    names = dict.fromkeys([*_HEADERS, *(name.strip() for name in asked)])
    answer = {
        **_allowed(headers["origin"]),
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": ", ".join(name for name in names if _NAME.fullmatch(name)),
        "Access-Control-Max-Age": str(_MAX_AGE_S),
    }
    if headers.get("access-control-request-private-network") == "true":
        answer["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=answer)


def readable(scope: Scope, origin: str, send: Send) -> Send:
    """`send`, with the headers that let a page of that Origin read the answer."""
    allowed = {**_allowed(origin), "Access-Control-Expose-Headers": _EXPOSED}
    scope[SCOPE_KEY] = allowed

    async def send_readable(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in allowed.items():
                if name == "Vary":
                    headers.add_vary_header(value)
                else:
                    headers[name] = value
        await send(message)

    return send_readable


def _allowed(origin: str) -> dict[str, str]:
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
