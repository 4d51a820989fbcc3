"""A listening socket that shares the loop's time, and waits quietly when there are no more files.

asyncio accepts as many connections in a row as the backlog is long. When the process has no file
left it does the same, and logs the error each time.
"""

from __future__ import annotations

import errno
import socket
from typing import Any

AT_ONCE = 64
"""Connections that are accepted before the loop sees to something else."""
_NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener(socket.socket):
    """As `socket.socket`, for asyncio."""

    _in_a_row = 0

    def accept(self) -> tuple[socket.socket, Any]:
        """Raises BlockingIOError, which ends asyncio's turn, also after some connections, and
        after the error that there are no more files: asyncio tries again a second later."""
        if self._in_a_row >= AT_ONCE:
            self._in_a_row = 0
            raise BlockingIOError
        self._in_a_row += 1
        try:
            return super().accept()
        except OSError as exc:
            self._in_a_row = AT_ONCE if exc.errno in _NO_RESOURCES else 0
            raise
