"""The framed protocol: whole frames or a clear error."""

from __future__ import annotations

import io

import pytest

from vox.hosts import protocol


def test_frames_come_back_as_they_were_sent() -> None:
    stream = io.BytesIO()
    protocol.write(stream, {"op": "load"})
    protocol.write(stream, {"event": "chunk", "text": "ä\n☃"}, b"\x00\x01" * 1000)
    stream.seek(0)
    assert protocol.read(stream) == ({"op": "load"}, b"", 14)
    header, pcm, _ = protocol.read(stream) or ({}, b"", 0)
    assert (header["text"], header["pcm"], len(pcm)) == ("ä\n☃", 2000, 2000)
    assert protocol.read(stream) is None


@pytest.mark.parametrize("cut", [1, 3, 5, 20, -1])
def test_a_frame_that_is_cut_off_is_an_error_not_half_a_frame(cut: int) -> None:
    stream = io.BytesIO()
    protocol.write(stream, {"event": "chunk", "id": 12345}, b"more audio\0\0")
    with pytest.raises(protocol.ProtocolError, match="cut off"):
        protocol.read(io.BytesIO(stream.getvalue()[:cut]))


@pytest.mark.parametrize(
    "data",
    [
        b"Loading model...\n",
        b"\x00\x00\x00\x05hello",
        b"\x00\x00\x00\x021\n",
        protocol.pack({"event": "chunk"}, b"odd"),
        protocol.pack({"event": "chunk", "pcm": 10**15}),
        protocol.pack({"event": "chunk", "pcm": "many"}),
        b"\x00\x01\x00\x00" + b"[" * 65536,
    ],
)
def test_what_is_no_frame_is_told_from_one(data: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.read(io.BytesIO(data))
