"""Whether a program still has a file open for writing: then more of it is to come.

Asks the system and changes nothing. Knows paths and descriptors only.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Iterable

LOOK_S = 0.25
"""So long the processes are looked through at most, where the file system grants no lease."""

_File = tuple[int, int]
"""A file's device and inode."""


def still_written(paths: Iterable[str]) -> set[str]:
    """Those of the files that a program has open for writing, as far as the system tells.

    Linux tells it of one's own files. Elsewhere, and of a program on another machine, nobody
    does: then the file counts as closed.
    """
    written: set[str] = set()
    unknown: dict[_File, str] = {}
    for path in paths:
        try:
            # If a link or a pipe has taken its place, do not follow it or wait for it.
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except BlockingIOError:
            written.add(path)  # Somebody else's lease: a file server writes it for a client.
            continue
        except OSError:
            continue
        try:
            info = os.fstat(fd)
            answer = has_writer(fd) if stat.S_ISREG(info.st_mode) else False
        finally:
            os.close(fd)
        if answer:
            written.add(path)
        elif answer is None:
            unknown[info.st_dev, info.st_ino] = path
    return written | {unknown[file] for file in _open_in_processes(unknown.keys())}


def has_writer(fd: int) -> bool | None:
    """Whether anybody has that file open for writing; None if the system does not tell.

    The kernel grants a read lease only if nobody has; see F_SETLEASE in fcntl(2). It does so for
    the file's owner alone, and not on every file system.
    """
    if sys.platform != "linux":
        return None
    import fcntl

    try:
        # Whoever opens the file meanwhile has us signalled, by SIGIO unless we choose another: it
        # would end this process. SIGURG is ignored.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _open_in_processes(files: Iterable[_File]) -> set[_File]:
    """Those of the files that a process of this user has open for writing, by Linux's /proc."""
    wanted = set(files)
    found: set[_File] = set()
    give_up_at = time.monotonic() + LOOK_S
    if not wanted or not os.path.isdir("/proc/self/fdinfo"):
        return found
    for name in os.listdir("/proc"):
        if found == wanted or time.monotonic() > give_up_at:
            break
        if name.isdigit():
            found |= _open_in_process(f"/proc/{name}", wanted)
    return found


def _open_in_process(process: str, wanted: set[_File]) -> set[_File]:
    found: set[_File] = set()
    try:
        names = os.listdir(f"{process}/fd")
    except OSError:
        return found  # It has ended, or is another user's.
    for name in names:
        try:
            info = os.stat(f"{process}/fd/{name}")
            if (info.st_dev, info.st_ino) in wanted and _is_for_writing(f"{process}/fdinfo/{name}"):
                found.add((info.st_dev, info.st_ino))
        except OSError:
            continue
    return found


def _is_for_writing(path: str) -> bool:
    with open(path, encoding="ascii", errors="replace") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key == "flags":
                return int(value, 8) & os.O_ACCMODE != os.O_RDONLY
    return False
