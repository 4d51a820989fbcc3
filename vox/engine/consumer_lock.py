"""The lock of the one process that drains the queue: the daemon, or a light call that speaks."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from ..files import lock, make_dir, sign
from ..paths import Paths


@contextlib.contextmanager
def consumer_lock(paths: Paths, blocking: bool = True) -> Iterator[bool]:
    """Hold the lock of the one process that drains the queue, while the block runs.

    Yields False if another process holds it and `blocking` is False.
    """
    fd = lock_queue(paths, blocking)
    try:
        yield fd is not None
    finally:
        if fd is not None:
            os.close(fd)


def lock_queue(paths: Paths, blocking: bool = True, listens_at: str = "") -> int | None:
    """The descriptor of the queue's lock; None if another process holds it. See `files.lock`.

    `listens_at` is a daemon's control socket. It is written into the lock's file, for clients that
    look for the socket under another XDG_RUNTIME_DIR. Only a daemon signs the lock.
    """
    make_dir(paths.data_dir)
    fd = lock(paths.consumer_lock_path, blocking)
    if fd is not None:
        with contextlib.suppress(OSError):  # a full disk
            os.ftruncate(fd, 0)
            os.pwrite(fd, os.fsencode(listens_at), 0)
        if listens_at:
            sign(fd)
    return fd
