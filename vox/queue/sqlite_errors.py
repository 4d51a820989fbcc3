"""SQLite's errors in a user's words, and how a damaged database is found and moved aside.

The job table and Huey's tasks share one file, `vox.db`, so `database` and `broker` share this.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time

from ..errors import DaemonLeaving, StorageDamaged, StorageError, VoxError
from ..files import cannot_write


def is_corrupt(exc: sqlite3.DatabaseError) -> bool:
    """True if the file is damaged or no database, and not just locked, full or read-only."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def check_integrity(conn: sqlite3.Connection) -> None:
    """Read the whole file. Raises DatabaseError (see `is_corrupt`) if a part is damaged."""
    if found := find_corruption(conn):
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def find_corruption(conn: sqlite3.Connection) -> str | None:
    """The first damage that SQLite finds, on one line; None if there is none."""
    found = str(conn.execute("pragma quick_check(1)").fetchone()[0])
    return None if found == "ok" else " ".join(found.split())


def find_corruption_in_file(path: str) -> str | None:
    """As `find_corruption`, for a file that may not exist, without changing it."""
    if not os.path.exists(path):
        return None
    from urllib.parse import quote  # 3 ms, on the way to a light backend's first sound

    try:
        uri = f"file:{quote(path)}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=10.0)) as connection:
            return find_corruption(connection)
    except sqlite3.Error as exc:
        return str(exc)


def move_aside(path: str) -> str:
    """Rename a damaged database, which may still be of use to its owner; returns the new path."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = f"{path}.damaged-{stamp}"
    number = 1
    while os.path.exists(aside):
        number += 1
        aside = f"{path}.damaged-{stamp}-{number}"
    try:
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.rename(path + suffix, aside + suffix)
        os.rename(path, aside)
    except OSError as exc:
        raise cannot_write(path, exc) from exc
    return aside


def storage_error(path: str, exc: sqlite3.Error) -> VoxError:
    """The StorageError for an error of SQLite; DaemonLeaving if the database was closed."""
    if isinstance(exc, sqlite3.ProgrammingError) and "closed" in str(exc):
        return DaemonLeaving("the daemon is leaving", "ask again")
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    hint = "see: vox doctor"
    if code == sqlite3.SQLITE_FULL:
        hint = "free disk space, or see: vox history clear"
    elif code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        hint = "fix the permissions, or set VOX_HOME to another place"
    elif code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StorageDamaged(f"{path}: {exc}")
    return StorageError(f"{path}: {exc}", hint)
