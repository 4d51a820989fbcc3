"""One connection: what the client asks, and the audio that it gets.

Reading and speaking are two tasks, so that a client that goes is noticed while audio is made. Texts
are answered one after the other, each by a job of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from ..api.context import Context
from ..api.speech import EMPTY_S, AudioStream
from ..api.writing import in_writer
from ..audio.pcm import USUAL_RATE
from ..callers import WENT_AWAY
from ..errors import DaemonLeaving, EmptyText, JobCancelled, JobNotLive, VoxError
from ..jobs import Job, Request
from .frames import Event, encoded, read_event
from .requests import chunk_of, to_request

FIRST_EVENT_S = 60.0
"""How long a connection may stay silent at first; afterwards as long as it likes."""
STALL_S = 300.0
"""How long a reader may take nothing of what waits for it."""
AHEAD = 4
"""Texts that may wait behind the one that is answered. Then no more is read."""
CHUNK_S = 0.1
_BYTES_PER_CHARACTER = 4
_SLACK_BYTES = 64 * 1024
_FORMAT = {"rate": USUAL_RATE, "width": 2, "channels": 1}
_WIDTH_BYTES = 2
_CHUNK_BYTES = round(CHUNK_S * USUAL_RATE) * _WIDTH_BYTES
_SILENCE = bytes(round(EMPTY_S * USUAL_RATE) * _WIDTH_BYTES)


@dataclass(eq=False)
class _Answer:
    """The audio of one text."""

    job: Job | None
    """None: there is nothing to say, and silence is sent."""
    is_streamed: bool
    """Its text comes, or came, little by little."""
    length: int = 0
    """Characters of its text that came."""
    is_dropped: bool = False
    """The client has begun another text before the end of this one."""


@dataclass(eq=False)
class Conversation:
    """`hold` it until the client goes. `info`: makes the answer to `describe`."""

    context: Context
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    info: Callable[[], Awaitable[dict[str, Any]]]
    _answers: asyncio.Queue[_Answer] = field(default_factory=lambda: asyncio.Queue(AHEAD))
    _open: _Answer | None = None
    """The one whose text is being written."""
    _unfinished: list[_Answer] = field(default_factory=list)
    _submitting: asyncio.Future[Job] | None = None
    _has_begun: bool = False

    @property
    def is_idle(self) -> bool:
        """Nothing is asked for at present."""
        return not self._unfinished and self._submitting is None

    async def hold(self) -> None:
        """Until the client goes or, after an error that it is told, is to go.

        Raises that error.
        """
        reading = asyncio.create_task(self._read())
        speaking = asyncio.create_task(self._speak())
        try:
            await asyncio.wait([reading, speaking], return_when=asyncio.FIRST_COMPLETED)
            await (speaking if speaking.done() else reading)
        except (ConnectionError, TimeoutError):
            pass  # it went, or takes nothing
        except VoxError as exc:
            with contextlib.suppress(ConnectionError, TimeoutError):
                await self.refuse(exc)
            raise
        finally:
            for task in (reading, speaking):
                task.cancel()
            await asyncio.gather(reading, speaking, return_exceptions=True)
            await asyncio.shield(self._cancel_all())

    async def refuse(self, error: VoxError) -> None:
        """Tell the error. The connection is to be closed then: older clients wait for that."""
        await self._send("error", {"text": error.line, "code": error.code})

    # -- what is asked -----------------------------------------------------------------------

    async def _read(self) -> None:
        """Return once the client has gone. Raises VoxError, ConnectionError, TimeoutError."""
        while True:
            most = _BYTES_PER_CHARACTER * int(self.context.config()["max_text"]) + _SLACK_BYTES
            within_s = None if self._has_begun else FIRST_EVENT_S
            event = await read_event(self.reader, most, within_s)
            if event is None:
                return
            self._has_begun = True
            await self._heed(event)

    async def _heed(self, event: Event) -> None:
        """What is not known is ignored, as the protocol wants it."""
        kind, data = event
        if kind == "describe":
            await self._send("info", await self.info())
        elif kind == "ping":
            await self._send("pong", {"text": data.get("text")})
        elif kind == "synthesize" and self._open is None:
            # Within a stream its whole text comes once more, for servers that know no streams.
            await self._begin(data, is_streamed=False)
        elif kind == "synthesize-start":
            await self._drop_open()
            self._open = await self._begin(data, is_streamed=True)
        elif kind == "synthesize-chunk" and self._open is not None:
            await self._append(self._open, chunk_of(data))
        elif kind == "synthesize-stop" and self._open is not None:
            answer, self._open = self._open, None
            if answer.job is not None:
                await in_writer(self.context.engine.end_text, answer.job.id)

    async def _begin(self, data: dict[str, Any], is_streamed: bool) -> _Answer:
        if self.context.is_leaving:
            raise DaemonLeaving(
                "the daemon is stopping", "start it and try again: vox daemon start"
            )
        self.context.touch()
        engine = self.context.engine
        request = to_request(data, engine.catalog.names(), is_streamed)
        answer = _Answer(await self._submit(request), is_streamed)
        self._unfinished.append(answer)
        self._submitting = None
        await self._answers.put(answer)
        return answer

    async def _submit(self, request: Request) -> Job | None:
        self._submitting = in_writer(self.context.engine.submit, request)
        try:
            # Were it cancelled, nobody would know of the job.
            return await asyncio.shield(self._submitting)
        except EmptyText:
            return None

    async def _append(self, answer: _Answer, text: str) -> None:
        if not text or answer.job is None:
            return
        with contextlib.suppress(JobNotLive):  # `_speak` says what became of it
            answer.length, _ = await in_writer(
                self.context.engine.append_text, answer.job.id, answer.length, text
            )

    async def _drop_open(self) -> None:
        answer, self._open = self._open, None
        if answer is not None:
            answer.is_dropped = True
            await self._cancel(answer)

    # -- what is answered --------------------------------------------------------------------

    async def _speak(self) -> None:
        """Raises VoxError, ConnectionError, TimeoutError."""
        while True:
            answer = await self._answers.get()
            await self._say(answer)
            self._unfinished.remove(answer)

    async def _say(self, answer: _Answer) -> None:
        has_begun = False
        try:
            async with contextlib.aclosing(self._sound(answer)) as blocks:
                async for block in blocks:
                    if not has_begun:
                        has_begun = True
                        await self._send("audio-start", _FORMAT)
                    for at in range(0, len(block), _CHUNK_BYTES):
                        await self._send("audio-chunk", _FORMAT, block[at : at + _CHUNK_BYTES])
        except JobCancelled:
            if not answer.is_dropped:
                raise
        if has_begun:
            await self._send("audio-stop", {})
        if answer.is_streamed and not answer.is_dropped:
            await self._send("synthesize-stopped", {})

    async def _sound(self, answer: _Answer) -> AsyncGenerator[bytes, None]:
        """16-bit PCM as it is made; of what has no words a moment of silence, for clients take
        an answer without audio for a fault."""
        engine, job = self.context.engine, answer.job
        if job is not None:
            spool = await asyncio.to_thread(engine.spools.open, job.id)
            with contextlib.closing(spool), contextlib.suppress(EmptyText):
                stream = AudioStream(self.context, job, spool, "pcm")
                async with contextlib.aclosing(stream.blocks()) as blocks:
                    async for block in blocks:
                        yield block
                return
        yield _SILENCE

    async def _send(self, kind: str, data: dict[str, Any], payload: bytes = b"") -> None:
        """Raises ConnectionError, TimeoutError. An event is written as a whole."""
        self.writer.write(encoded(kind, data, payload))
        async with asyncio.timeout(STALL_S):
            await self.writer.drain()

    # -- the end -----------------------------------------------------------------------------

    async def _cancel_all(self) -> None:
        if self._submitting is not None:
            with contextlib.suppress(VoxError):
                self._unfinished.append(_Answer(await self._submitting, is_streamed=False))
        for answer in self._unfinished:
            await self._cancel(answer)

    async def _cancel(self, answer: _Answer) -> None:
        if answer.job is not None:
            with contextlib.suppress(VoxError):  # it has ended by itself
                await in_writer(self.context.engine.cancel, answer.job.id, WENT_AWAY)
