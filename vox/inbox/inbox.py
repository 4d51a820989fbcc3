"""The inbox's thread: it scans the folder and has settled files claimed and submitted.

It scans at start, after any event, and every `inbox.scan_s` seconds; events only say when. Errors
are shown by `describe` and the work is tried again: no error ends the thread.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ..config import Config
from ..engine.submit import Submitter
from ..errors import StorageError, VoxError
from ..jobs import ENDED, State, iso
from ..paths import Paths
from ..queue.events import Bus, Event
from ..queue.store import Store
from . import status
from .file_jobs import FileJobs
from .folders import Folders, inbox_dir, remove_older, shown
from .observer import FolderObserver
from .pending import RETRY_S, PendingFiles
from .scan import Scan, is_wanted, scan
from .writers import still_written

log = logging.getLogger(__name__)

POLL_S = 1.0
"""Time between two scans without events, and between two checks for a folder that is gone."""
HEALTH_S = 5.0
"""Time between two checks of the observer; each costs a `stat` per folder."""
GAP_S = 0.02
LONGEST_GAP_S = 0.5
RETENTION_S = 3600.0

Ended = tuple[str, State, str | None]
"""A job's id, the state in which it ended, and its error."""


class Inbox:
    """The inbox of a running daemon."""

    def __init__(
        self,
        paths: Paths,
        config: Callable[[], Config],
        submitter: Submitter,
        store: Store,
        bus: Bus,
        on_activity: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_activity` is called whenever something new is found in the inbox."""
        self._paths = paths
        self._config = config
        self._submitter = submitter
        self._store = store
        self._bus = bus
        self._pending = PendingFiles(on_activity, is_stopping=lambda: self._is_stopping)
        self._file_jobs: dict[str, FileJobs] = {}
        """One for each folder that was the inbox while we ran."""
        self._observer = FolderObserver(self._on_hint)
        self._hints: collections.deque[tuple[str | None, bool]] = collections.deque()
        self._closed: set[str] = set()
        self._ended: collections.deque[Ended] = collections.deque()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)
        self._unsubscribe: Callable[[], None] = lambda: None
        self._is_stopping = False
        self._scan_requested = False
        self._had_other_event = False
        self._is_scanning = False
        self._has_scanned = False
        self._scan_began_at = 0.0
        self._folder = ""
        self._missing_since: float | None = None
        self._next_scan_at = self._next_cleanup_at = self._next_observe_at = 0.0
        self._last_scan_at: float | None = None
        self._error: str | None = None
        self._note: str | None = None

    # -- from any thread -----------------------------------------------------------------------

    def start(self) -> None:
        self._unsubscribe = self._bus.subscribe(self._on_event)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. The next daemon submits what is claimed and not a job yet."""
        self._is_stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        """After `stop`, when no more jobs will end: move the files of those that have ended."""
        self._unsubscribe()
        self._move_out_ended()

    def has_new(self) -> bool:
        """After `stop`: whether a file has arrived since the last scan that can be submitted.

        One that is being written is none: it would keep daemons coming for as long as it is.
        """
        config = self._config()
        if self._error is not None or not config["inbox.enabled"]:
            return False
        try:
            root = os.path.realpath(inbox_dir(self._paths, config))
            files = scan(root, config["inbox.patterns"], self._picks).files
            return self._has_further or len(still_written(files)) < len(files)
        except OSError:
            return False

    def scan_soon(self) -> None:
        """Do not wait for an event or for the next regular scan."""
        self._scan_requested = True
        self._wake.set()

    def retry(self) -> list[str]:
        """Move failed files back into the inbox; see `status.retry`. Raises StorageError."""
        moved = status.retry(self._paths, self._config())
        self.scan_soon()
        return moved

    @property
    def is_busy(self) -> bool:
        """Whether there are files that will soon be jobs, so that the daemon should not leave.

        False while an error keeps them from being submitted, or a program has them open and has
        not written for minutes: the next daemon will find them.
        """
        if self._is_stopping or self._error is not None or not self._config()["inbox.enabled"]:
            return False
        is_about_to_scan = bool(self._hints) or self._scan_requested or self._is_scanning
        is_waiting = len(self._pending) > self._pending.for_long or self._has_further
        return is_about_to_scan or not self._has_scanned or is_waiting

    @property
    def _has_further(self) -> bool:
        return any(jobs.further for jobs in list(self._file_jobs.values()))

    def describe(self) -> dict[str, Any]:
        """The same keys as `status.status`, from memory: reads neither disk nor job table."""
        config = self._config()
        is_on = bool(config["inbox.enabled"]) and self._thread.is_alive()
        watching = "events" if self._observer.is_running else "polling"
        all_jobs = list(self._file_jobs.values())
        return {
            "folder": inbox_dir(self._paths, config),
            "enabled": config["inbox.enabled"],
            "stay": config["inbox.stay"],
            "watching": watching if is_on else "off",
            "note": self._note,
            "pending": len(self._pending),
            "being_written": list(self._pending.being_written),
            "working": sum(len(jobs.submitted) for jobs in all_jobs),
            "done": sum(jobs.done for jobs in all_jobs),
            "failed": sum(jobs.failed for jobs in all_jobs),
            "last_scan_at": iso(self._last_scan_at),
            "error": self._error,
        }

    def _on_hint(self, path: str | None, is_closed: bool) -> None:
        if path is None or is_wanted(os.path.basename(path), self._config()["inbox.patterns"]):
            self._hints.append((path, is_closed))
            self._wake.set()
        elif not self._had_other_event:
            # Not our file, but an event about one may have been lost among many.
            self._had_other_event = True
            self._wake.set()

    def _on_event(self, event: Event) -> None:
        if event.name != "state" or event.data.get("state") not in ENDED:
            return
        if event.data.get("via") == "inbox":
            self._ended.append((event.job_id, event.data["state"], event.data["error"]))
            self._wake.set()
        elif self._pending.waits_for_room:
            self._wake.set()

    # -- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = 0.0
        while not self._is_stopping:
            self._wake.wait(wait_s)
            self._wake.clear()
            began = time.monotonic()
            try:
                next_at = self._step(began)
                failures = self._pending.failures
            except (OSError, VoxError) as exc:
                failures = [_line(exc)]
                next_at = began + (POLL_S if self._missing_since is not None else RETRY_S)
            except Exception as exc:  # The files stay where they are.
                log.exception("inbox")
                failures = [f"{type(exc).__name__}: {exc}; see: vox daemon logs"]
                next_at = began + RETRY_S
            self._report(failures)
            if not self._is_stopping:
                # So that many events in a row cause few scans, however long one takes.
                time.sleep(min(LONGEST_GAP_S, max(GAP_S, time.monotonic() - began)))
            wait_s = max(0.0, next_at - time.monotonic())
        self._observer.close()

    def _report(self, failures: list[str]) -> None:
        error = failures[0] if failures else None
        if len(failures) > 1:
            error = f"{error} (and {len(failures) - 1} more)"
        if error is not None and error != self._error:
            log.error("inbox: %s", error)
        self._error = error

    def _step(self, now: float) -> float:
        """Do what is due. Returns when (monotonic) to be called again, if nothing wakes us."""
        self._move_out_ended()
        config = self._config()
        if not config["inbox.enabled"]:
            self._observer.close()
            self._hints.clear()
            self._pending.forget_all()
            self._note, self._has_scanned = None, True
            self._next_scan_at = now
            return now + POLL_S
        if self._is_scan_due(config, now):
            self._is_scanning = True  # Before the hints are drained: see `is_busy`.
            try:
                self._scan_and_submit(config, now)
            finally:
                self._is_scanning = False
        times = [self._next_scan_at, now + HEALTH_S]
        if self._had_other_event:
            times.append(self._scan_began_at + POLL_S)
        if self._pending.next_due_at is not None and not self._pending.waits_for_room:
            times.append(self._pending.next_due_at)
        return min(times)

    def _move_out_ended(self) -> None:
        while self._ended:
            ended = self._ended.popleft()
            for jobs in self._file_jobs.values():
                jobs.finish(*ended)

    def _is_scan_due(self, config: Config, now: float) -> bool:
        return (
            bool(self._hints)
            or inbox_dir(self._paths, config) != self._folder
            or self._scan_requested
            or self._has_further
            or self._pending.waits_for_room
            or now >= self._next_scan_at
            or (self._had_other_event and now >= self._scan_began_at + POLL_S)
            or (self._pending.next_due_at is not None and now >= self._pending.next_due_at)
            or (
                self._observer.is_running
                and (config["inbox.polling"] or not self._observer.is_intact())
            )
        )

    def _scan_and_submit(self, config: Config, now: float) -> None:
        """Scan, and make jobs of what has settled."""
        is_regular_scan = self._scan_requested or now >= self._next_scan_at
        # If anything fails, the scan is still due.
        next_scan, self._next_scan_at = self._next_scan_at, 0.0
        self._scan_requested = self._had_other_event = False
        self._scan_began_at = now
        jobs = self._current_jobs(config, now)
        if is_regular_scan:
            self._reconcile(jobs, config, now)
        found = self._scan(jobs, config, now)
        self._has_scanned = True
        scanned_at = time.monotonic()
        for each in self._file_jobs.values():
            self._pending.take_further(each)
        self._pending.update(jobs, found, self._closed, scanned_at)
        if not self._observer.is_running:
            next_scan = now + max(POLL_S, 20 * (scanned_at - now))
        elif is_regular_scan:
            next_scan = now + config["inbox.scan_s"]
        try:
            self._pending.submit_due(jobs, found, config["inbox.settle_s"], scanned_at)
        finally:
            self._pending.note_written(scanned_at)
        self._next_scan_at = next_scan

    def _reconcile(self, jobs: FileJobs, config: Config, now: float) -> None:
        """Compare with the disk and the job table, in case events were missed."""
        jobs.make_folders()
        for each in self._file_jobs.values():
            each.finish_ended()
        jobs.recount()
        days = config["inbox.keep_done_days"]
        if days and now >= self._next_cleanup_at:
            self._next_cleanup_at = now + RETENTION_S
            removed = remove_older(jobs.folders.done, days)
            if removed:
                log.info("inbox: %d files older than %g days removed from done/", removed, days)

    def _current_jobs(self, config: Config, now: float) -> FileJobs:
        """The jobs of the present inbox folder, which is made if it does not exist.

        A folder that vanishes is not made again for `inbox.scan_s` seconds: a user who is moving
        it must not find ours in its place. Raises StorageError, OSError.
        """
        self._folder = inbox_dir(self._paths, config)
        root = os.path.realpath(self._folder)
        known = self._file_jobs.get(root)
        if known is not None and not os.path.isdir(root):
            self._missing_since = now if self._missing_since is None else self._missing_since
            if now - self._missing_since < config["inbox.scan_s"]:
                raise StorageError(f"there is no folder {root}", "it will be created again soon")
        jobs = known or FileJobs(Folders(root), self._config, self._submitter, self._store)
        if known is None or self._missing_since is not None:
            jobs.make_folders()
        self._missing_since = None
        if known is None:
            self._pending.recover(jobs)
            jobs.recount()
            self._file_jobs[root] = jobs
        return jobs

    def _scan(self, jobs: FileJobs, config: Config, now: float) -> Scan:
        """Scan the folder and have it observed."""
        root, patterns = jobs.folders.root, config["inbox.patterns"]
        self._drain_hints()
        found = scan(root, patterns, self._picks)
        if self._observe(found, config, now):
            # A file that came before the observer ran caused no event.
            found = scan(root, patterns, self._picks)
        self._last_scan_at = time.time()
        return found

    def _drain_hints(self) -> None:
        self._closed = set()
        with contextlib.suppress(IndexError):
            while True:
                path, is_closed = self._hints.popleft()
                if path is not None and is_closed:
                    self._closed.add(path)

    def _picks(self, subfolder: str) -> bool:
        return self._submitter.stands_for(subfolder) is not None

    def _observe(self, found: Scan, config: Config, now: float) -> bool:
        """Observe the scanned folders. True if any of them was not observed before."""
        if config["inbox.polling"]:
            self._observer.close()
            self._note = None
            return False
        if now < self._next_observe_at:
            return False
        try:
            changed = self._observer.observe(found.folders)
        except OSError as exc:
            is_gone = exc.errno in (errno.ENOENT, errno.ENOTDIR)
            self._next_observe_at = now + (POLL_S if is_gone else config["inbox.scan_s"])
            note = f"no file system events ({exc.strerror or exc}): scanning every {POLL_S:g} s"
            if note != self._note:
                log.warning("inbox: %s", note)
            self._note = note
            return False
        self._note = None
        return changed


def _line(exc: OSError | VoxError) -> str:
    if isinstance(exc, VoxError):
        return exc.line
    reason = exc.strerror or str(exc)
    return f"{shown(os.fsdecode(exc.filename))}: {reason}" if exc.filename else reason
