"""How Home Assistant calls, call for call, with the client of the package `wyoming`.

After `homeassistant/components/wyoming` of 2026.11: `data.py` asks for the info, `tts.py` for
audio, on a new connection each time. It has no time limit for audio, and looks at the first format
alone.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

with warnings.catch_warnings():
    # Before Python 3.13 the package takes `audioop` from the standard library.
    warnings.simplefilter("ignore", DeprecationWarning)
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.client import AsyncTcpClient
    from wyoming.error import Error
    from wyoming.info import Describe, Info
    from wyoming.tts import (
        Synthesize,
        SynthesizeChunk,
        SynthesizeStart,
        SynthesizeStop,
        SynthesizeStopped,
        SynthesizeVoice,
    )

INFO_S = 5.0
"""Home Assistant gives up then."""


class HomeAssistantError(Exception):
    """The `error` event, as Home Assistant raises it."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.text)
        self.code = error.code


@dataclass(frozen=True)
class Sound:
    rate: int
    width: int
    channels: int
    pcm: bytes

    @property
    def seconds(self) -> float:
        return len(self.pcm) / (self.rate * self.width * self.channels)


async def info(port: int) -> Info:
    async with AsyncTcpClient("127.0.0.1", port) as client, asyncio.timeout(INFO_S):
        await client.write_event(Describe().event())
        while True:
            event = await client.read_event()
            assert event is not None, "the server went"
            if Info.is_type(event.type):
                return Info.from_event(event)


def _chosen(voice: str | None) -> SynthesizeVoice | None:
    return SynthesizeVoice(name=voice) if voice else None


async def whole(port: int, text: str, voice: str | None = None, is_old: bool = False) -> Sound:
    """`tts.speak` with a service that cannot stream. Until 2026.2 (`is_old`) it overlooked errors.

    Raises EOFError where Home Assistant says that no audio came.
    """
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Synthesize(text=text, voice=_chosen(voice)).event())
        found: list[AudioChunk] = []
        while True:
            event = await client.read_event()
            if event is None:
                raise EOFError
            if Error.is_type(event.type) and not is_old:
                raise HomeAssistantError(Error.from_event(event))
            if AudioStop.is_type(event.type):
                break
            if AudioChunk.is_type(event.type):
                found.append(AudioChunk.from_event(event))
    first = found[0]
    pcm = b"".join(chunk.audio for chunk in found)
    return Sound(first.rate, first.width, first.channels, pcm)


async def streamed(
    port: int,
    parts: Iterable[str | asyncio.Event],
    voice: str | None = None,
    has_sound: asyncio.Event | None = None,
) -> Sound:
    """A pipeline's answer, as the language model writes it. An Event among the parts is waited for
    before the next is written; `has_sound` is set with the first audio."""
    client = AsyncTcpClient("127.0.0.1", port)
    await client.connect()

    async def write() -> None:
        await client.write_event(SynthesizeStart(voice=_chosen(voice)).event())
        text = ""
        for part in parts:
            if isinstance(part, asyncio.Event):
                await part.wait()
                continue
            text += part
            await client.write_event(SynthesizeChunk(text=part).event())
        # For servers that know no streams.
        await client.write_event(Synthesize(text=text, voice=_chosen(voice)).event())
        await client.write_event(SynthesizeStop().event())

    writing = asyncio.create_task(write())
    try:
        start: AudioStart | None = None
        pcm = bytearray()
        while True:
            event = await client.read_event()
            if event is None:
                raise EOFError
            if Error.is_type(event.type):
                raise HomeAssistantError(Error.from_event(event))
            if AudioStart.is_type(event.type):
                start = start or AudioStart.from_event(event)
            elif AudioChunk.is_type(event.type) and start is not None:
                pcm += AudioChunk.from_event(event).audio
                if has_sound is not None:
                    has_sound.set()
            elif SynthesizeStopped.is_type(event.type):
                break
        assert start is not None
        return Sound(start.rate, start.width, start.channels, bytes(pcm))
    finally:
        writing.cancel()
        await client.disconnect()
