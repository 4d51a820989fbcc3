"""Carries out a plan: writes an assistant's files and keeps account of it.

A file is replaced in one step, keeps its mode, and stays a link if it was one.
"""

from __future__ import annotations

import contextlib
import os
import stat

from .. import files
from ..errors import BadInput, StorageError, VoxError
from .plan import FileChange, Plan, read
from .receipts import Receipts


def carry_out(plan: Plan, receipts: Receipts) -> list[FileChange]:
    """Make the changes; returns those that were made. What fails is put with the plan's troubles.

    The account is written first: whatever was cut off can be undone. Raises StorageError if it
    cannot be.
    """
    old = {each.path: receipts.files.get(each.path) for each in plan.files}
    made = [folder for each in plan.files if each.after for folder in _new_folders(each.path)]
    receipts.folders += [each for each in dict.fromkeys(made) if each not in receipts.folders]
    for each in plan.files:
        if each.receipt is not None:
            each.note(receipts)
    receipts.save()
    done = []
    for each in plan.files:
        try:
            if each.is_needed:
                _change(each)
                done.append(each)
            each.note(receipts)
        except VoxError as exc:
            plan.troubles.append(exc)
            before = old[each.path]
            if before is not None:
                receipts.files[each.path] = before
            else:
                receipts.files.pop(each.path, None)
    receipts.folders = [each for each in receipts.folders if not _is_removed(each, receipts)]
    receipts.save()
    return done


def _new_folders(path: str) -> list[str]:
    """The folders that must be made for the file, the outermost first."""
    missing: list[str] = []
    folder = os.path.dirname(path)
    while not os.path.lexists(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)
    return missing


def _is_removed(folder: str, receipts: Receipts) -> bool:
    """Whether the folder is gone: an empty one that vox made, and needs no more, is removed."""
    for inner in [each for each in receipts.folders if os.path.dirname(each) == folder]:
        _is_removed(inner, receipts)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.lexists(folder)


def _change(change: FileChange) -> None:
    """Raises BadInput (somebody else changed it), StorageError."""
    path = change.path
    if read(path) != change.before:
        raise BadInput(f"{path} has just been changed by another program", "try again")
    try:
        if change.after is None:
            os.unlink(path)
            return
        mode = None
        if change.before is not None:
            mode = stat.S_IMODE(os.stat(path).st_mode)
            if not mode & stat.S_IWUSR or not os.access(path, os.W_OK):
                raise BadInput(f"{path} is read-only", "allow writing to it and try again")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        usual = 0o777 if change.is_program else 0o666
        with files.replacing(path, mode=usual, is_new=change.before is None) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(change.after)
    except FileExistsError as exc:
        raise BadInput(f"{path} has just been changed by another program", "try again") from exc
    except OSError as exc:
        raise StorageError(
            f"cannot write {path}: {exc.strerror}", "free disk space or fix the permissions"
        ) from exc
