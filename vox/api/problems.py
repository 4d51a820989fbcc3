"""Errors as the API answers them: RFC 9457 problem details, translated here alone.

`code`, `hint` and, if one field is wrong, `field` stand beside the standard members. From them
`errors.from_dict` rebuilds the error in the client.
"""

from __future__ import annotations

import collections
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from ..errors import QueueFull, VoxError, from_dict
from ..jobs import LIVE, Job
from . import cors

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "5"
OPENAI_PREFIX = "/v1/"


def problem(
    status: int,
    detail: str,
    code: str,
    headers: dict[str, str] | None = None,
    path: str = "",
    **more: Any,
) -> JSONResponse:
    """A problem document with that status.

    For a `path` of OpenAI's API it has OpenAI's `error` as well, and a header that keeps OpenAI's
    client from trying again what would fail again.
    """
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    headers = dict(headers or {})
    if path.startswith(OPENAI_PREFIX):
        body["error"] = openai_error(status, detail, code, more.get("hint"), more.get("field"))
        headers.setdefault("x-should-retry", "true" if "Retry-After" in headers else "false")
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def openai_error(
    status: int, detail: str, code: str, hint: str | None = None, field: str | None = None
) -> dict[str, Any]:
    """The error as OpenAI's clients read it."""
    return {
        "message": f"{detail}; {hint}" if hint else detail,
        "type": "server_error" if status >= 500 else "invalid_request_error",
        "param": field or None,
        "code": code,
    }


def from_error(exc: VoxError, path: str = "") -> JSONResponse:
    data = exc.to_dict()
    headers = {"Retry-After": RETRY_AFTER_S} if isinstance(exc, QueueFull) else None
    message = data.pop("message")
    if data.get("field"):
        data["errors"] = [{"field": data["field"], "why": message}]
    return problem(exc.http_status, message, data.pop("code"), headers, path, **data)


def job_error(job: Job) -> VoxError:
    """Why the job was not spoken."""
    return from_dict({"code": job.error_code or "job-failed", "message": job.error or job.state})


def from_job(job: Job, path: str = "") -> JSONResponse:
    """An ended job: 200 with the job if it was heard, else a problem with the job in it."""
    if job.state in ("done", *LIVE):
        return JSONResponse(job.to_dict(), 200 if job.state == "done" else 202)
    error = job_error(job)
    return problem(error.http_status, error.message, error.code, path=path, job=job.to_dict())


def _fault(error: dict[str, Any], is_json: bool) -> dict[str, str]:
    """One error of the validation: which field, and why it is refused."""
    if error["type"] == "json_invalid":
        return {"field": "body", "why": f"is not JSON: {error.get('ctx', {}).get('error', '')}"}
    if error["type"] == "model_attributes_type" and error["loc"] == ("body",):
        how = "" if is_json else ", sent with Content-Type: application/json"
        return {"field": "body", "why": f"must be a JSON object{how}"}
    field = ".".join(str(part) for part in error["loc"][1:]) or "body"
    return {"field": field, "why": error["msg"]}


def _invalid(faults: list[dict[str, str]], path: str) -> JSONResponse:
    detail = "; ".join(f"{fault['field']}: {fault['why']}" for fault in faults)
    more: dict[str, Any] = {"errors": faults, "field": faults[0]["field"], "hint": "see: /docs"}
    return problem(422, detail, "bad-option", path=path, **more)


def _methods_by_path(routes: Sequence[BaseRoute]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = collections.defaultdict(set)
    for route in routes:
        if isinstance(route, APIRoute):
            found[route.path].update(route.methods or ())
            if "GET" in found[route.path]:
                found[route.path].add("HEAD")
    return found


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Make the app answer every error as a problem document. `routes`: all routes of the app."""
    methods = _methods_by_path(routes)

    async def on_vox_error(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, VoxError)
        return from_error(exc, request.url.path)

    async def on_invalid(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, RequestValidationError)
        media_type = request.headers.get("content-type", "").lower()
        is_json = media_type.startswith("application/") and "json" in media_type
        faults = [_fault(error, is_json) for error in exc.errors()]
        if not is_json and request.url.path == "/speak" and faults[0]["field"] == "body":
            faults[0]["why"] += ", or plain text, sent with text/plain"
        return _invalid(faults, request.url.path)

    async def on_http(request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)
        if exc.status_code == 400 and exc.__cause__ is not None:
            # FastAPI answers so when its JSON parser fails: no UTF-8, too deep, numbers too long.
            why = f"cannot be read as JSON: {exc.__cause__}"
            return _invalid([{"field": "body", "why": why}], request.url.path)
        headers = dict(exc.headers or {})
        route = request.scope.get("route")
        if exc.status_code == 405 and isinstance(route, APIRoute):
            # Several routes may have this path. The one that refused knows only its own methods.
            headers["Allow"] = ", ".join(sorted(methods[route.path]))
        detail, path = str(exc.detail), request.url.path
        return problem(exc.status_code, detail, "bad-input", headers, path, hint="see: /docs")

    async def on_crash(request: Request, exc: Exception) -> JSONResponse:
        log.error("%s %s", request.method, request.url.path, exc_info=exc)
        detail = f"internal error: {type(exc).__name__}"
        # This answer does not pass through the guard, which lets pages read all others.
        return problem(
            500,
            detail,
            "vox-error",
            request.scope.get(cors.SCOPE_KEY),
            path=request.url.path,
            hint="see: vox daemon logs",
        )

    app.add_exception_handler(VoxError, on_vox_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_crash)
