"""Texts that are written over a connection: `POST /speak` with a plain body, and a web socket.

The first plays the text, the second answers with its audio. Both speak it while it is written.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Scope
from starlette.websockets import WebSocketDisconnect

from ..audio.files import Encoder
from ..audio.pcm import USUAL_RATE
from ..callers import WENT_AWAY
from ..errors import BadInput, BadOption, DaemonUnavailable, JobNotLive, QueueFull, VoxError
from ..jobs import CONNECTION, OPTIONS, Job
from ..jobs import Request as SpeechRequest
from ..text.incremental import Decoder
from . import problems, remote_hosts
from .context import Context
from .jobs import wait_for_end
from .responses import json_response
from .schemas import Speak
from .security import check_output, is_control, remote_host
from .speech import AudioStream
from .writing import in_writer

log = logging.getLogger(__name__)

MAX_OPEN = 64
"""Texts that may be written over connections at a time: each may be as slow as it likes."""
_KINDS: dict[str, type] = {
    **{option.key: option.kind for option in OPTIONS.values() if not option.is_span},
    "async": bool,
}
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_GOING_AWAY, _REFUSED, _FAILED, _LATER = 1001, 1008, 1011, 1013
"""Codes with which a web socket is closed."""


def make_router(context: Context) -> APIRouter:
    router = APIRouter(tags=["jobs"])
    places = _Places()

    async def speak_text(request: Request) -> Response:
        return await _Body(context, request).speak(places)

    router.add_api_route(
        "/speak",
        speak_text,
        methods=["POST"],
        include_in_schema=False,  # `POST /speak` tells of it
        route_class_override=_PlainTextRoute,
    )

    @router.websocket("/v1/audio/stream")
    async def stream(socket: WebSocket) -> None:
        await socket.accept()
        try:
            with places.take():
                await _Conversation(context, socket).hold()
        except VoxError as exc:
            await _close(socket, exc)

    return router


class _PlainTextRoute(APIRoute):
    """Matches requests whose body is plain text. The others are those of another route."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        media_type = Headers(scope=scope).get("content-type", "") if "headers" in scope else ""
        if media_type.partition(";")[0].strip().lower() != "text/plain":
            return Match.NONE, {}
        return super().matches(scope)


class _Places:
    """Counts the texts that are being written."""

    def __init__(self) -> None:
        self._taken = 0

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        if self._taken >= MAX_OPEN:
            raise QueueFull(f"{MAX_OPEN} texts are being written already", "try again later")
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def wanted(query: Mapping[str, str]) -> Speak:
    """What the parameters of an address ask for, as the body of `POST /speak`. Raises BadOption."""
    values: dict[str, Any] = {"text": ""}
    for name, value in query.items():
        kind = _KINDS.get(name)
        values[name] = value
        if kind is bool:
            values[name] = _FLAGS.get(value.lower(), value)
        elif kind is float:
            with contextlib.suppress(ValueError):
                values[name] = float(value)
    if "text" in query:
        raise BadOption("the body is the text", "remove the field text", "text")
    try:
        wish: Speak = Speak.model_validate(values)
        return wish
    except ValidationError as exc:
        error = exc.errors()[0]
        field = ".".join(map(str, error["loc"]))
        raise BadOption(f"{field}: {error['msg']}", "see: /docs", field) from exc


# -- text in, sound here -----------------------------------------------------------------------


