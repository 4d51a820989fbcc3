"""Claimed files: each lies in `.work/` under the id of its job, so that it is submitted once.

A claim is an atomic rename and survives any crash. Knows nothing of jobs but their ids.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, replace

from ..files import rename_new
from ..jobs import ID_ALPHABET, ID_LENGTH
from .folders import NAME_MAX, Folders, with_tag, write_durably
from .remains import NOTHING, Spoken


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
    spoken: Spoken = NOTHING
    """What earlier jobs have spoken of the same file."""


def claim(folders: Folders, job_id: str, path: str, subfolder: str) -> Claim:
    """Move a file out of the inbox by an atomic rename. Raises OSError.

    What does not fit into the new name goes into a record beside it, which is written first.
    """
    return _take(folders, path, Claim(job_id, "", os.path.basename(path), subfolder))


def claim_again(folders: Folders, job_id: str, earlier: Claim, spoken: Spoken) -> Claim:
    """Give a claimed file to a further job, for what was not `spoken` of it. Raises OSError."""
    return _take(folders, earlier.path, replace(earlier, id=job_id, spoken=spoken))


def _take(folders: Folders, path: str, claim: Claim) -> Claim:
    held = with_tag(claim.name, "", NAME_MAX - ID_LENGTH - 2)
    target = os.path.join(folders.work, f"{claim.id}__{held}")
    has_record = held != claim.name or bool(claim.subfolder) or claim.spoken != NOTHING
    if has_record:
        record = {"name": claim.name, "subfolder": claim.subfolder, "spoken": claim.spoken}
        write_durably(folders, _record_path(folders, claim.id), json.dumps(record).encode())
    try:
        rename_new(path, target)
    except OSError:
        if has_record:
            forget_record(folders, claim.id)
        raise
    return replace(claim, path=target)


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
                info = entry.stat(follow_symlinks=False)
                bare = Claim(job_id, entry.path, name)
                found.append((info.st_ctime_ns, _with_record(folders, bare)))
    return [claim for _, claim in sorted(found, key=lambda pair: (pair[0], pair[1].name))]


def _with_record(folders: Folders, claim: Claim) -> Claim:
    try:
        with open(_record_path(folders, claim.id), "rb") as file:
            record = json.load(file)
        name, subfolder = str(record["name"]), str(record["subfolder"])
        chars, digest = record.get("spoken", NOTHING)
        spoken = Spoken(int(chars), str(digest))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return claim
    return replace(claim, name=name, subfolder=subfolder, spoken=spoken)


def tidy_work(folders: Folders, ids: set[str]) -> None:
    """Remove records whose file is gone: `ids` are those of the files in `.work/`."""
    for name in os.listdir(folders.work):
        job_id = name[1 : 1 + ID_LENGTH]
        if name == f".{job_id}.json" and job_id not in ids:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folders.work, name))
