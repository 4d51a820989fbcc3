"""Audio as bytes in a given format, encoded while it is made.

Owns each format's name, media type and sample rates; knows nothing of jobs, files or HTTP.
`soundfile` (libsndfile) and `av` (AAC only) are imported when needed.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import BadOption
from .pcm import BYTES_PER_FRAME, EMPTY, Resampler, Samples, to_pcm16

PCM_RATE = 24_000
"""OpenAI's `pcm` has no header; its clients expect 16-bit samples at 24 kHz."""
_MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_AAC_BIT_RATE = 96_000


@dataclass(frozen=True, slots=True)
class Format:
    """A format by name; `container` and `subtype` are libsndfile's words."""

    media_type: str
    container: str = ""
    subtype: str = ""
    rates: tuple[int, ...] = ()
    """The sample rates that it supports; empty: any."""

    def rate_for(self, sample_rate: int) -> int:
        """The rate to encode at: the voice's own, else the next higher one."""
        if not self.rates or sample_rate in self.rates:
            return sample_rate
        return min((rate for rate in self.rates if rate > sample_rate), default=self.rates[-1])


FORMATS = {
    "wav": Format("audio/wav", "WAV", "PCM_16"),
    "flac": Format("audio/flac", "FLAC", "PCM_16"),
    "ogg": Format("audio/ogg", "OGG", "VORBIS"),
    "opus": Format("audio/ogg", "OGG", "OPUS", _OPUS_RATES),
    "mp3": Format("audio/mpeg", "MP3", "MPEG_LAYER_III", _MPEG_RATES),
    "aac": Format("audio/aac", rates=_MPEG_RATES),
    "pcm": Format("audio/pcm", rates=(PCM_RATE,)),
}


def media_type(name: str) -> str:
    """The format's media type for HTTP. Raises BadOption for an unknown format."""
    return _format(name).media_type


def _format(name: str) -> Format:
    try:
        return FORMATS[name]
    except KeyError:
        raise BadOption(
            f"unknown format {name!r}", f"use one of: {', '.join(FORMATS)}", "response_format"
        ) from None


class Encoder:
    """One stream of audio: `feed` it samples, send the bytes, then `finish`."""

    def __init__(self, name: str, sample_rate: int, frames: int | None = None) -> None:
        """`frames`: how many samples will be fed in all, None if that is not known.

        Raises BadOption if the format is unknown or cannot be made here.
        """
        self._format = _format(name)
        self.sample_rate = self._format.rate_for(sample_rate)
        self._resampler: Resampler | None = None
        if self.sample_rate != sample_rate:
            self._resampler = Resampler(sample_rate, self.sample_rate)
        self._codec: _Raw | _Sndfile | _Aac
        if name in ("wav", "pcm"):
            self._codec = _Raw(wav_header(self.sample_rate, frames) if name == "wav" else b"")
        elif name == "aac":
            self._codec = _Aac(self.sample_rate)
        else:
            length = frames if name == "flac" else None
            self._codec = _Sndfile(self._format, self.sample_rate, length)

    def feed(self, samples: Samples) -> bytes:
        if self._resampler is not None:
            samples = self._resampler.feed(samples)
        return self._codec.feed(samples)

    def finish(self) -> bytes:
        """The rest. The encoder cannot be used afterwards."""
        tail = self._resampler.finish() if self._resampler is not None else EMPTY
        return self._codec.feed(tail) + self._codec.finish()


def needs_length(name: str) -> bool:
    """Whether a stream of that format without its length is one that players cannot handle well:
    they show no length, and cannot seek."""
    return name == "flac"


def wav_header(sample_rate: int, frames: int | None = None) -> bytes:
    """If the length is not known, or does not fit, both sizes are the largest possible."""
    block = BYTES_PER_FRAME
    head = 4 + 24 + 8
    size = _UNKNOWN if frames is None else min(frames * block, _UNKNOWN)
    form = struct.pack("<4sI4s", b"RIFF", min(head + size, _UNKNOWN), b"WAVE")
    fmt = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, sample_rate * block, block, 8 * block
    )
    return form + fmt + struct.pack("<4sI", b"data", size)


_UNKNOWN = 0xFFFFFFFF


