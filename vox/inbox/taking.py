"""The files that wait, seen and not settled yet or claimed and no job yet, and taking them in.

For the watcher's thread, which scans and says when. What a file becomes is the intake's business.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence

from .folders import Claim, claim, shown
from .intake import Intake
from .ready import Seen, Signature, Tracker, is_regular
from .scan import Scan

BATCH = 200
RETRY_S = 5.0
"""When to try again what failed through no fault of the file."""

_Claimed = tuple[Claim, Signature]


class Taking:
    """`on_activity` is called whenever something is new or becomes a job; `is_stopping` is asked
    between two batches."""

    def __init__(self, on_activity: Callable[[], None], is_stopping: Callable[[], bool]) -> None:
        self.waits_for_room = False
        """The queue is full: look again when a job has ended."""
        self.next_due: float | None = None
        """When (monotonic) a file will be due; None: none waits."""
        self._on_activity = on_activity
        self._is_stopping = is_stopping
        self._tracker = Tracker()
        self._claimed: dict[str, tuple[Intake, Claim]] = {}
        """Claims that are no jobs yet, by path in `.work/`; the tracker has them too."""
        self._failures: dict[str, str] = {}
        """By path: why it could not be taken when it was due."""

    @property
    def failures(self) -> list[str]:
        """Why what was due could not be taken."""
        return list(dict.fromkeys(self._failures.values()))

    def __len__(self) -> int:
        return len(self._tracker)

    def forget(self) -> None:
        """Wait for nothing any more. What is claimed stays claimed."""
        self._tracker, self._failures = Tracker(), {}
        self.next_due, self.waits_for_room = None, False

    def recover(self, intake: Intake) -> None:
        """Take up what a dead daemon had claimed there. Raises OSError, StorageError."""
        for each in intake.recover():
            self._claimed[each.path] = intake, each

    def look(self, intake: Intake, found: Scan, closed: set[str], now: float) -> None:
        """Take in what a scan found, and how the claimed files are.

        What was claimed in a folder that is the inbox no more goes back.
        """
        for path, (owner, each) in list(self._claimed.items()):
            if owner is not intake:
                with contextlib.suppress(OSError):
                    owner.put_back(each)
                del self._claimed[path]
                continue
            try:
                found.files[path] = os.lstat(path)
            except FileNotFoundError:
                del self._claimed[path]
                continue
            if path not in self._tracker:
                self._tracker.look(path, found.files[path], now, each.name)
        if self._tracker.update(found.files, closed, now):
            self._on_activity()
        for path in self._failures.keys() - found.files.keys():
            del self._failures[path]

    def take(self, intake: Intake, found: Scan, settle_s: float, now: float) -> None:
        """Make jobs of what is due, as far as the queue has room, in batches.

        Raises StorageError, OSError.
        """
        rest, self.next_due = self._tracker.due(settle_s, now, time.time())
        self.waits_for_room = False
        if rest:
            # Not at each look: whoever removes the inbox must not find what was gone already.
            intake.make_folders()
        while rest and not self._is_stopping():
            # An event of a job that ends in between wakes us again.
            self.waits_for_room = True
            room = intake.room()
            if room == 0:
                return
            self.waits_for_room = False
            batch, rest = rest[: min(BATCH, room)], rest[min(BATCH, room) :]
            claimed = [pair for seen in batch if (pair := self._claim(intake, seen, found, now))]
            if not self._submit(intake, claimed, now):
                return
            # Others want the interpreter, too.
            time.sleep(0)

    def _claim(self, intake: Intake, seen: Seen, found: Scan, now: float) -> _Claimed | None:
        if seen.path in self._claimed:
            return self._claimed[seen.path][1], seen.signature
        try:
            subfolder = found.subfolders.get(seen.path, "")
            taken = claim(intake.folders, intake.new_id(), seen.path, subfolder)
        except FileNotFoundError:
            self._drop(seen.path)
            return None
        except OSError as exc:
            name = shown(os.path.basename(seen.path))
            self._try_again(seen.path, f"cannot take {name}: {exc.strerror or exc}", now)
            return None
        self._drop(seen.path)
        self._claimed[taken.path] = intake, taken
        return taken, seen.signature

    def _submit(self, intake: Intake, claimed: Sequence[_Claimed], now: float) -> bool:
        """False if some could not be made jobs of now, though they are in order."""
        changed, later = intake.submit(claimed)
        kept = {each.path for each, _ in changed} | {each.path for each in later}
        for each, _ in claimed:
            if each.path not in kept:
                self._claimed.pop(each.path, None)
                self._drop(each.path)
        for each, info in changed:
            self._keep_changed(intake, each, info, now)
        self._on_activity()
        if not later or intake.error is None:
            return True
        for each in later:
            self._track(intake, each, os.lstat(each.path), now)
            self._try_again(each.path, intake.error.line, now)
        return False

    def _keep_changed(self, intake: Intake, each: Claim, info: os.stat_result, now: float) -> None:
        """What is not as it had settled settles anew, in `.work/`; what is no file goes back."""
        if is_regular(info):
            self._track(intake, each, info, now)
            self.next_due = now
        else:
            intake.put_back(each)
            self._claimed.pop(each.path, None)

    def _track(self, intake: Intake, each: Claim, info: os.stat_result, now: float) -> None:
        self._claimed[each.path] = intake, each
        self._tracker.look(each.path, info, now, each.name)

    def _drop(self, path: str) -> None:
        self._tracker.drop(path)
        self._failures.pop(path, None)

    def _try_again(self, path: str, why: str, now: float) -> None:
        self._failures[path] = why
        self._tracker.postpone(path, now + RETRY_S)
        self.next_due = min(self.next_due or now + RETRY_S, now + RETRY_S)
