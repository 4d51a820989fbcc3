"""Whether a file has settled: it has been unchanged for so long that it is taken for complete.

Sees only paths and what `lstat` says; whether a file is still being written, and the time, come in
as arguments.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

Signature = tuple[int, int, int, int]

PATIENCE = 1.5
"""A settled file waits at most this many times `settle_s` for an earlier one to settle."""

EMPTY_S = 600.0
"""So long an empty file is waited for, unless its writer has closed it: `slow-command > a.txt`
makes the file long before there is a text."""

WRITER_S = (1.0, 30.0)
"""How soon, at least and at most, to ask again whether a file is still open for writing. If there
are file system events, they tell of the close at once."""


def signature(info: os.stat_result) -> Signature:
    """What must not change while a file settles: its device, inode, size and mtime."""
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


@dataclass(slots=True)
class SettlingFile:
    path: str
    signature: Signature
    mtime: float
    arrival: tuple[int, str]
    """Its ctime when it was first seen, which a move into the folder sets, and its name."""
    first_seen: float
    changed_at: float
    """When it was first seen in its present state; monotonic, as `first_seen`."""
    is_closed: bool = False
    """Since then it was closed by its writer, or moved in."""
    not_before: float = 0.0
    """It could not be submitted: try again then (monotonic)."""
    written_since: float | None = None
    """Since then (monotonic) a program was found to have it open for writing each time."""

    @property
    def is_empty(self) -> bool:
        return self.signature[2] == 0


class SettlingFiles:
    """Files that were seen and are not jobs yet. For one thread."""

    def __init__(self) -> None:
        self._files: dict[str, SettlingFile] = {}

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def update(
        self, found: Mapping[str, os.stat_result], closed: Collection[str], now: float
    ) -> bool:
        """Note what a scan found. Returns True if anything is new or has changed.

        `closed`: paths that were closed after writing, or moved in, before the scan.
        """
        for path in self._files.keys() - found.keys():
            del self._files[path]
        has_changed = False
        for path, info in found.items():
            has_changed |= self.update_one(path, info, now)
            if path in closed:
                file = self._files[path]
                file.is_closed = True
                if file.written_since is not None:
                    # Another program may still have it open.
                    file.written_since, file.not_before = now, 0.0
        return has_changed

    def update_one(self, path: str, info: os.stat_result, now: float, name: str = "") -> bool:
        """Note the state of one file. Returns True if it is new or has changed."""
        file = self._files.get(path)
        current = signature(info)
        if file is not None and file.signature == current:
            return False
        if file is None or file.signature[:2] != current[:2]:
            arrival = (info.st_ctime_ns, name or os.path.basename(path))
            self._files[path] = SettlingFile(path, current, info.st_mtime, arrival, now, now)
        else:
            file.signature, file.mtime = current, info.st_mtime
            file.changed_at, file.is_closed = now, False
        return True

    def forget(self, path: str) -> None:
        self._files.pop(path, None)

    def postpone(self, path: str, until: float) -> None:
        """The file is not due before `until` (monotonic)."""
        if path in self._files:
            self._files[path].not_before = until

    def wait_for_writer(self, path: str, now: float) -> float:
        """A program has the file open for writing. Returns when (monotonic) to ask again."""
        file = self._files[path]
        if file.written_since is None:
            file.written_since = now
        shortest, longest = WRITER_S
        file.not_before = now + min(longest, max(shortest, (now - file.written_since) / 4))
        return file.not_before

    def being_written(self) -> list[SettlingFile]:
        """The files that a program had open for writing when they were due."""
        return [file for file in self._files.values() if file.written_since is not None]

    def due_at(self, file: SettlingFile, settle_s: float, now: float, wall: float) -> float:
        """When (monotonic) the file will have been unchanged for `settle_s`.

        That counts from when we saw it, because clocks differ and mtimes can be set; only if its
        writer is known to have closed it, or it was moved in, from its mtime. For an empty file
        that nobody is known to have closed, see `EMPTY_S`.
        """
        quiet_since = file.changed_at
        written_at = min(quiet_since, now - (wall - file.mtime))
        if file.is_closed:
            quiet_since = written_at
        elif file.is_empty:
            quiet_since = max(quiet_since, written_at + EMPTY_S)
        return max(quiet_since + settle_s, file.not_before)

    def due(
        self, settle_s: float, now: float, wall: float
    ) -> tuple[list[SettlingFile], float | None]:
        """The files that are due now, in order of arrival, and when (monotonic) to ask again.

        A settled file waits for those that came before it, but not for long: see `PATIENCE`. The
        time is None if no other file waits.
        """
        due: list[SettlingFile] = []
        times: list[float] = []
        for file in sorted(self._files.values(), key=lambda file: file.arrival):
            at = self.due_at(file, settle_s, now, wall)
            if at <= now:
                due.append(file)
                continue
            times.append(at)
            patience_ends = file.first_seen + PATIENCE * settle_s
            if now < patience_ends and not file.not_before:
                times.append(patience_ends)
                break
        return due, min(times, default=None)
