"""Routes of jobs: speak, list, show, cancel, replay, and their kept audio."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.datastructures import QueryParams

from ..callers import WENT_AWAY
from ..durations import moment
from ..errors import BadOption, VoxError
from ..jobs import AS_IT_WAS, CONNECTION, GOING_ON, Job, State, Via, Wanted
from ..jobs import Request as SpeechRequest
from . import problems, remote_hosts, schemas
from .context import Context
from .responses import disconnected, has_gone, json_array, json_response
from .schemas import MoreText, Replay, Speak, answers
from .security import check_output, is_control, remote_host
from .writing import in_writer

JobId = Annotated[
    str,
    Path(
        max_length=100,
        description="Or an unambiguous beginning of it. `last` and `@1` are the newest job, `@2` "
        "is the one before it.",
    ),
]
WholeId = Annotated[str, Path(max_length=100)]
NO_JOB = answers(404, 409, 422)
_JOB = {200: {"model": schemas.Job}, **NO_JOB}
_WAV: dict[int | str, dict[str, Any]] = {
    200: {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}}
}


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["jobs"])
    _add_speak(router, context)
    _add_history(router, context)
    _add_one(router, context)
    _add_again(router, context)
    return router


def _shown(context: Context, job: Job) -> dict[str, Any]:
    return context.engine.store.show(job)


async def _accepted(context: Context, request: SpeechRequest) -> Response:
    """202 with the new job. Made in one turn of a thread, for each costs as much as the rest."""
    location = ""

    def submit() -> dict[str, Any]:
        nonlocal location
        job = context.engine.submit(request)
        location = f"/jobs/{job.id}"
        return _shown(context, job)

    answer = await json_response(submit, 202, writes=True)
    answer.headers["Location"] = location
    return answer


def _add_speak(router: APIRouter, context: Context) -> None:
    @router.post(
        "/speak",
        responses={
            200: {"model": schemas.Job, "description": "It was heard."},
            202: {"model": schemas.Job, "description": "Accepted, with `async`."},
            **answers(409, 422, 500, 503),
        },
    )
    async def speak(body: Speak, request: Request) -> Response:
        """Speak: 200 with the job once it was heard, or 202 with the job at once if `async`.

        With `Content-Type: text/plain` the body is the text, and the fields stand in the address:
        `POST /speak?voice=heart`. It is spoken while it comes, however slowly. A client that goes
        in the middle of it ends the text, or cancels the job with `bind=true`. With `async` the
        answer comes at the end of the body.
        """
        server = request.scope.get("server")
        host = remote_host(server)
        if not is_control(server):
            # Whose PID that is, nobody can tell. A server's caller is there while it follows.
            body.caller = CONNECTION if body.caller and host else None
            if body.output is not None and host is None:
                folder = context.config()["http_output_dir"]
                body.output = await asyncio.to_thread(check_output, body.output, folder)
        request_to_speak = remote_hosts.limited(body.to_request(), host)
        if body.is_open and not (body.is_async and body.caller):
            raise BadOption("open needs async and a caller", field="open")
        if body.id is not None and await has_gone(request):
            # Who chooses an id makes a request again if it has lost the answer, or has told its
            # user that nothing is spoken. This process may have hung meanwhile.
            return Response(status_code=499)  # Nobody reads it.
        if body.is_async:
            return await _accepted(context, request_to_speak)
        job = await in_writer(context.engine.submit, request_to_speak)
        return problems.from_job(await wait_for_end(context, job, request))


def _add_history(router: APIRouter, context: Context) -> None:
    engine = context.engine

    @router.get("/jobs", responses={200: {"model": list[schemas.Job]}, **NO_JOB})
    async def list_jobs(
        request: Request,
        limit: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
        search: str | None = None,
        state: Annotated[list[State] | None, Query()] = None,
        source: str | None = None,
        via: Via | None = None,
        since: Annotated[str | None, Query(max_length=100)] = None,
        before: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Response:
        """Jobs, newest first; with `before`, only those made before the job of that id.

        `source` is who sent them, `via` the way they came.
        `since`: only those made since then: `2h` (ago), `yesterday` or a time in ISO 8601.
        With a `limit`, the header `Link` (`rel="next"`) leads to the next jobs if there are any.
        """
        store = engine.store
        seq = (await asyncio.to_thread(store.get, before)).seq if before else None
        wanted = Wanted(search, tuple(state or ()), source, _moment(since), via)
        paged = store.history.last_of_page
        last = await asyncio.to_thread(paged, limit, wanted, seq) if limit else None
        headers = {"Link": _next_page(request, last)} if last else {}

        def found() -> Iterator[dict[str, Any]]:
            pages = store.history.pages(limit, wanted, seq)
            return store.shown(job for page in pages for job in page)

        return await json_array(found, headers)

    @router.delete("/jobs", response_model=schemas.Cleared, responses=answers(422))
    async def clear(
        older_than_s: Annotated[float | None, Query(ge=0, le=1e12)] = None,
    ) -> dict[str, int]:
        """Forget ended jobs and their audio."""
        return {"cleared": len(await in_writer(engine.clear, older_than_s))}


def _moment(since: str | None) -> float | None:
    """A time in seconds since the epoch. Raises BadOption."""
    try:
        return None if since is None else moment(since, time.time())
    except ValueError as exc:
        raise BadOption(str(exc), field="since") from None


def _next_page(request: Request, last: str) -> str:
    """The header `Link` that leads to what comes after the job of that id."""
    query = [pair for pair in request.query_params.multi_items() if pair[0] != "before"]
    return f'<{request.url.path}?{QueryParams([*query, ("before", last)])}>; rel="next"'


def _add_one(router: APIRouter, context: Context) -> None:
    engine = context.engine

    @router.get("/jobs/{job_id}", responses=_JOB)
    async def show(job_id: JobId) -> Response:
        """One job, by its id or an unambiguous beginning of it."""
        return await json_response(lambda: _shown(context, engine.store.get(job_id)))

    @router.delete("/jobs/{job_id}", responses=_JOB)
    async def cancel(job_id: JobId) -> Response:
        """Cancel a live job: waiting, being prepared or being spoken."""
        return await json_response(lambda: engine.cancel(job_id).to_dict(), writes=True)

    @router.post(
        "/jobs/{job_id}/text", response_model=schemas.Grown, responses=answers(404, 409, 413, 422)
    )
    async def more_text(job_id: WholeId, body: MoreText) -> Response:
        """Add to a text that is still being written, or end it."""

        def add() -> dict[str, Any]:
            # Not `store.get`, which reads the whole text each time.
            length, is_open = engine.append_text(job_id, body.offset, body.text)
            if body.end:
                engine.end_text(job_id)
            return {"length": length, "open": is_open and not body.end}

        return await json_response(add, writes=True)

    @router.get("/jobs/{job_id}/audio", response_class=FileResponse, responses={**_WAV, **NO_JOB})
    async def audio(job_id: JobId) -> Response:
        """The job's audio as a WAV file, as long as it is kept."""
        path = await asyncio.to_thread(engine.export_audio, job_id)
        return FileResponse(
            path, media_type="audio/wav", background=BackgroundTask(os.unlink, path)
        )