class _Body:
    """The plain body of a request, spoken while it comes."""

    def __init__(self, context: Context, request: Request) -> None:
        self._context = context
        self._request = request
        query = dict(request.query_params)
        bind = query.pop("bind", "false")
        if bind.lower() not in _FLAGS:
            raise BadOption(f"bind must be true or false, not {bind!r}", field="bind")
        self._is_bound = _FLAGS[bind.lower()]
        self._wish = wanted(query)
        self._length = 0
        self._note = ""

    async def speak(self, places: _Places) -> Response:
        """The answer of `POST /speak`.

        A client that goes in the middle of the body ends the text; with `bind` it cancels the job.
        """
        engine = self._context.engine
        with places.take():
            job = await in_writer(engine.submit, await self._speech())
            try:
                await self._until_ended(job)
            except ClientDisconnect:
                in_writer(self._cancel if self._is_bound else self._release, job)
                return Response(status_code=499)  # Nobody reads it.
            finally:
                # Not awaited here: this coroutine may be being cancelled.
                ending = in_writer(engine.end_text, job.id, self._note)
            await ending
        if not self._wish.is_async:
            return problems.from_job(await wait_for_end(self._context, job, self._request))
        await in_writer(self._release, job)

        def now() -> dict[str, Any]:
            known = engine.store.get(job.id)
            return engine.store.show(known)

        answer = await json_response(now, 202)
        answer.headers["Location"] = f"/jobs/{job.id}"
        return answer

    async def _until_ended(self, job: Job) -> None:
        """Read the body; return at its end or once the job has ended. Raises ClientDisconnect."""
        ended = asyncio.create_task(self._context.broadcaster.wait_for_end(job.id))
        reading = asyncio.create_task(self._read(job))
        try:
            await asyncio.wait([ended, reading], return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                await reading
        finally:
            reading.cancel()
            ended.cancel()

    async def _speech(self) -> SpeechRequest:
        server = self._request.scope.get("server")
        host = remote_host(server)
        if host is None and not is_control(server) and self._wish.output is not None:
            folder = self._context.config()["http_output_dir"]
            self._wish.output = await asyncio.to_thread(check_output, self._wish.output, folder)
        speech = remote_hosts.limited(self._wish.to_request(), host)
        speech.is_open, speech.caller = True, CONNECTION
        return speech

    async def _read(self, job: Job) -> None:
        """Write what comes into the job's text, until its end or what cannot be decoded."""
        decoder = Decoder()
        async for data in self._request.stream():
            # The last part has no data, but more may come after an empty one.
            if data and not await self._write(job, decoder.decode(data)):
                return
            if decoder.error:
                break
        if not decoder.error:
            await self._write(job, decoder.decode(b""))
        if decoder.error:
            self._note = decoder.error.line

    async def _write(self, job: Job, text: str) -> bool:
        """False if no more is taken."""
        if not text:
            return True
        append = self._context.engine.append_text
        try:
            self._length, is_open = await in_writer(append, job.id, self._length, text)
        except JobNotLive:
            return False
        return is_open

    def _cancel(self, job: Job) -> None:
        with contextlib.suppress(VoxError):  # it has ended by itself
            self._context.engine.cancel(job.id, WENT_AWAY)

    def _release(self, job: Job) -> None:
        with contextlib.suppress(VoxError):
            self._context.engine.release(job.id)


# -- text in, audio out ------------------------------------------------------------------------


class _Gone(Exception):
    """The client is gone."""


class _Conversation:
    """One web socket: its messages are a text, and it gets the text's audio."""

    def __init__(self, context: Context, socket: WebSocket) -> None:
        self._context = context
        self._socket = socket
        self._length = 0

    async def hold(self) -> None:
        """Raises the error to close the web socket with."""
        query = dict(self._socket.query_params)
        audio_format = query.pop("response_format", "pcm")
        rate = (await asyncio.to_thread(Encoder, audio_format, USUAL_RATE)).sample_rate
        wish = wanted(query)
        if wish.output is not None:
            raise BadOption("output: the audio comes back here", "leave it out", "output")
        speech = wish.to_request()
        speech.is_open, speech.caller, speech.sink = True, CONNECTION, "stream"
        if self._context.is_leaving:
            raise DaemonUnavailable(
                "the daemon is stopping", "start it and try again: vox daemon start"
            )
        engine = self._context.engine
        job = await in_writer(engine.submit, speech)
        is_whole = False
        try:
            about: dict[str, Any] = {
                "id": job.id,
                "response_format": audio_format,
                "notes": job.notes,
            }
            if audio_format == "pcm":
                about["sample_rate"] = rate
            await self._send(about)
            await self._exchange(job, audio_format)
            is_whole = True
        except _Gone:
            pass
        finally:
            if not is_whole:
                await asyncio.shield(in_writer(self._cancel, job))

    async def _exchange(self, job: Job, audio_format: str) -> None:
        reading = asyncio.create_task(self._read(job))
        speaking = asyncio.create_task(self._speak(job, audio_format))
        try:
            await asyncio.wait([reading, speaking], return_when=asyncio.FIRST_COMPLETED)
            # `_read` ends by raising only.
            await (speaking if speaking.done() else reading)
        finally:
            for task in (reading, speaking):
                task.cancel()
            await asyncio.gather(reading, speaking, return_exceptions=True)

    async def _read(self, job: Job) -> None:
        engine = self._context.engine
        while True:
            message = await self._message()
            if text := message.get("text"):
                with contextlib.suppress(JobNotLive):  # `_speak` says what became of it
                    self._length, _ = await in_writer(
                        engine.append_text, job.id, self._length, text
                    )
            if message.get("flush"):
                await in_writer(engine.flush_text, job.id)
            if message.get("end"):
                await in_writer(engine.end_text, job.id)

    async def _message(self) -> dict[str, Any]:
        """The next message. Raises _Gone, BadInput."""
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise _Gone
        try:
            message = json.loads(received.get("text") or "")
        except (ValueError, RecursionError):
            message = None
        is_known = isinstance(message, dict) and message.keys() <= {"text", "flush", "end"}
        if not is_known or not _is_sound(message):
            raise BadInput(
                "unknown message",
                'send {"text": "..."}, {"flush": true}, {"end": true}',
            )
        return dict(message)

    async def _speak(self, job: Job, audio_format: str) -> None:
        engine = self._context.engine
        spool = await asyncio.to_thread(engine.spools.open, job.id)
        with contextlib.closing(spool):
            stream = AudioStream(self._context, job, spool, audio_format)
            async with contextlib.aclosing(stream.blocks()) as blocks:
                async for data in blocks:
                    await self._send(data)
        ended = await asyncio.to_thread(engine.store.get, job.id)
        await self._send({"job": ended.to_dict()})
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await self._socket.close()

    async def _send(self, data: bytes | dict[str, Any]) -> None:
        """Raises _Gone."""
        try:
            if isinstance(data, bytes):
                await self._socket.send_bytes(data)
            else:
                await self._socket.send_text(json.dumps(data, ensure_ascii=False))
        except (WebSocketDisconnect, RuntimeError) as exc:
            raise _Gone from exc

    def _cancel(self, job: Job) -> None:
        with contextlib.suppress(VoxError):  # it has ended by itself
            self._context.engine.cancel(job.id, WENT_AWAY)


def _is_sound(message: dict[str, Any]) -> bool:
    flags = all(isinstance(message.get(name), bool | None) for name in ("flush", "end"))
    return flags and isinstance(message.get("text"), str | None)


async def _close(socket: WebSocket, error: VoxError) -> None:
    """Tell why, and close."""
    code = _REFUSED if error.http_status < 500 else _FAILED
    if isinstance(error, QueueFull):
        code = _LATER
    elif isinstance(error, DaemonUnavailable):
        code = _GOING_AWAY
    about = {**error.to_dict(), "status": error.http_status}
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        await socket.send_text(json.dumps({"error": about}, ensure_ascii=False))
        await socket.close(code, error.message.encode()[:120].decode(errors="ignore"))
