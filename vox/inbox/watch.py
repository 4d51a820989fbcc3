"""Events of the file system, by watchdog, as hints: something has happened, go and look.

Nothing depends on them but how soon: watchdog drops an overflow without a word, gives for a file
moved in what it gives for a new one, and its watch ends unnoticed with the folder. So the caller
scans in any case, and says at each scan what is to be watched; what broke is mended then.
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

Identity = tuple[int, int]
"""A folder's device and inode."""

OnHint = Callable[[str | None, bool], None]
"""Called, from watchdog's threads, with a file's path (None: something about folders) and whether
it was closed by its writer or moved in whole."""

_EVENTS: list[type[FileSystemEvent]] = [
    *(DirCreatedEvent, DirDeletedEvent, DirMovedEvent),
    *(FileCreatedEvent, FileMovedEvent, FileClosedEvent),
]


# An event that comes while a watch is ended is no error.
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

        # It holds up everything for half a second after a file was moved out, as each is that we
        # take, lest the other half of a move comes too. What comes in is all we ask for.
        InotifyMoveEventGrouper.delay = 0.0
        # Otherwise a file that is moved in looks like one that was just begun.
        return InotifyObserver(generate_full_events=True)
    from watchdog.observers import Observer

    return Observer()


class Watch(FileSystemEventHandler):
    """Watches some folders, each without its subfolders."""

    def __init__(self, on_hint: OnHint) -> None:
        self._on_hint = on_hint
        self._observer: BaseObserver | None = None
        self._watched: dict[str, Identity] = {}

    @property
    def is_on(self) -> bool:
        return self._observer is not None

    @property
    def folders(self) -> list[str]:
        return sorted(self._watched)

    def is_intact(self) -> bool:
        """False once a watch has ended by itself, or watches what is not there any more."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and all(emitter.is_alive() for emitter in observer.emitters)
            and all(_identity(path) == known for path, known in self._watched.items())
        )

    def keep(self, wanted: Mapping[str, Identity]) -> bool:
        """Watch just these folders from now on. Returns True if anything had to be changed.

        Raises OSError if the system has no watches left, and then watches nothing.
        """
        is_intact = self.is_intact()
        if is_intact and self._watched == wanted:
            return False
        try:
            if not is_intact or not self._watched.items() <= wanted.items():
                self.close()
                self._observer = _new_observer()
                self._observer.start()
            assert self._observer is not None
            for path in wanted.keys() - self._watched.keys():
                self._observer.schedule(self, path, event_filter=_EVENTS)
        except OSError:
            self.close()
            raise
        self._watched = dict(wanted)
        return True

    def close(self) -> None:
        observer, self._observer = self._observer, None
        self._watched = {}
        if observer is None:
            return
        # A folder that is gone, or an observer that never started, has nothing left to end.
        with contextlib.suppress(OSError, RuntimeError, KeyError):
            observer.stop()
        with contextlib.suppress(RuntimeError):
            observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.is_directory:
            self._on_hint(None, False)
            return
        path = os.fsdecode(event.dest_path if event.event_type == "moved" else event.src_path)
        if path:  # A file that is moved out has nowhere to go.
            self._on_hint(path, event.event_type != "created")
