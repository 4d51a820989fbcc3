"""The inbox's status and `retry` from the folder alone, without a daemon.

Imports nothing of the queue, so that the command line can use it; the running inbox does, too.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import Any

from ..config import Config
from ..errors import StorageError
from ..files import cannot_write
from ..paths import Paths
from .folders import (
    RESERVED,
    Folders,
    as_text,
    inbox_dir,
    is_note,
    make_inside,
    move_in,
    note_name,
    shown,
)
from .scan import is_wanted
from .writers import still_written

__all__ = ["inbox_dir", "retry", "status"]


def status(paths: Paths, config: Config) -> dict[str, Any]:
    """The inbox as its folder shows it; `Inbox.describe` gives the same keys, live.

    `pending` counts the files in the folder and in all subfolders, even in those that pick no
    backend or clone.
    """
    folders = Folders(inbox_dir(paths, config))
    pending = _pending(folders, config["inbox.patterns"])
    error = None if os.path.isdir(folders.root) else f"there is no folder {folders.root}"
    return {
        "folder": folders.root,
        "enabled": config["inbox.enabled"],
        "stay": config["inbox.stay"],
        "watching": "off",
        "note": None,
        "pending": len(pending),
        "being_written": sorted(shown(os.path.basename(path)) for path in still_written(pending)),
        "working": sum("__" in name for _, name in _files(folders.work)),
        "done": count_done(folders, config["inbox.patterns"]),
        "failed": len(failed_files(folders)),
        "last_scan_at": None,
        "error": error,
    }


def retry(paths: Paths, config: Config) -> list[str]:
    """Move all files in `failed/` back into the inbox, each into the subfolder it came from.

    Removes the notes that say why they failed. Returns the files' names, with their subfolders.
    Raises StorageError.
    """
    folders = Folders(inbox_dir(paths, config))
    moved = []
    for subfolder, name in failed_files(folders):
        source_dir = os.path.join(folders.failed, subfolder)
        target_dir = os.path.join(folders.root, subfolder)
        try:
            make_inside(folders.root, subfolder)
            with _without(os.path.join(source_dir, note_name(name))):
                new_name = move_in(os.path.join(source_dir, name), target_dir, name)
        except FileNotFoundError:
            continue  # Someone else moved it in the meantime.
        except OSError as exc:
            raise cannot_write(target_dir, exc) from exc
        moved.append(as_text(os.path.join(subfolder, new_name)))
    return moved


@contextlib.contextmanager
def _without(note_path: str) -> Iterator[None]:
    """Remove a note before its file is moved: the file may fail again at once, with a new note.

    If the file cannot be moved, the note is restored.
    """
    note = None
    with contextlib.suppress(FileNotFoundError), open(note_path, "rb") as file:
        note = file.read()
        os.unlink(note_path)
    try:
        yield
    except OSError:
        if note is not None:
            with open(note_path, "wb") as file:
                file.write(note)
        raise


def _pending(folders: Folders, patterns: tuple[str, ...]) -> list[str]:
    """Paths of the files that wait in the inbox and its subfolders."""
    return [
        os.path.join(folders.root, subfolder, name)
        for subfolder, name in _files(folders.root)
        if is_wanted(name, patterns) and not subfolder.startswith(".") and subfolder not in RESERVED
    ]


def count_done(folders: Folders, patterns: tuple[str, ...]) -> int:
    """Files that were spoken. Audio that a header's `output` names lies there too."""
    return sum(is_wanted(name, patterns) for _, name in _files(folders.done))


def failed_files(folders: Folders) -> list[tuple[str, str]]:
    """(subfolder or "", name) of each file in `failed/` that is no note, sorted."""
    found = sorted(_files(folders.failed))
    by_subfolder: dict[str, set[str]] = {}
    for subfolder, name in found:
        by_subfolder.setdefault(subfolder, set()).add(name)
    return [(sub, name) for sub, name in found if not is_note(name, by_subfolder[sub])]


def _files(folder: str) -> Iterator[tuple[str, str]]:
    """(subfolder or "", name) of the regular files in a folder and in its subfolders."""
    for subfolder, name, mode in _entries(folder, ""):
        if stat.S_ISDIR(mode):
            for below in _entries(os.path.join(folder, name), name):
                if stat.S_ISREG(below[2]):
                    yield below[:2]
        elif stat.S_ISREG(mode):
            yield subfolder, name


def _entries(folder: str, subfolder: str) -> Iterator[tuple[str, str, int]]:
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        raise StorageError(f"cannot read {folder}: {exc.strerror}", "fix its permissions") from exc
    for name in names:
        with contextlib.suppress(OSError):
            yield subfolder, name, os.lstat(os.path.join(folder, name)).st_mode
