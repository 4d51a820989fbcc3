"""Which files may be taken, and when: not temporary, regular, and unchanged for long enough.

Sees only names and what `lstat` says; time comes in as an argument. The watcher scans and asks.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

Signature = tuple[int, int, int, int]

# Partial downloads, editors' and synchronizers' temporary files. Dotfiles (vim's, rsync's,
# Syncthing's on Unix) go by their dot.
_TEMPORARY_SUFFIXES = (
    *("~", ".swp", ".swo", ".swx", ".kate-swp", ".tmp", ".temp", ".bak"),
    *(".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".!sync"),
)
_TEMPORARY_PREFIXES = (".", "~", "#")

PATIENCE = 1.5
"""So many times `settle_s` a file waits for one that came before it and has not settled yet."""


def is_wanted(name: str, patterns: Sequence[str]) -> bool:
    """True if the name, in any case, is one of the patterns' and no temporary file's."""
    lower = name.lower()
    if lower.startswith(_TEMPORARY_PREFIXES) or lower.endswith(_TEMPORARY_SUFFIXES):
        return False
    return any(fnmatch.fnmatchcase(lower, pattern.lower()) for pattern in patterns)


def signature(info: os.stat_result) -> Signature:
    """What must not change while a file settles: where it is, its inode, size and mtime."""
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def is_regular(info: os.stat_result) -> bool:
    return stat.S_ISREG(info.st_mode)


@dataclass(slots=True)
class Seen:
    """A file that waits to settle."""

    path: str
    signature: Signature
    mtime: float
    arrival: tuple[int, str]
    """When its inode last changed as it was first seen (a move into the folder changes it), and
    its name."""
    first_seen: float
    changed_at: float
    """When it was first seen as it is now; monotonic, as `first_seen`."""
    is_closed: bool = False
    """Since it is as it is, it was closed by its writer, or moved in."""
    not_before: float = 0.0
    """It could not be taken: try again then."""


class Tracker:
    """The files that are seen and not taken yet. Not for several threads."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, path: str) -> bool:
        return path in self._seen

    def update(
        self, found: Mapping[str, os.stat_result], closed: Collection[str], now: float
    ) -> bool:
        """Take in what a scan found. Returns True if anything is new or has changed.

        `closed`: paths that were closed after writing, or moved in, before the scan.
        """
        for path in self._seen.keys() - found.keys():
            del self._seen[path]
        has_changed = False
        for path, info in found.items():
            has_changed |= self.look(path, info, now)
            if path in closed:
                self._seen[path].is_closed = True
        return has_changed

    def look(self, path: str, info: os.stat_result, now: float, name: str = "") -> bool:
        """Take in one file. Returns True if it is new or has changed."""
        seen = self._seen.get(path)
        current = signature(info)
        if seen is not None and seen.signature == current:
            return False
        if seen is None or seen.signature[:2] != current[:2]:
            arrival = (info.st_ctime_ns, name or os.path.basename(path))
            self._seen[path] = Seen(path, current, info.st_mtime, arrival, now, now)
        else:
            seen.signature, seen.mtime = current, info.st_mtime
            seen.changed_at, seen.is_closed = now, False
        return True

    def drop(self, path: str) -> None:
        self._seen.pop(path, None)

    def postpone(self, path: str, until: float) -> None:
        if path in self._seen:
            self._seen[path].not_before = until

    def due_at(self, seen: Seen, settle_s: float, now: float, wall: float) -> float:
        """When (monotonic) the file will have been unchanged for `settle_s`.

        Counted from when we saw it so, for clocks differ and times can be set; but from its
        mtime if its writer is known to have closed it, or it was moved in whole.
        """
        quiet_since = seen.changed_at
        if seen.is_closed and seen.mtime <= wall:
            quiet_since = min(quiet_since, now - (wall - seen.mtime))
        return max(quiet_since + settle_s, seen.not_before)

    def due(self, settle_s: float, now: float, wall: float) -> tuple[list[Seen], float | None]:
        """The files to be taken now, in order of arrival, and when (monotonic) to ask again.

        One that has settled lets those that came before it go first, but is not held up by a
        slow writer. None: no other file waits.
        """
        due: list[Seen] = []
        times: list[float] = []
        for seen in sorted(self._seen.values(), key=lambda seen: seen.arrival):
            at = self.due_at(seen, settle_s, now, wall)
            if at <= now:
                due.append(seen)
                continue
            times.append(at)
            patience_ends = seen.first_seen + PATIENCE * settle_s
            if now < patience_ends and not seen.not_before:
                times.append(patience_ends)
                break
        return due, min(times, default=None)
