"""What vox wrote into assistants' files: kept so that it can be taken out byte for byte.

Owns the file `agents.json`. It holds what was put in and, of what it replaced, the old words; of a
file itself only checksums.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass, field

from .. import files
from ..errors import StorageError

Hunk = tuple[int, str, str]
"""Where in the text something was replaced, in characters; what was there; what is there now."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def hunk(before: str, after: str) -> Hunk:
    """The one place at which the texts differ."""
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    return start, before[start : len(before) - end], after[start : len(after) - end]


def _common(one: str, other: str) -> int:
    """How many characters both begin with."""
    shorter = min(len(one), len(other))
    return next((at for at in range(shorter) if one[at] != other[at]), shorter)


def undo(text: str, hunks: list[Hunk]) -> str:
    """The text as it was before the hunks, which must be all that has changed in it."""
    for start, old, new in reversed(hunks):
        text = text[:start] + old + text[start + len(new) :]
    return text


@dataclass(slots=True)
class Receipt:
    """What vox did to one file."""

    agents: list[str]
    """The assistants that it was done for."""
    before: str | None
    """Checksum of the file as it was; None: it did not exist."""
    after: str
    hunks: list[Hunk] | None
    """None: the file was changed by others in between, so nothing can be undone exactly."""
    made: list[list[str]] = field(default_factory=list)
    """Containers that were made in it."""
    is_own: bool = False
    """The file is vox's alone."""


@dataclass(slots=True)
class Receipts:
    """All of them, by path, and the folders that were made."""

    path: str
    files: dict[str, Receipt] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def save(self) -> None:
        """Raises StorageError."""
        if not self.files and not self.folders:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            return
        data = {
            "files": {path: dataclasses.asdict(each) for path, each in self.files.items()},
            "folders": self.folders,
        }
        files.write(self.path, json.dumps(data, indent=1) + "\n", mode=0o600)

    def set_up(self) -> set[str]:
        """The names of the assistants that something was written for."""
        return {name for each in self.files.values() for name in each.agents}


def load(path: str) -> Receipts:
    """Raises StorageError if the file cannot be read. One that is damaged tells nothing."""
    try:
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        found = {
            name: Receipt(
                list(each["agents"]),
                each["before"],
                each["after"],
                None
                if each["hunks"] is None
                else [(int(start), str(old), str(new)) for start, old, new in each["hunks"]],
                [list(keys) for keys in each["made"]],
                bool(each["is_own"]),
            )
            for name, each in data["files"].items()
        }
        return Receipts(path, found, list(data["folders"]))
    except FileNotFoundError:
        return Receipts(path)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Receipts(path)
    except OSError as exc:
        raise StorageError(f"cannot read {path}: {exc.strerror}", "fix its permissions") from exc