def _with_length(head: bytes, frames: int) -> bytes:
    """The beginning of a FLAC stream with its number of samples.

    They are the last 36 of the 64 bits at byte 18 (RFC 9639, 8.2). The MD5 behind them stays 0:
    not known.
    """
    (packed,) = struct.unpack_from(">Q", head, 18)
    return head[:18] + struct.pack(">Q", packed | min(frames, 2**36 - 1)) + head[26:]


class _Raw:
    """16-bit samples, after a header if there is one."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def feed(self, samples: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + to_pcm16(samples)

    def finish(self) -> bytes:
        return b""


class _Outlet(io.RawIOBase):
    """A file whose bytes are taken away while it is written; what is rewritten later is lost.

    Made by hand because libsndfile and ffmpeg write only to a file that they can seek in: a pipe is
    none, and BytesIO would hold the whole stream and lose its position when it is emptied. They
    seek back only to write the length at the end, which streams do without.
    """

    def __init__(self) -> None:
        super().__init__()
        self._left = 0
        self._buffer = bytearray()
        self._at = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        block = bytes(data)
        kept = block[max(0, self._left - self._at) :]
        begin = max(0, self._at - self._left)
        self._buffer[begin : begin + len(kept)] = kept
        self._at += len(block)
        return len(block)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        end = self._left + len(self._buffer)
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: end}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        return 0

    def take(self) -> bytes:
        """What was written since the last call."""
        data = bytes(self._buffer)
        self._left += len(data)
        self._buffer.clear()
        return data


class _Sndfile:
    def __init__(self, fmt: Format, sample_rate: int, length: int | None = None) -> None:
        """`length`: the number of samples that a FLAC stream is to tell."""
        import soundfile

        self._length = length
        self._outlet = _Outlet()
        is_mp3 = fmt.container == "MP3"
        try:
            self._file = soundfile.SoundFile(
                self._outlet,
                "w",
                sample_rate,
                1,
                subtype=fmt.subtype,
                format=fmt.container,
                # Without a length in the stream, players compute it from the bit rate: 84 kbit/s.
                compression_level=0.5 if is_mp3 else None,
                bitrate_mode="CONSTANT" if is_mp3 else None,
            )
        except soundfile.LibsndfileError as exc:
            raise BadOption(
                f"libsndfile cannot write {fmt.subtype.lower()} here: {exc}",
                "choose wav",
                "response_format",
            ) from exc

    def feed(self, samples: Samples) -> bytes:
        if len(samples):
            self._file.write(np.clip(samples, -1.0, 1.0))
        return self._taken()

    def finish(self) -> bytes:
        self._file.close()
        return self._taken()

    def _taken(self) -> bytes:
        data = self._outlet.take()
        if data and self._length is not None:
            # The header comes in one piece.
            data, self._length = _with_length(data, self._length), None
        return data


class AacFile:
    """AAC in an open file, by ffmpeg's libraries (PyAV): libsndfile does not write it.

    The file must be one that can be sought in. It stays open.
    """

    def __init__(self, file: Any, sample_rate: int, container: str = "adts") -> None:
        """`container` is ffmpeg's word: "adts" is a row of frames, "ipod" is an m4a file."""
        try:
            import av
        except ImportError as exc:
            raise BadOption(
                "aac needs the package av",
                "install it: pip install av, or choose mp3 or opus",
                "response_format",
            ) from exc
        self._av: Any = av
        self._container = self._av.open(file, "w", format=container)
        self._stream = self._container.add_stream("aac", rate=sample_rate, layout="mono")
        self._stream.bit_rate = _AAC_BIT_RATE
        self._sample_rate = sample_rate
        self._frames = 0

    def write(self, samples: Samples) -> None:
        if len(samples):
            clipped = np.clip(samples, -1.0, 1.0).reshape(1, -1)
            frame = self._av.AudioFrame.from_ndarray(clipped, format="fltp", layout="mono")
            frame.sample_rate = self._sample_rate
            frame.pts = self._frames
            self._frames += len(samples)
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write what is still to come."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


class _Aac:
    """AAC in ADTS frames."""

    def __init__(self, sample_rate: int) -> None:
        self._outlet = _Outlet()
        self._file = AacFile(self._outlet, sample_rate)

    def feed(self, samples: Samples) -> bytes:
        self._file.write(samples)
        return self._outlet.take()

    def finish(self) -> bytes:
        self._file.close()
        return self._outlet.take()
