"""Damaged databases that are kept beside the one in use: their names, and how they come and go."""

from __future__ import annotations

import contextlib
import os
import time

from ..files import cannot_write

MARK = ".damaged-"
FILES = ("", "-wal", "-shm", "-journal")
"""The endings of a database's files."""
UNFINISHED = (".salvage", ".rebuilt")
"""What a database that is made again is copied to, and made as, until it takes its place."""


def set_aside_files(path: str) -> list[str]:
    """The damaged databases that were set aside beside this one, oldest first."""
    folder, name = os.path.split(path)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    found = [n for n in names if n.startswith(name + MARK) and not n.endswith(FILES[1:])]
    return [os.path.join(folder, n) for n in found]


def remove_set_aside(path: str) -> int:
    """Delete the damaged databases that were set aside; returns how many. Raises StorageError."""
    found = set_aside_files(path)
    for aside in found:
        remove(aside)
    return len(found)


def remove_unfinished(path: str) -> None:
    """Delete what a process that was killed left when it made this database again.

    Raises StorageError. The caller holds the lock of repairs.
    """
    for ending in UNFINISHED:
        remove(path + ending)


def set_aside(path: str) -> str:
    """Give the damaged file a second name, and its side files another; returns the new path."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside, number = f"{path}{MARK}{stamp}", 1
    while os.path.exists(aside):
        number += 1
        aside = f"{path}{MARK}{stamp}-{number}"
    for suffix in FILES[1:]:
        with contextlib.suppress(FileNotFoundError):
            os.rename(path + suffix, aside + suffix)
            os.chmod(aside + suffix, 0o600)
    try:
        # So that there is a database at `path` at any time: nobody makes an empty one meanwhile.
        os.link(path, aside)
    except OSError:  # a file system without links
        os.rename(path, aside)
    os.chmod(aside, 0o600)
    return aside


def remove(path: str) -> None:
    """Delete a database with all its files. Raises StorageError."""
    for suffix in FILES:
        try:
            os.unlink(path + suffix)
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise cannot_write(path + suffix, exc) from exc
