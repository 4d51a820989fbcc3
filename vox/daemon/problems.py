"""Errors as the API answers them: RFC 9457 problem details, one place that translates.

`code`, `hint` and, where one field is at fault, `field` stand beside the standard members, so
that `errors.from_dict` rebuilds the error on the other side.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ..errors import QueueFull, VoxError, from_dict
from ..jobs import LIVE, Job

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = "5"


def problem(
    status: int, detail: str, code: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """A problem document with that status."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }
    return JSONResponse(body, status, headers=headers, media_type=MEDIA_TYPE)


def from_error(exc: VoxError) -> JSONResponse:
    data = exc.to_dict()
    headers = {"Retry-After": RETRY_AFTER_S} if isinstance(exc, QueueFull) else None
    message = data.pop("message")
    return problem(exc.http_status, message, data.pop("code"), headers, **data)


def from_job(job: Job) -> JSONResponse:
    """An ended job: 200 with the job if it was heard, else a problem with the job in it."""
    if job.state in ("done", *LIVE):
        return JSONResponse(job.to_dict(), 200 if job.state == "done" else 202)
    error = from_dict({"code": job.error_code or "job-failed", "message": job.error or job.state})
    return problem(error.http_status, error.message, error.code, job=job.to_dict())


def install(app: FastAPI) -> None:
    """Make the app answer every error as a problem document."""

    async def on_vox_error(_request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, VoxError)
        return from_error(exc)

    async def on_invalid(_request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, RequestValidationError)
        errors = [
            {"field": ".".join(str(part) for part in error["loc"][1:]) or "body", "why": error["msg"]}
            for error in exc.errors()
        ]
        detail = "; ".join(f"{error['field']}: {error['why']}" for error in errors)
        return problem(422, detail, "bad-option", errors=errors, field=errors[0]["field"], hint="see: /docs")

    async def on_http(_request: Request, exc: Exception) -> JSONResponse:
        assert isinstance(exc, HTTPException)
        headers = dict(exc.headers or {})
        return problem(exc.status_code, str(exc.detail), "bad-request", headers, hint="see: /docs")

    async def on_crash(request: Request, exc: Exception) -> JSONResponse:
        log.error("%s %s", request.method, request.url.path, exc_info=exc)
        return problem(500, f"{type(exc).__name__}: {exc}", "vox-error", hint="see: vox daemon logs")

    app.add_exception_handler(VoxError, on_vox_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_crash)