def _add_again(router: APIRouter, context: Context) -> None:
    engine = context.engine

    @router.post(
        "/jobs/{job_id}/replay",
        status_code=202,
        responses={202: {"model": schemas.Job}, **answers(404, 409, 422, 503)},
    )
    async def replay(
        request: Request,
        job_id: JobId,
        caller: Annotated[str | None, Query(max_length=schemas.NAME_LIMIT)] = None,
        body: Replay | None = None,
    ) -> Response:
        """Speak a job again: a new job, from the kept audio if there is any.

        `last` is the newest job that was heard. At another `speed` the pitch stays. `caller`: as in
        `POST /speak`.
        """
        changes = AS_IT_WAS if body is None else body.to_changes()
        if not is_control(request.scope.get("server")):
            caller = None
            if changes.output is not None:
                folder = context.config()["http_output_dir"]
                output = await asyncio.to_thread(check_output, changes.output, folder)
                changes = replace(changes, output=output)
        return await json_response(
            lambda: _shown(context, engine.replay(job_id, caller, changes)), 202, writes=True
        )

    @router.post(
        "/jobs/{job_id}/continue",
        status_code=202,
        responses={202: {"model": schemas.Job}, **answers(404, 409, 422, 503)},
    )
    async def go_on(
        request: Request,
        job_id: JobId,
        caller: Annotated[str | None, Query(max_length=schemas.NAME_LIMIT)] = None,
    ) -> Response:
        """Go on with a job that was cancelled, skipped or failed: a new job that begins with the
        sentence at which the ear stopped.

        `last` is the newest that was cut off. `caller`: as in `POST /speak`.
        """
        caller = caller if is_control(request.scope.get("server")) else None
        return await json_response(
            lambda: _shown(context, engine.replay(job_id, caller, GOING_ON)), 202, writes=True
        )


async def wait_for_end(context: Context, job: Job, request: Request) -> Job:
    """The job once it has ended. Cancels it if the caller disconnects before that."""
    ended = asyncio.create_task(context.broadcaster.wait_for_end(job.id))
    gone = asyncio.create_task(disconnected(request.receive))
    await asyncio.wait([ended, gone], return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    if not ended.done():
        ended.cancel()
        with contextlib.suppress(VoxError):
            return await in_writer(context.engine.cancel, job.id, WENT_AWAY)
    return await ended
