"""The file `vox.db`: how it is opened, repaired, read and written.

Several threads and processes may use it. Knows SQLite and the schema's version, but nothing of
jobs: that is `store`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import StorageDamaged, StorageError
from ..files import cannot_write, locked, make_dir
from .schema import migrate, refuse_newer
from .sqlite_errors import (
    LOCK_WAIT_S,
    ORDER_WAIT_S,
    check_integrity,
    is_corrupt,
    locked_error,
    storage_error,
)

log = logging.getLogger(__name__)

SIDE_FILES = ("-wal", "-shm")
"""What SQLite keeps beside the file while it is open."""


class IndexDamaged(Exception):
    """The index for the search is damaged, but not the file (never shown to a user)."""


class Database:
    """One connection to write and two to read; any thread may use them.

    Every method raises StorageError, or DaemonLeaving once the database is closed.
    """

    def __init__(self, path: str, check: bool = False) -> None:
        """Open the file, or make it. A damaged one is set aside and made again (see `salvage`).

        `check` looks for damage in the whole file, which takes as long as reading it.
        """
        self.path = path
        self.moved_aside: str | None = None
        """Where a damaged file was moved to when this one was opened."""
        self.damage: str | None = None
        """What was found to be wrong with the file since it was opened, on one line."""
        self._write_lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._count_lock = threading.Lock()
        self._patience = threading.local()
        make_dir(os.path.dirname(path))
        if os.path.isdir(path):
            raise StorageError(f"{path} is a folder", "move it away")
        try:
            self.writer = self._open(check)
        except sqlite3.DatabaseError as exc:
            if not is_corrupt(exc):
                raise storage_error(path, exc) from exc
            self.writer = self._repair(check)
        # Readers of a WAL never wait for a writer: /health answers while thousands are taken in.
        self.reader = self._open()
        # A count for /health never waits for a long history that another thread reads.
        self.counter = self._open()
        self._identity = _identity(path)

    def _open(self, check: bool = False) -> sqlite3.Connection:
        _make_private_file(self.path)
        conn = sqlite3.connect(
            self.path, timeout=LOCK_WAIT_S, check_same_thread=False, isolation_level=None
        )
        try:
            conn.row_factory = sqlite3.Row
            # One damaged byte of a text must not make the whole history unreadable.
            conn.text_factory = lambda data: data.decode(errors="replace")
            # SQLite's `lower` knows ASCII alone.
            conn.create_function("folded", 1, str.casefold, deterministic=True)
            refuse_newer(conn)
            _make_private(self.path)
            # What is deleted, or changes its place, is overwritten: texts are private.
            conn.execute("pragma secure_delete = on")
            _use_wal(conn)
            if check:
                check_integrity(conn)
            migrate(conn)
        except BaseException:
            conn.close()
            raise
        return conn

    def _repair(self, check: bool) -> sqlite3.Connection:
        """Have a damaged file set aside and made again. Of several processes one does so."""
        with order_lock(self.path):
            try:
                return self._open(check)
            except sqlite3.DatabaseError as exc:
                if not is_corrupt(exc):
                    raise storage_error(self.path, exc) from exc
                self.moved_aside = _rebuild(self.path)
                return self._open()

    def close(self) -> None:
        with self._write_lock, self._read_lock, self._count_lock:
            for connection in (self.writer, self.reader, self.counter):
                connection.close()

    @contextlib.contextmanager
    def transaction(self, survives_power_cut: bool = False) -> Iterator[sqlite3.Connection]:
        """All that is written in the block is kept, or nothing of it if the block raises.

        A crash of this process loses nothing that was kept. A power cut may, unless
        `survives_power_cut`, which waits for the disk. What another program keeps locked for
        `LOCK_WAIT_S` is not written.
        """
        while not self._write_lock.acquire(timeout=LOCK_WAIT_S):
            if not self._is_patient:
                raise locked_error(self.path)
        try:
            try:
                synchronous = "full" if survives_power_cut else "normal"
                self.writer.execute(f"pragma synchronous = {synchronous}")
                self._begin()
                self.check_file()
                yield self.writer
                self.writer.execute("commit")
            except sqlite3.Error as exc:
                raise self._error(exc) from exc
            finally:
                self._roll_back()
        finally:
            self._write_lock.release()

    @contextlib.contextmanager
    def patiently(self, is_over: Callable[[], bool]) -> Iterator[None]:
        """What this thread writes in the block waits for another program's lock until `is_over`.

        For what was accepted, and must not fail because of it.
        """
        self._patience.is_over = is_over
        try:
            yield
        finally:
            del self._patience.is_over

    @property
    def _is_patient(self) -> bool:
        is_over: Callable[[], bool] | None = getattr(self._patience, "is_over", None)
        return is_over is not None and not is_over()

    def _begin(self) -> None:
        while True:
            try:
                self.writer.execute("begin immediate")
                return
            except sqlite3.OperationalError as exc:
                is_locked = getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not (is_locked and self._is_patient):
                    raise
                log.warning("%s", locked_error(self.path).line)

    def _roll_back(self) -> None:
        # On a full disk SQLite rolls back by itself.
        with contextlib.suppress(sqlite3.Error):  # a damaged page, which was reported already
            if self.writer.in_transaction:
                self.writer.execute("rollback")

    def check_file(self) -> None:
        """Raises StorageDamaged if the file, or one that SQLite keeps beside it, was replaced.

        What is written to a file that has no name any more is lost.
        """
        present = _identity(self.path)
        for name, was, now in zip(("", *SIDE_FILES), self._identity, present, strict=True):
            if was is not None and was != now:
                gone = "was deleted" if now is None else "was replaced"
                self.damage = f"{self.path}{name} {gone} while it was in use"
                raise StorageDamaged(self.damage)

    def truncate_log(self) -> bool:
        """Take what was deleted out of the write-ahead log too; False while another reads it."""
        with self._write_lock:
            try:
                is_busy = self.writer.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
            except sqlite3.Error as exc:
                raise self._error(exc) from exc
        if is_busy:
            log.info("another program reads %s: deleted texts stay in its log", self.path)
        return not is_busy

    def _error(self, exc: sqlite3.Error) -> Exception:
        if getattr(exc, "sqlite_errorcode", 0) == sqlite3.SQLITE_CORRUPT_VTAB:
            return IndexDamaged(str(exc))
        error = storage_error(self.path, exc)
        if isinstance(error, StorageDamaged):
            self.damage = error.message
        return error

    def query(
        self,
        sql: str,
        params: Sequence[Any] = (),
        is_enough: Callable[[sqlite3.Row], bool] | None = None,
    ) -> list[sqlite3.Row]:
        """All rows, or those up to the first that `is_enough`."""
        with self._read_lock:
            try:
                found = self.reader.execute(sql, params)
                if is_enough is None:
                    return found.fetchall()
                rows = []
                for row in found:
                    rows.append(row)
                    if is_enough(row):
                        break
                found.close()
                return rows
            except sqlite3.Error as exc:
                raise self._error(exc) from exc

    def count(self, sql: str) -> list[sqlite3.Row]:
        """As `query`, for what is quick: it waits for no query of another thread."""
        with self._count_lock:
            try:
                return self.counter.execute(sql).fetchall()
            except sqlite3.Error as exc:
                raise self._error(exc) from exc


@contextlib.contextmanager
def order_lock(path: str) -> Iterator[None]:
    """Hold the lock under which jobs are added, by one process at a time. Raises StorageError."""
    with locked(path + ".order", wait_s=ORDER_WAIT_S) as fd:
        if fd is None:
            raise locked_error(path)
        yield


def rebuild(path: str) -> str:
    """Make the file again from what can be read of it; returns where the damaged one is now.

    No connection of this process may be open. Raises StorageError.
    """
    with order_lock(path):
        return _rebuild(path)


def _rebuild(path: str) -> str:
    from .salvage import rebuild as make_again  # seldom needed

    return make_again(path)


def _identity(path: str) -> list[tuple[int, int] | None]:
    """Which files have the name of the database, and the names of those beside it."""
    found: list[tuple[int, int] | None] = []
    for name in ("", *SIDE_FILES):
        try:
            info = os.stat(path + name)
            found.append((info.st_dev, info.st_ino))
        except OSError:
            found.append(None)
    return found


def _make_private(path: str) -> None:
    """Take from other users what an earlier vox, or a copy, left them: texts are private."""
    for name in ("", *SIDE_FILES, ".order"):
        with contextlib.suppress(OSError):
            mode = os.stat(path + name, follow_symlinks=False).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                os.chmod(path + name, 0o600)


def _make_private_file(path: str) -> None:
    """Make the file if it is not there, for this user alone from the first moment.

    Texts are private.
    """
    if os.path.exists(path):
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass  # another process made it just now
    except OSError as exc:
        raise cannot_write(path, exc) from exc


def _use_wal(conn: sqlite3.Connection) -> None:
    """Switch to WAL; a new database opened by two processes at once needs more than one try."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            conn.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
