"""Files that are not jobs yet: they settle, then they are claimed and submitted.

For the inbox's thread, which scans and decides when.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Sequence

from .claims import Claim, claim
from .file_jobs import FileJobs
from .folders import shown
from .scan import Scan
from .settling import EMPTY_S, SettlingFile, SettlingFiles, Signature
from .writers import still_written

BATCH = 200
RETRY_S = 5.0
"""When to try again a file that failed and is not at fault."""

_Claimed = tuple[Claim, Signature]


class PendingFiles:
    """Files that were seen and not settled yet, or claimed and not submitted yet."""

    def __init__(self, on_activity: Callable[[], None], is_stopping: Callable[[], bool]) -> None:
        """`on_activity` is called whenever something is new or becomes a job; `is_stopping` is
        asked between two batches."""
        self.waits_for_room = False
        """The queue is full: look again when a job has ended."""
        self.next_due_at: float | None = None
        """When (monotonic) the next file will be due; None if none waits."""
        self.being_written: tuple[str, ...] = ()
        """Names of files that wait because a program still has them open for writing."""
        self.for_long = 0
        """How many of those have not changed for `EMPTY_S`."""
        self._on_activity = on_activity
        self._is_stopping = is_stopping
        self._settling = SettlingFiles()
        self._claimed: dict[str, tuple[FileJobs, Claim]] = {}
        """Claims that are not jobs yet, by path in `.work/`; they are in `_settling`, too."""
        self._failures: dict[str, str] = {}
        """By path: why the file could not be submitted when it was due."""

    @property
    def failures(self) -> list[str]:
        """Why files that were due could not be submitted, each reason once."""
        return list(dict.fromkeys(self._failures.values()))

    def __len__(self) -> int:
        return len(self._settling)

    def forget_all(self) -> None:
        """Forget all files. What is claimed stays claimed."""
        self._settling, self._failures = SettlingFiles(), {}
        self.next_due_at, self.waits_for_room = None, False
        self.being_written, self.for_long = (), 0

    def recover(self, jobs: FileJobs) -> None:
        """Go on with what a dead daemon had claimed there. Raises OSError, StorageError."""
        for each in jobs.recover():
            self._claimed[each.path] = jobs, each

    def take_further(self, jobs: FileJobs) -> None:
        """Take up what was written into files after their jobs had read them."""
        while jobs.further:
            each = jobs.further.pop()
            self._claimed[each.path] = jobs, each

    def update(self, jobs: FileJobs, found: Scan, closed: set[str], now: float) -> None:
        """Note what a scan found, and how the claimed files are now.

        Files that were claimed in a folder that is not the inbox any more are moved back into it.
        """
        for path, (owner, each) in list(self._claimed.items()):
            if owner is not jobs:
                with contextlib.suppress(OSError):
                    owner.put_back(each)
                del self._claimed[path]
                continue
            try:
                found.files[path] = os.lstat(path)
            except FileNotFoundError:
                del self._claimed[path]
                continue
            if path not in self._settling:
                self._settling.update_one(path, found.files[path], now, each.name)
        if self._settling.update(found.files, closed, now):
            self._on_activity()
        for path in self._failures.keys() - found.files.keys():
            del self._failures[path]

    def submit_due(self, jobs: FileJobs, found: Scan, settle_s: float, now: float) -> None:
        """Make jobs of the files that are due, in batches, as long as the queue has room.

        Raises StorageError, OSError.
        """
        rest, self.next_due_at = self._settling.due(settle_s, now, time.time())
        self.waits_for_room = False
        if rest:
            # Not earlier: a user who removes the inbox must not find that its folders are back.
            jobs.make_folders()
        while rest and not self._is_stopping():
            # Set before asking, so that the event of a job that ends in between wakes us.
            self.waits_for_room = True
            room = jobs.room()
            if room == 0:
                return
            self.waits_for_room = False
            batch, rest = rest[: min(BATCH, room)], rest[min(BATCH, room) :]
            closed = self._closed(batch, now)
            claimed = [pair for file in closed if (pair := self._claim(jobs, file, found, now))]
            if not self._submit(jobs, claimed, now):
                return
            # Let other threads run.
            time.sleep(0)

    def note_written(self, now: float) -> None:
        """Set `being_written` and `for_long` anew."""
        files = self._settling.being_written()
        self.being_written = tuple(sorted(self._name(file.path) for file in files))
        self.for_long = sum(file.changed_at + EMPTY_S < now for file in files)

    def _name(self, path: str) -> str:
        known = self._claimed.get(path)
        return shown(known[1].name if known else os.path.basename(path))

    def _closed(self, batch: Sequence[SettlingFile], now: float) -> list[SettlingFile]:
        """Those of the due files that no program has open for writing; the others wait."""
        written = still_written(file.path for file in batch)
        for path in written:
            self._ask_again(self._settling.wait_for_writer(path, now))
        return [file for file in batch if file.path not in written]

    def _claim(
        self, jobs: FileJobs, file: SettlingFile, found: Scan, now: float
    ) -> _Claimed | None:
        if file.path in self._claimed:
            return self._claimed[file.path][1], file.signature
        try:
            subfolder = found.subfolders.get(file.path, "")
            taken = claim(jobs.folders, jobs.new_id(), file.path, subfolder)
        except FileNotFoundError:
            self._forget_file(file.path)
            return None
        except OSError as exc:
            name = shown(os.path.basename(file.path))
            self._try_again(file.path, f"cannot take {name}: {exc.strerror or exc}", now)
            return None
        self._forget_file(file.path)
        self._claimed[taken.path] = jobs, taken
        return taken, file.signature

    def _submit(self, jobs: FileJobs, claimed: Sequence[_Claimed], now: float) -> bool:
        """False if some files that are not at fault could not be submitted now."""
        changed, later = jobs.submit(claimed)
        kept = {each.path for each, _ in changed} | {each.path for each in later}
        for each, _ in claimed:
            if each.path not in kept:
                self._claimed.pop(each.path, None)
                self._forget_file(each.path)
        for each, info in changed:
            self._keep_changed(jobs, each, info, now)
        self._on_activity()
        if not later or jobs.error is None:
            return True
        for each in later:
            self._settle_again(jobs, each, os.lstat(each.path), now)
            self._try_again(each.path, jobs.error.line, now)
        return False

    def _keep_changed(self, jobs: FileJobs, each: Claim, info: os.stat_result, now: float) -> None:
        """A claimed file that has changed settles again, in `.work/`; what is no file goes back."""
        if stat.S_ISREG(info.st_mode):
            self._settle_again(jobs, each, info, now)
            self.next_due_at = now
        else:
            jobs.put_back(each)
            self._claimed.pop(each.path, None)

    def _settle_again(self, jobs: FileJobs, each: Claim, info: os.stat_result, now: float) -> None:
        self._claimed[each.path] = jobs, each
        self._settling.update_one(each.path, info, now, each.name)

    def _forget_file(self, path: str) -> None:
        self._settling.forget(path)
        self._failures.pop(path, None)

    def _try_again(self, path: str, why: str, now: float) -> None:
        self._failures[path] = why
        self._settling.postpone(path, now + RETRY_S)
        self._ask_again(now + RETRY_S)

    def _ask_again(self, at: float) -> None:
        self.next_due_at = at if self.next_due_at is None else min(self.next_due_at, at)
