"""What a daemon does with a damaged database before it leaves to a successor.

A running daemon has connections to the file everywhere. So it does not mend the file under itself:
it closes everything, puts the database right, and starts a successor, which goes on with the jobs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time

from ..client.local import open_store
from ..engine.engine import Engine
from ..errors import StorageDamaged, StorageError
from ..jobs import Job
from ..paths import Paths
from ..queue.database import rebuild
from ..queue.set_aside import set_aside_files
from ..queue.store import PAUSE

log = logging.getLogger(__name__)

OFTEN = 3
OFTEN_S = 60.0
"""A disk that damages the database so often in that time is not tried again by itself."""


class Repair:
    """`begin` is called before the engine closes, `finish` after that."""

    def __init__(self, paths: Paths, engine: Engine) -> None:
        self._paths = paths
        self._engine = engine
        self._inode: int | None = None
        self._is_paused = engine.player.is_paused
        self._unwritten_pause = engine.unwritten_pause
        self._live: list[Job] | None = None
        """The live jobs of a file that is not at its place any more; None: it is there."""

    def begin(self) -> None:
        """Read what would be lost with the connections to a file that was deleted or replaced."""
        store = self._engine.store
        self._inode = _inode(self._paths.db_path)
        try:
            store.check_file()
        except StorageDamaged:
            self._live = []
            with contextlib.suppress(StorageError):
                self._live = store.live()

    def finish(self) -> None:
        """Put the database right."""
        try:
            if self._live is None and _inode(self._paths.db_path) != self._inode:
                log.info("another process has put the damaged database right")
            elif self._live is None:
                log.error("the damaged database is kept as %s", rebuild(self._paths.db_path))
            else:
                self._bring_back(self._live)
            if self._unwritten_pause is not None:
                with open_store(self._paths) as store:
                    store.set_flag(PAUSE, self._unwritten_pause)
        except StorageError as exc:
            log.error("the database cannot be put right: %s", exc.line)

    def _bring_back(self, live: list[Job]) -> None:
        """Put the accepted jobs into the file that is there now.

        Not the history: who deletes the file, or puts an older one there, may want that.
        """
        with open_store(self._paths, check=True) as store:
            gone = [job for job in live if job.sink != "stream" and store.find(job.id) is None]
            for job in gone:
                job.state = "queued"
            store.add(gone)
            if self._is_paused:
                store.set_flag(PAUSE, True)
        log.error("the database was replaced; %d jobs were brought back", len(gone))


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def may_restart(paths: Paths) -> bool:
    """Whether a successor may be started: not if the database is damaged again and again."""
    recent = 0
    for path in set_aside_files(paths.db_path):
        with contextlib.suppress(OSError):
            recent += time.time() - os.stat(path).st_ctime < OFTEN_S
    return recent < OFTEN
