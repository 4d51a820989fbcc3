"""The framed protocol between the daemon and a host, over the host's stdin and stdout.

A frame is a 4-byte big-endian length, a JSON header of that length, and, if the header has
`"pcm": N`, N bytes of little-endian float32 mono PCM. Both sides use this module, so it imports
nothing but the standard library.

To the host                                   From the host
    load {wish}                                   progress {text, fraction}
    synthesize {id, utterance}                    ready {device, dtype, model, engine, notes,
                                                        load_s, rss_mb, vram_mb}
    cancel {id}                                   chunk {id, sample_rate, pcm}
    stats                                         end {id, cancelled, cut_off, rss_mb, vram_mb}
    exit                                          error {id, error}      (id null: loading failed)
                                                  stats {rss_mb, vram_mb}
"""

from __future__ import annotations

import json
import struct
from typing import Any, BinaryIO, NamedTuple

_LENGTH = struct.Struct(">I")
MAX_HEADER = 16 * 1024 * 1024
MAX_PCM = 256 * 1024 * 1024
"""46 minutes at 24 kHz: more than any utterance may have (see `sound_checks`)."""
_BYTES_PER_SAMPLE = 4


class Frame(NamedTuple):
    header: dict[str, Any]
    pcm: bytes
    header_bytes: int = 0


class ProtocolError(Exception):
    """The data is not a frame: something else wrote to the pipe, or a frame was cut off."""


class CutOff(ProtocolError):
    """The pipe ended within a frame: the other side died while it wrote."""


def pack(header: dict[str, Any], pcm: bytes = b"") -> bytes:
    """One frame as bytes."""
    if pcm:
        header = {**header, "pcm": len(pcm)}
    data = json.dumps(header, ensure_ascii=False).encode()
    return _LENGTH.pack(len(data)) + data + pcm


def write(stream: BinaryIO, header: dict[str, Any], pcm: bytes = b"") -> None:
    """Write one frame and flush. Raises OSError (BrokenPipeError) if the other side is gone."""
    stream.write(pack(header, pcm))
    stream.flush()


def read(stream: BinaryIO) -> Frame | None:
    """The next frame, or None at the end of the stream. Raises ProtocolError."""
    prefix = stream.read(_LENGTH.size)
    if not prefix:
        return None
    if len(prefix) < _LENGTH.size:
        raise CutOff("cut off in a frame's length")
    (length,) = _LENGTH.unpack(prefix)
    if length > MAX_HEADER:
        raise ProtocolError(f"a header of {length} bytes, which begins with {prefix!r}")
    data = stream.read(length)
    if len(data) < length:
        raise CutOff("cut off in a header")
    try:
        header = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise ProtocolError(f"not JSON: {data[:60]!r}") from exc
    if not isinstance(header, dict):
        raise ProtocolError(f"not an object: {data[:60]!r}")
    size = header.get("pcm", 0)
    if not isinstance(size, int) or size < 0 or not ("op" in header or "event" in header):
        raise ProtocolError(f"not one of our headers: {data[:60]!r}")
    if size > MAX_PCM or size % _BYTES_PER_SAMPLE:
        raise ProtocolError(f"{size} bytes of audio")
    pcm = stream.read(size) if size else b""
    if len(pcm) < size:
        raise CutOff("cut off in audio")
    return Frame(header, pcm, length)
