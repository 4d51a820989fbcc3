"""The file `vox.db`: how it is opened, repaired, read and written.

Several threads and processes may use it. Knows SQLite and the schema's version, but nothing of
jobs: that is `store`.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..errors import StorageError
from ..files import cannot_write, locked, make_dir
from .schema import migrate
from .sqlite_errors import check_integrity, is_corrupt, move_aside, storage_error

BUSY_TIMEOUT_S = 30.0


class Database:
    """One connection to write and two to read; any thread may use them.

    Every method raises StorageError, or DaemonLeaving once the database is closed.
    """

    def __init__(self, path: str, check: bool = False) -> None:
        """Open the file, or make it. A damaged one is moved aside and a new one made.

        `check` looks for damage in the whole file, which takes as long as reading it.
        """
        self.path = path
        self.moved_aside: str | None = None
        """Where a damaged file was moved to when this one was opened."""
        self._write_lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._count_lock = threading.Lock()
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

    def _open(self, check: bool = False) -> sqlite3.Connection:
        _make_private_file(self.path)
        conn = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, check_same_thread=False, isolation_level=None
        )
        try:
            conn.row_factory = sqlite3.Row
            # One damaged byte of a text must not make the whole history unreadable.
            conn.text_factory = lambda data: data.decode(errors="replace")
            # SQLite's `lower` knows ASCII alone.
            conn.create_function("folded", 1, str.casefold, deterministic=True)
            _use_wal(conn)
            if check:
                check_integrity(conn)
            migrate(conn)
        except BaseException:
            conn.close()
            raise
        return conn

    def _repair(self, check: bool) -> sqlite3.Connection:
        """Move a damaged file aside and make a new one. Of several processes one does so."""
        with locked(self.path + ".repair"):
            try:
                return self._open(check)
            except sqlite3.DatabaseError as exc:
                if not is_corrupt(exc):
                    raise storage_error(self.path, exc) from exc
                self.moved_aside = move_aside(self.path)
                return self._open()

    def close(self) -> None:
        with self._write_lock, self._read_lock, self._count_lock:
            for connection in (self.writer, self.reader, self.counter):
                connection.close()

    @contextlib.contextmanager
    def transaction(self, survives_power_cut: bool = False) -> Iterator[sqlite3.Connection]:
        """All that is written in the block is kept, or nothing of it if the block raises.

        A crash of this process loses nothing that was kept. A power cut may, unless
        `survives_power_cut`, which waits for the disk.
        """
        with self._write_lock:
            try:
                synchronous = "full" if survives_power_cut else "normal"
                self.writer.execute(f"pragma synchronous = {synchronous}")
                self.writer.execute("begin immediate")
                yield self.writer
                self.writer.execute("commit")
            except sqlite3.Error as exc:
                raise storage_error(self.path, exc) from exc
            finally:
                # On a full disk SQLite rolls back by itself.
                if self.writer.in_transaction:
                    self.writer.execute("rollback")

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
                raise storage_error(self.path, exc) from exc

    def count(self, sql: str) -> list[sqlite3.Row]:
        """As `query`, for what is quick: it waits for no query of another thread."""
        with self._count_lock:
            try:
                return self.counter.execute(sql).fetchall()
            except sqlite3.Error as exc:
                raise storage_error(self.path, exc) from exc


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
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            conn.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
