"""One scan of the inbox: the files in it and in its subfolders that pick a backend or clone."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .folders import RESERVED

# Partial downloads, editors' and synchronizers' temporary files. Dotfiles (vim's, rsync's,
# Syncthing's on Unix) go by their dot.
_TEMPORARY_SUFFIXES = (
    *("~", ".swp", ".swo", ".swx", ".kate-swp", ".tmp", ".temp", ".bak"),
    *(".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".!sync"),
)
_TEMPORARY_PREFIXES = (".", "~", "#")

Identity = tuple[int, int]
"""A folder's device and inode."""


@dataclass(slots=True)
class Scan:
    """What was found."""

    files: dict[str, os.stat_result] = field(default_factory=dict)
    """Regular files whose names are wanted, by path; links are not followed."""
    subfolders: dict[str, str] = field(default_factory=dict)
    """By path, the subfolder of each file that is in one."""
    folders: dict[str, Identity] = field(default_factory=dict)
    """The folders that were read, by path."""


def is_wanted(name: str, patterns: Sequence[str]) -> bool:
    """True if the name, in any case, fits one of the patterns and is no temporary file's."""
    lower = name.lower()
    if lower.startswith(_TEMPORARY_PREFIXES) or lower.endswith(_TEMPORARY_SUFFIXES):
        return False
    return any(fnmatch.fnmatchcase(lower, pattern.lower()) for pattern in patterns)


def scan(root: str, patterns: Sequence[str], picks: Callable[[str], bool]) -> Scan:
    """Read the inbox's folder. Raises OSError.

    `picks` is asked whether a subfolder of that name picks a backend or a clone.
    """
    found = Scan()
    for name in _read_folder(found, root, patterns):
        if not name.startswith(".") and name not in RESERVED and picks(name):
            # It may vanish, or be unreadable, while the inbox itself is fine.
            with contextlib.suppress(OSError):
                _read_folder(found, os.path.join(root, name), patterns, name)
    return found


def _read_folder(
    found: Scan, folder: str, patterns: Sequence[str], subfolder: str = ""
) -> list[str]:
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
                    if stat.S_ISREG(file.st_mode):
                        found.files[entry.path] = file
                        if subfolder:
                            found.subfolders[entry.path] = subfolder
    found.folders[folder] = (info.st_dev, info.st_ino)
    return names
