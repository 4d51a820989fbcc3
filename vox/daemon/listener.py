"""Listening sockets: how one is bound that is the user's alone, and one that is a good neighbour.

That shares the loop's time, and waits quietly when there are no more files.

asyncio accepts as many connections in a row as the backlog is long. When the process has no file
left it does the same, and logs the error each time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from typing import Any

from ..errors import StorageError
from ..files import cannot_write, make_private_dir

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


def bind_private(path: str, backlog: int) -> tuple[Listener, os.stat_result]:
    """A socket that listens at that path, 0600 in a 0700 folder, and its file.

    Takes the place of what is there. Raises StorageError.
    """
    make_private_dir(os.path.dirname(path))
    listener = Listener(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        old_mask = os.umask(0o177)
        try:
            listener.bind(path)
        finally:
            os.umask(old_mask)
        listener.listen(backlog)
        file = os.lstat(path)
    except OSError as exc:
        listener.close()
        if os.path.isdir(path):
            raise StorageError(f"{path} is a folder", "move it away") from exc
        raise cannot_write(path, exc) from exc
    listener.setblocking(False)
    return listener, file
