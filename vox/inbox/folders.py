"""The inbox's folders and file names, and moves between them that never overwrite a file.

Owns what lies where: files to be spoken in the folder itself and its subfolders, claimed ones in
`.work/`, ended ones in `done/` or `failed/`, where they keep their subfolder. Knows nothing of
jobs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .. import files
from ..config import Config
from ..errors import StorageError
from ..files import cannot_write, make_dir, rename_new
from ..paths import Paths
from ..printable import printable

RESERVED = ("done", "failed")
NOTE_SUFFIX = ".error.txt"
NAME_MAX = 255
# A longer "extension" is part of a name that happens to have a dot in it.
_EXTENSION_MAX = 32


@dataclass(frozen=True, slots=True)
class Folders:
    root: str

    @property
    def work(self) -> str:
        return os.path.join(self.root, ".work")

    @property
    def done(self) -> str:
        return os.path.join(self.root, "done")

    @property
    def failed(self) -> str:
        return os.path.join(self.root, "failed")

    def make(self, is_default: bool) -> None:
        """Make what is missing. Raises StorageError.

        A folder that the user chose is made without its parents: it may be on a disk that is not
        mounted now.
        """
        if is_default:
            make_dir(self.root)
        elif not os.path.isdir(self.root):
            _make(self.root)
        for path in (self.work, self.done, self.failed):
            if not _is_real_dir(path):
                _make(path)


def _make(path: str) -> None:
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not _is_real_dir(path):
            raise StorageError(f"{path} is not a folder", "move it away") from None
    except FileNotFoundError as exc:
        parent = os.path.dirname(path)
        raise StorageError(f"there is no folder {parent}", "create it, or mount its disk") from exc
    except OSError as exc:
        raise cannot_write(path, exc) from exc


def _is_real_dir(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def make_inside(folder: str, subfolder: str) -> str:
    """A folder of ours with a subfolder, made where missing, never through a link.

    Returns its path. Raises OSError.
    """
    path = folder
    for name in ("", *subfolder.split(os.sep)):
        if name != os.curdir:
            path = os.path.join(path, name).rstrip(os.sep)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        if not _is_real_dir(path):
            raise NotADirectoryError(errno.ENOTDIR, "it is not a folder; move it away", path)
    return path


def inbox_dir(paths: Paths, config: Config) -> str:
    """The inbox folder's absolute path."""
    chosen = config["inbox.path"]
    return os.path.abspath(os.path.expanduser(chosen)) if chosen else paths.inbox_dir


def as_text(name: str) -> str:
    """A file's name as text that can be stored, whatever its bytes are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def shown(name: str) -> str:
    """A file's name on one line, without terminal control characters."""
    return printable(as_text(name)).replace("\n", "\\n").replace("\t", "\\t")


# -- names -----------------------------------------------------------------------------------


def _cut(name: str, limit: int) -> str:
    """The name's first `limit` bytes or less: no UTF-8 character is cut."""
    data = os.fsencode(name)
    if len(data) <= limit:
        return name
    end = max(0, limit)
    while end > 0 and limit - end < 3 and data[end] & 0xC0 == 0x80:
        end -= 1
    return os.fsdecode(data[:end])


def with_tag(name: str, tag: str, limit: int = NAME_MAX) -> str:
    """The name with a tag before its extension; the stem is cut if the result is too long."""
    stem, extension = os.path.splitext(name)
    if len(os.fsencode(extension)) > _EXTENSION_MAX:
        stem, extension = name, ""
    return _cut(stem, limit - len(os.fsencode(extension)) - len(tag)) + tag + extension


def note_name(name: str) -> str:
    """The name of the note that says why the file of that name failed."""
    return _cut(name, NAME_MAX - len(NOTE_SUFFIX)) + NOTE_SUFFIX


def is_note(name: str, names: set[str]) -> bool:
    """True if it is our note, not a failed file of the user's that is only called like one."""
    own_note = note_name(name)
    return name.endswith(NOTE_SUFFIX) and (own_note == name or own_note not in names)


def may_have_note(folder: str, name: str) -> bool:
    """True if a note about a file of that name overwrites at most an older note."""
    note = note_name(name)
    own_note = note_name(note)
    # With names of 255 bytes, a note and the note about it would have the same name.
    is_users = own_note != note and os.path.lexists(os.path.join(folder, own_note))
    return note != name and not is_users


# -- moving ----------------------------------------------------------------------------------


def _candidates(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield with_tag(name, f"-{number}")
        number += 1


def move_in(
    source: str, folder: str, name: str, prepare: Callable[[str], bool] = lambda _name: True
) -> str:
    """Move a file into a folder under its name, or with `-2`, `-3`, ... if that exists.

    `prepare` is called with the name right before the move; if it returns False, the next name is
    tried. Returns the name. Raises OSError.
    """
    for candidate in _candidates(name):
        target = os.path.join(folder, candidate)
        if os.path.lexists(target) or not prepare(candidate):
            continue
        try:
            rename_new(source, target)
        except FileExistsError:
            continue
        return candidate
    raise AssertionError("there are always more names")


def free_name(folder: str, name: str, taken: Callable[[str], bool]) -> str:
    """The first of NAME, NAME-2, ... that does not exist in the folder and is not `taken`."""
    return next(
        candidate
        for candidate in _candidates(name)
        if not os.path.lexists(os.path.join(folder, candidate))
        and not taken(os.path.join(folder, candidate))
    )


def write_durably(folders: Folders, path: str, data: bytes) -> None:
    """Write a small file that is complete after a crash, or not there at all."""
    temporary = os.path.join(folders.work, ".new")
    files.replace(path, data, temporary=temporary, follows_link=False)


# -- done ------------------------------------------------------------------------------------


def remove_older(folder: str, days: float, now: float | None = None) -> int:
    """Remove files that were moved here more than `days` ago. Returns how many."""
    before = (time.time() if now is None else now) - days * 86400
    removed = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                # A move changes the ctime; the mtime is still that of the user's last edit.
                if os.lstat(path).st_ctime < before:
                    os.unlink(path)
                    removed += 1
    return removed
