"""A client's stream: what workers answer, read in order, and deleted once it was read."""

from __future__ import annotations

from typing import Any

from . import keys
from .server import BLOCK_S, Server

_AT_ONCE = 64
_KEPT_BYTES = 250_000
"""What was read is deleted once it is so much, or `forget_read` is called."""


class Answers:
    """One thread reads it. All methods raise WorkersAway."""

    def __init__(self, server: Server, session_id: str) -> None:
        self._server = server
        self._key = keys.answers(session_id)
        self._last: bytes | str = "0"
        self._was_read: list[bytes] = []
        self._read_bytes = 0

    def restart(self) -> None:
        """From its beginning: an emptied server whose clock went back gives lower ids.

        Any thread may call it.
        """
        self._last = "0"

    def next(self) -> list[dict[bytes, bytes]]:
        """The next entries, of which there are none for BLOCK_S if it is empty."""
        found: Any = self._server.call(
            "xread", {self._key: self._last}, count=_AT_ONCE, block=round(1000 * BLOCK_S)
        )
        entries = found[0][1] if found else []
        for entry_id, fields in entries:
            self._last = entry_id
            self._was_read.append(entry_id)
            self._read_bytes += sum(map(len, fields.values()))
        if self._read_bytes > _KEPT_BYTES:
            self.forget_read()
        return [fields for _, fields in entries]

    def forget_read(self) -> None:
        if self._was_read:
            self._server.call("xdel", self._key, *self._was_read)
            self._was_read, self._read_bytes = [], 0
