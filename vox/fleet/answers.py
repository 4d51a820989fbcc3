"""A client's stream of answers, read in order and then deleted."""

from __future__ import annotations

import contextlib
import math
import time
from typing import Any

from ..errors import WorkersAway
from . import keys
from .server import BLOCK_S, Server
from .storage import ANSWERS_TTL_MS

_AT_ONCE = 64
_KEPT_BYTES = 250_000
"""Entries that were read are deleted at this size, or by `forget_read`."""


class Answers:
    """One thread reads it. All methods raise WorkersAway."""

    def __init__(self, server: Server, session_id: str) -> None:
        self._server = server
        self._key = keys.answers(session_id)
        self.handled_at = -math.inf
        """Everything written before this time (`time.monotonic`) was read and handled."""
        self._read_at = self.handled_at
        """Everything written before this time was read."""
        self._last: bytes | str = "0"
        self._was_read: list[bytes] = []
        self._read_bytes = 0

    def restart(self) -> None:
        """Read from the beginning: an emptied server whose clock went back gives lower ids.

        Any thread may call it.
        """
        self._last = "0"

    def next(self) -> list[dict[bytes, bytes]]:
        """The next entries; waits up to BLOCK_S for them."""
        self.handled_at, began = self._read_at, time.monotonic()
        found: Any = self._server.call(
            "xread", {self._key: self._last}, count=_AT_ONCE, block=round(1000 * BLOCK_S)
        )
        entries = found[0][1] if found else []
        if len(entries) < _AT_ONCE:
            self._read_at = began
        else:  # reading all of it may take long on a slow network
            self._server.call("pexpire", self._key, ANSWERS_TTL_MS)
        for entry_id, fields in entries:
            self._last = entry_id
            self._was_read.append(entry_id)
            self._read_bytes += sum(map(len, fields.values()))
        if self._read_bytes > _KEPT_BYTES:
            with contextlib.suppress(WorkersAway):  # the entries just read must not be lost
                self.forget_read()
        return [fields for _, fields in entries]

    def forget_read(self) -> None:
        if self._was_read:
            self._server.call("xdel", self._key, *self._was_read)
            self._was_read, self._read_bytes = [], 0
