"""Who may use the API: Host and Origin names, the bearer token, and the size of a body.

The control socket is protected by its file mode, so requests over it need no token. Over TCP every
request needs it, whatever the path, but for a browser's preflight, which cannot show it and does
nothing. Either way a page in a browser is refused unless it comes from this machine or from a
listed host. Knows nothing of routes.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..addresses import is_loopback
from ..config import Config
from ..errors import BadOutput, StorageError
from ..paths import Paths, remote_host_of
from ..tokens import read_token
from . import cors
from .problems import RETRY_AFTER_S, problem

log = logging.getLogger(__name__)

BYTES_PER_CHARACTER = 12
"""The most bytes that JSON needs for a character of a text: two escaped surrogates."""
BODY_SLACK = 64 * 1024

_LIST_IT = "to allow it: vox config set http_hosts NAME"
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]/@?#\s]+)(?::\d{1,5})?\Z")


class Guard:
    """ASGI middleware in front of everything else.

    If the server gives the request a function `admit` in its state, that is called once the
    request may be answered; it returns False if there are too many connections.
    """

    def __init__(self, app: ASGIApp, paths: Paths, config: Callable[[], Config]) -> None:
        self._app = app
        self._paths = paths
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        config = self._config()
        headers = Headers(scope=scope)
        is_over_tcp = is_tcp(scope.get("server"))
        refusal = _foreign(scope["path"], headers, is_over_tcp, config["http_hosts"])
        origins = headers.getlist("origin")
        is_http = scope["type"] == "http"
        if refusal is None and is_http and len(origins) == 1:
            if cors.is_preflight(scope["method"], headers):
                await cors.preflight(headers)(scope, receive, send)
                return
            send = cors.readable(scope, origins[0], send)
        if refusal is None and is_over_tcp and not self._has_token(headers):
            refusal = _refuse(
                scope["path"], 401, "the token is missing or wrong", "see: vox daemon token"
            )
            refusal.headers["WWW-Authenticate"] = "Bearer"
        admit = scope.get("state", {}).get("admit")
        if refusal is None and admit is not None and not admit():
            refusal = _too_many(scope["path"])
        limit = BYTES_PER_CHARACTER * int(config["max_text"]) + BODY_SLACK
        length = headers.get("content-length", "0")
        if refusal is None and (not length.isdigit() or int(length) > limit):
            refusal = _too_large(scope["path"], limit)
        if refusal is not None:
            # The connection stays open: closing it while the client still sends would reset it, and
            # the client might never read the answer. uvicorn drops the rest of the body.
            await refusal(scope, receive, send)
            return
        await self._app(scope, _bounded(receive, limit) if is_http else receive, send)

    def _has_token(self, headers: Headers) -> bool:
        try:
            wanted = read_token(self._paths)
        except StorageError as exc:
            log.error("every request over TCP is refused: %s", exc.line)
            return False
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if not wanted or scheme.lower() != "bearer":
            return False
        return secrets.compare_digest(given.strip().encode(), wanted.encode())


def _foreign(path: str, headers: Headers, is_tcp: bool, listed: Collection[str]) -> Response | None:
    """The refusal of a request that is for another host, or comes from a page of one."""
    if is_tcp and not _are_hosts(headers.getlist("host"), listed):
        return _refuse(path, 421, "Host not allowed", _LIST_IT)
    origins = headers.getlist("origin")
    if not _are_origins(origins, listed):
        return _refuse(path, 403, "requests from this Origin are not allowed", _LIST_IT)
    if headers.get("sec-fetch-site") == "cross-site" and not origins:
        return _refuse(
            path,
            403,
            "requests from pages of other sites are not allowed",
            "type the address into the address bar",
        )
    return None


Address = tuple[str, int | None] | None
"""Where a connection came in: host and port, or the path of a Unix socket and None."""


def is_tcp(server: Address) -> bool:
    """Whether that address of ours is one on TCP: everything that is no Unix socket."""
    return server is None or server[1] is not None


def remote_host(server: Address) -> str | None:
    """The server whose requests ssh leads to that address of ours; None: it is for no such."""
    return None if server is None or is_tcp(server) else remote_host_of(server[0])


def is_control(server: Address) -> bool:
    """Whether that is the control socket, which the user's own processes alone reach."""
    return not is_tcp(server) and remote_host(server) is None


def check_output(output: str, folder: str | None) -> str:
    """The path of a file that a request over TCP may write: below `folder`, through no link.

    `folder`: the setting `http_output_dir`. Raises BadOutput.
    """
    if folder is None:
        raise BadOutput(
            "output is not allowed over TCP",
            "to allow it in a folder: vox config set http_output_dir DIR",
        )
    above, name = os.path.split(output)
    try:
        base = os.path.realpath(os.path.expanduser(folder))
        path = os.path.join(os.path.realpath(above), name)
    except (OSError, ValueError) as exc:
        raise BadOutput(f"output {output!r} cannot be written: {exc}") from exc
    is_below = path.startswith(base.rstrip(os.sep) + os.sep)
    if not is_below or name in ("", ".", "..") or os.path.islink(path):
        raise BadOutput(
            f"output {output!r} is not a file below {folder}",
            "choose one that is",
        )
    return path


def _refuse(path: str, status: int, detail: str, hint: str) -> Response:
    return problem(status, detail, "forbidden", path=path, hint=hint)


def _too_many(path: str) -> Response:
    """503: see `daemon.connections`."""
    headers = {"Retry-After": RETRY_AFTER_S, "Connection": "close"}
    detail, hint = "too many connections", "close some, or try again later"
    return problem(503, detail, "daemon-unavailable", headers, path, hint=hint)


def _too_large(path: str, limit: int) -> Response:
    detail = f"the body is over {limit:,} bytes"
    return problem(413, detail, "text-too-long", path=path, hint="see: vox config show max_text")


def _bounded(receive: Receive, limit: int) -> Receive:
    """`receive`, with an error once a body without a length, or with a wrong one, is too long."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise HTTPException(413, f"the body is over {limit:,} bytes")
        return message

    return bounded


def _is_allowed(netloc: str, listed: Collection[str]) -> bool:
    """`netloc`: "name" or "name:port". A listed name without a port allows every port."""
    match = _HOST.match(netloc)
    if match is None:
        return False
    known = {each.lower() for each in listed}
    return is_loopback(match[1]) or match[1].lower() in known or netloc.lower() in known


def _are_hosts(hosts: list[str], listed: Collection[str]) -> bool:
    return len(hosts) == 1 and _is_allowed(hosts[0], listed)


def _are_origins(origins: list[str], listed: Collection[str]) -> bool:
    for origin in origins:
        try:
            netloc = urlsplit(origin).netloc
        except ValueError:
            return False
        if not _is_allowed(netloc, listed):
            return False
    return True
