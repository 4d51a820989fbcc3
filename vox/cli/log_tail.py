"""The end of a log file, and what is appended to it, through rotations."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

POLL_S = 0.25
_BLOCK = 64 * 1024


def last_lines(path: str, count: int) -> tuple[str, int]:
    """The last `count` lines, and the offset in bytes behind them. Raises OSError."""
    with open(path, "rb") as file:
        end = start = file.seek(0, os.SEEK_END)
        data = b""
        while start > 0 and data.count(b"\n") <= count:
            start = max(0, start - _BLOCK)
            file.seek(start)
            data = file.read(end - start)
    lines = data.splitlines(keepends=True)
    return b"".join(lines[len(lines) - min(count, len(lines)) :]).decode(errors="replace"), end


def new_text(path: str, offset: int) -> Iterator[str]:
    """Yield what is appended after `offset`, for ever, also to a new file of that name."""
    inode = _inode(path)
    while True:
        now = _inode(path)
        if now is not None:
            if now != inode or os.path.getsize(path) < offset:
                inode, offset = now, 0
            with open(path, "rb") as file:
                file.seek(offset)
                data = file.read()
            offset += len(data)
            if data:
                yield data.decode(errors="replace")
                continue
        time.sleep(POLL_S)


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None
