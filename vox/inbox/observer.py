"""File system events, by watchdog, as hints that a scan is worthwhile.

They only make it faster: watchdog drops events without notice when there are too many, does not
tell a file moved in from a new one, and stops unnoticed when the folder goes. So the caller scans
in any case, and says at each scan which folders to observe; what has stopped is started again then.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Mapping

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver

from .scan import Identity

OnHint = Callable[[str | None, bool], None]
"""Called in watchdog's threads with a file's path (None: the event is about a folder) and whether
the file was closed by its writer or moved in."""

_EVENTS: list[type[FileSystemEvent]] = [
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
    *(FileCreatedEvent, FileMovedEvent, FileClosedEvent),
]


# An event that comes while an observer stops is no error.
logging.getLogger("watchdog.observers.inotify").addFilter(
    lambda record: "thread is inactive" not in str(record.msg)
)


def _identity(path: str) -> Identity | None:
    try:
        info = os.lstat(path)
    except OSError:
        return None
    return info.st_dev, info.st_ino


def _new_observer() -> BaseObserver:
    if sys.platform == "linux":
        from watchdog.observers.inotify import InotifyObserver
        from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

        # After a file was moved out, as each that we take is, it holds up all events for half a
        # second to pair that with a move in. We need only what comes in.
        InotifyMoveEventGrouper.delay = 0.0
        # Otherwise a file that is moved in looks like one that was just begun.
        return InotifyObserver(generate_full_events=True)
    from watchdog.observers import Observer

    return Observer()


class FolderObserver(FileSystemEventHandler):
    """Observes some folders, each without its subfolders."""

    def __init__(self, on_hint: OnHint) -> None:
        self._on_hint = on_hint
        self._observer: BaseObserver | None = None
        self._folders: dict[str, Identity] = {}

    @property
    def is_running(self) -> bool:
        return self._observer is not None

    def is_intact(self) -> bool:
        """False if it is not running, has stopped by itself, or a folder is gone or another one."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and all(emitter.is_alive() for emitter in observer.emitters)
            and all(_identity(path) == known for path, known in self._folders.items())
        )

    def observe(self, folders: Mapping[str, Identity]) -> bool:
        """Observe just these folders from now on. Returns True if anything had to be changed.

        Raises OSError, for one if the system has no watches left, and then observes nothing.
        """
        is_intact = self.is_intact()
        if is_intact and self._folders == folders:
            return False
        try:
            if not is_intact or not self._folders.items() <= folders.items():
                self.close()
                self._observer = _new_observer()
                self._observer.start()
            assert self._observer is not None
            for path in folders.keys() - self._folders.keys():
                self._observer.schedule(self, path, event_filter=_EVENTS)
        except OSError:
            self.close()
            raise
        self._folders = dict(folders)
        return True

    def close(self) -> None:
        observer, self._observer = self._observer, None
        self._folders = {}
        if observer is None:
            return
        # Stopping fails if the folder is gone or the observer never started: both are fine.
        with contextlib.suppress(OSError, RuntimeError, KeyError):
            observer.stop()
        with contextlib.suppress(RuntimeError):
            observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.is_directory:
            self._on_hint(None, False)
            return
        path = os.fsdecode(event.dest_path if event.event_type == "moved" else event.src_path)
        if path:  # Empty for a file that is moved out.
            self._on_hint(path, event.event_type != "created")
