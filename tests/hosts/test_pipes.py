"""The daemon's ends of a host's pipes, at real pipes: nobody waits for a host that is gone."""

from __future__ import annotations

import io
import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from vox.hosts import memory, pipes
from vox.hosts.protocol import Frame


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    reading, writing = os.pipe()
    with open(reading, "rb", buffering=0) as ours, open(writing, "wb", buffering=0) as theirs:
        yield ours, theirs


def test_a_host_that_reads_no_commands_is_not_waited_for_for_ever(
    pipe: tuple[BinaryIO, BinaryIO],
) -> None:
    _, theirs = pipe
    os.set_blocking(theirs.fileno(), False)
    with pytest.raises(TimeoutError):
        pipes.write(theirs.fileno(), b"x" * 1_000_000, pipes.End(), 0.05)


def test_who_writes_stops_when_the_host_is_gone_though_its_child_holds_the_pipe(
    pipe: tuple[BinaryIO, BinaryIO],
) -> None:
    _, theirs = pipe
    os.set_blocking(theirs.fileno(), False)
    end = pipes.End()
    threading.Timer(0.05, end.set).start()
    with pytest.raises(BrokenPipeError):
        pipes.write(theirs.fileno(), b"x" * 1_000_000, end, 60.0)


def test_who_reads_takes_what_is_there_when_the_host_is_gone_and_stops(
    pipe: tuple[BinaryIO, BinaryIO],
) -> None:
    ours, theirs = pipe
    end = pipes.End()
    stream = io.BufferedReader(pipes.PipeReader(ours, end))
    theirs.write(b"its last word\nand half")
    threading.Timer(0.05, end.set).start()
    assert list(pipes.lines(stream)) == ["its last word", "and half"]


def test_of_a_line_that_never_ends_the_beginning_is_kept() -> None:
    printed = b"short\n" + b"x" * 10_000_000 + b"\nnext\n"
    first, long, last = pipes.lines(io.BufferedReader(io.BytesIO(printed)))  # type: ignore[arg-type]  # raw enough
    assert (first, last) == ("short", "next")
    assert long == "x" * pipes.MAX_LINE + " ..."


def test_a_host_waits_while_too_much_of_it_waits_to_be_taken() -> None:
    line, put = pipes.FrameLine(), list[int]()

    def host() -> None:
        for number in range(6):
            line.put(Frame({}, bytes(pipes.MAX_HELD // 2)))
            put.append(number)

    thread = threading.Thread(target=host)
    thread.start()
    line.get(5.0)
    thread.join(0.1)
    assert thread.is_alive() and len(put) <= 4
    line.close()
    thread.join(5.0)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "content",
    ["", "null", "[1]", '{"a": 5}', '{"a": {"ram_mb": "much", "vram_mb": 1}}', "[" * 100_000],
)
def test_a_damaged_record_of_memory_costs_a_prediction_only(tmp_path: Path, content: str) -> None:
    path = tmp_path / "memory.json"
    path.write_text(content)
    assert memory.Needs(str(path)).get("a") == (0.0, 0.0)


def test_what_models_need_is_kept_though_its_folder_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "memory.json"
    memory.Needs(str(path)).put("a", 100.0, None)
    assert memory.Needs(str(path)).get("a") == (100.0, 0.0)


class Progress(io.RawIOBase):
    """What a progress bar prints: much, and never the end of a line."""

    left = 200_000_000

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        size = min(self.left, len(buffer))
        self.left -= size
        buffer[:size] = b"." * size
        return size


def test_a_line_without_end_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        (line,) = pipes.lines(io.BufferedReader(Progress()))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert line.startswith("....") and peak < 10 * pipes.MAX_LINE + 100_000
