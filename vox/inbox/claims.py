"""Claimed files: each lies in `.work/` under the id of its job, so that it is submitted once.

A claim is an atomic rename and survives any crash. Knows nothing of jobs but their ids.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass

from ..files import rename_new
from ..jobs import ID_ALPHABET, ID_LENGTH
from .folders import NAME_MAX, Folders, with_tag, write_durably


@dataclass(frozen=True, slots=True)
class Claim:
    """A file that was moved out of the inbox for the job with this id."""

    id: str
    path: str
    """Where it is now, in `.work/`."""
    name: str
    """Its whole original name."""
    subfolder: str = ""
    """The subfolder of the inbox that it was in, "" for none."""


def claim(folders: Folders, job_id: str, path: str, subfolder: str) -> Claim:
    """Move a file out of the inbox by an atomic rename. Raises OSError.

    What does not fit into the new name goes into a record beside it, which is written first.
    """
    name = os.path.basename(path)
    held = with_tag(name, "", NAME_MAX - ID_LENGTH - 2)
    target = os.path.join(folders.work, f"{job_id}__{held}")
    has_record = held != name or bool(subfolder)
    if has_record:
        record = json.dumps({"name": name, "subfolder": subfolder})
        write_durably(folders, _record_path(folders, job_id), record.encode())
    try:
        rename_new(path, target)
    except OSError:
        if has_record:
            forget_record(folders, job_id)
        raise
    return Claim(job_id, target, name, subfolder)


def _record_path(folders: Folders, job_id: str) -> str:
    return os.path.join(folders.work, f".{job_id}.json")


def forget_record(folders: Folders, job_id: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_record_path(folders, job_id))


def find_claims(folders: Folders) -> list[Claim]:
    """The claimed files in `.work/`, in the order in which they were claimed. Raises OSError."""
    found: list[tuple[int, Claim]] = []
    with os.scandir(folders.work) as entries:
        for entry in entries:
            job_id, separator, name = entry.name.partition("__")
            if separator and len(job_id) == ID_LENGTH and set(job_id) <= set(ID_ALPHABET):
                name, subfolder = _recorded(folders, job_id, name)
                info = entry.stat(follow_symlinks=False)
                found.append((info.st_ctime_ns, Claim(job_id, entry.path, name, subfolder)))
    return [claim for _, claim in sorted(found, key=lambda pair: (pair[0], pair[1].name))]


def _recorded(folders: Folders, job_id: str, name: str) -> tuple[str, str]:
    try:
        with open(_record_path(folders, job_id), "rb") as file:
            record = json.load(file)
        return str(record["name"]), str(record["subfolder"])
    except (OSError, ValueError, LookupError, TypeError):
        return name, ""


def tidy_work(folders: Folders, ids: set[str]) -> None:
    """Remove records whose file is gone: `ids` are those of the files in `.work/`."""
    for name in os.listdir(folders.work):
        job_id = name[1 : 1 + ID_LENGTH]
        if name == f".{job_id}.json" and job_id not in ids:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folders.work, name))
