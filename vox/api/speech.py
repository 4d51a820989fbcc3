"""A job's audio as a response, encoded while the spool grows; nothing is played.

The status is sent with the first audio, so a failure before that is answered as an error. Of FLAC,
whose header has the length, that is once all is made. A failure after it leaves the response
unfinished, so that no client takes it for the whole. A client that disconnects before the end
cancels the job. Knows nothing of OpenAI's names.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, Iterator
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..audio.files import Encoder, media_type, needs_length
from ..audio.pcm import USUAL_RATE, amplified, frames_in, silence
from ..audio.spool import Spool
from ..callers import WENT_AWAY
from ..errors import DaemonUnavailable, VoxError
from ..jobs import Job
from . import problems
from .context import Context
from .responses import disconnected
from .writing import in_writer

log = logging.getLogger(__name__)

BLOCK_S = 1.0
"""Audio that is encoded at once: a slow reader holds no more than this in memory."""
EMPTY_S = 0.1


class AudioStream:
    """The encoded audio of one job, as it comes. Only used from the loop's thread."""

    def __init__(self, context: Context, job: Job, spool: Spool, audio_format: str) -> None:
        self._context = context
        self._job = job
        self._spool = spool
        self._format = audio_format
        self._encoder: Encoder | None = None
        self._at = 0
        self._rollbacks = 0
        self._wake = asyncio.Event()
        self._ended: Job | None = None

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Raises the error that the job ended with, or DaemonUnavailable if the daemon leaves."""
        with self._woken():
            while True:
                self._wake.clear()
                self._at, self._rollbacks = self._spool.after_rollbacks(self._at, self._rollbacks)
                if self._spool.frames > self._at and self._may_begin():
                    data = await asyncio.to_thread(self._encode)
                elif self._spool.is_complete:
                    assert self._encoder is not None
                    if data := await asyncio.to_thread(self._encoder.finish):
                        yield data
                    # A client that has the whole answer finds the job ended in the history.
                    while self._ended is None:
                        await self._wake.wait()
                        self._wake.clear()
                    return
                elif self._ended is not None:
                    raise _failure(self._ended)
                else:
                    await self._wake.wait()
                    continue
                if data:
                    yield data

    @contextlib.contextmanager
    def _woken(self) -> Iterator[None]:
        """Be woken by more audio and by the job's end."""
        loop = asyncio.get_running_loop()

        def waker() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._wake.set)

        self._spool.add_waker(waker)
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._spool.remove_waker(waker)
            watching.cancel()

    async def _watch(self) -> None:
        try:
            self._ended = await self._context.broadcaster.wait_for_end(self._job.id)
        except VoxError:
            self._ended = self._job  # it was cleared from the history
        self._wake.set()

    def _may_begin(self) -> bool:
        """False while the header of the format lacks a length that is not known yet."""
        return self._spool.is_complete or not needs_length(self._format)

    def _encode(self) -> bytes:
        rate = self._spool.sample_rate
        assert rate is not None
        if self._encoder is None:
            # A spool that is complete does not grow, so the order matters.
            frames = self._spool.frames if self._spool.is_complete else None
            self._encoder = Encoder(self._format, rate, frames)
        samples = self._spool.read(self._at, frames_in(BLOCK_S, rate))
        self._at += len(samples)
        return self._encoder.feed(amplified(samples, self._job.volume))


def _failure(job: Job) -> VoxError:
    if job.is_live:
        return DaemonUnavailable(
            "the daemon is stopping", "start it and try again: vox daemon start"
        )
    return problems.job_error(job)


def empty_speech(audio_format: str, is_sse: bool) -> Response:
    """A moment of silence, for a text without words.

    Raises BadOption if the format cannot be made here.
    """
    samples = silence(EMPTY_S, USUAL_RATE)
    encoder = Encoder(audio_format, USUAL_RATE, len(samples))
    data = encoder.feed(samples) + encoder.finish()
    if is_sse:
        return Response(_delta(data) + _event(_DONE), media_type="text/event-stream")
    return Response(data, media_type=media_type(audio_format))


class SpeechResponse(Response):
    """Streams a job's audio, as it is or as OpenAI's events (`is_sse`)."""

    def __init__(self, context: Context, job: Job, audio_format: str, is_sse: bool) -> None:
        self._context = context
        self._job = job
        self._format = audio_format
        self._is_sse = is_sse
        self._is_served = False
        super().__init__(
            media_type="text/event-stream" if is_sse else media_type(audio_format),
            headers={"X-Job-Id": job.id, "Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(disconnected(receive))
        serving = asyncio.create_task(self._serve(scope, receive, send))
        try:
            await asyncio.wait([gone, serving], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            gone.cancel()
            serving.cancel()
            if not self._is_served:
                await asyncio.shield(in_writer(self._cancel))

    def _cancel(self) -> None:
        with contextlib.suppress(VoxError):  # it has ended by itself
            self._context.engine.cancel(self._job.id, WENT_AWAY)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        engine = self._context.engine
        spool = await asyncio.to_thread(engine.spools.open, self._job.id)
        has_begun = False
        with contextlib.closing(spool):
            stream = AudioStream(self._context, self._job, spool, self._format)
            try:
                async with contextlib.aclosing(stream.blocks()) as blocks:
                    async for data in blocks:
                        if not has_begun:
                            has_begun = True
                            await self._begin(send)
                        await _send(send, _delta(data) if self._is_sse else data)
            except VoxError as exc:
                if not has_begun:
                    await problems.from_error(exc, scope["path"])(scope, receive, send)
                    return
                log.warning("job %s: its audio stream breaks off: %s", self._job.id, exc.line)
                if self._is_sse:
                    await _send(send, _event({"type": "error", "error": _openai_error(exc)}))
                # Without the last, empty part the server drops the connection: visibly broken.
                return
        if self._is_sse:
            await _send(send, _event(_DONE))
        self._is_served = True
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})


async def _send(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": data, "more_body": True})


# We count no tokens, and OpenAI's client insists on the numbers.
_DONE = {
    "type": "speech.audio.done",
    "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0},
}


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _delta(data: bytes) -> bytes:
    return _event({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})


def _openai_error(exc: VoxError) -> dict[str, Any]:
    return problems.openai_error(exc.http_status, exc.message, exc.code, exc.hint)
