"""One look at the inbox: what lies in it and in those of its subfolders that mean something."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .folders import RESERVED
from .ready import is_regular, is_wanted
from .watch import Identity


@dataclass(slots=True)
class Scan:
    files: dict[str, os.stat_result] = field(default_factory=dict)
    """Regular files whose names are wanted, by path; links are not followed."""
    subfolders: dict[str, str] = field(default_factory=dict)
    """The name of the subfolder that a file is in, by its path; files in none are not in it."""
    watched: dict[str, Identity] = field(default_factory=dict)
    """The folders that were looked into."""


def scan(root: str, patterns: Sequence[str], means: Callable[[str], bool]) -> Scan:
    """`means` is asked whether a subfolder of that name picks anything. Raises OSError."""
    found = Scan()
    for name in _look(found, root, patterns):
        if not name.startswith(".") and name not in RESERVED and means(name):
            # It may go, or be closed to us, while the inbox itself is fine.
            with contextlib.suppress(OSError):
                _look(found, os.path.join(root, name), patterns, name)
    return found


def _look(found: Scan, folder: str, patterns: Sequence[str], subfolder: str = "") -> list[str]:
    """Add the folder's files to what was found. Returns the names of its subfolders."""
    info = os.lstat(folder)
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                names.append(entry.name)
            elif is_wanted(entry.name, patterns):
                with contextlib.suppress(FileNotFoundError):
                    file = entry.stat(follow_symlinks=False)
                    if is_regular(file):
                        found.files[entry.path] = file
                        if subfolder:
                            found.subfolders[entry.path] = subfolder
    found.watched[folder] = (info.st_dev, info.st_ino)
    return names
