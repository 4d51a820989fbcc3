"""SQLite's errors in a user's words, and how damage of a database is found.

The job table and Huey's tasks share one file, `vox.db`, so `database` and `broker` share this.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3

from ..errors import DaemonLeaving, StorageDamaged, StorageError, StorageLocked, VoxError

LOCK_WAIT_S = 10.0
"""How long a write waits for each lock that another holds. A caller waits 60 s for an answer, and
must be told what became of its request before that."""

ORDER_WAIT_S = 25.0
"""How long one who adds a job waits for those that came before it, each of which may wait for a
slow disk. Together with the locks of a write this is less than those 60 s."""


def is_corrupt(exc: sqlite3.DatabaseError) -> bool:
    """True if the file is damaged or no database, and not just locked, full or read-only."""
    code = getattr(exc, "sqlite_errorcode", 0)
    # Of a file that was cut off under a connection, a page is short or the tables are gone.
    return (
        code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
        or code == sqlite3.SQLITE_IOERR_SHORT_READ
        or (code == sqlite3.SQLITE_ERROR and "no such table" in str(exc))
    )


def check_integrity(conn: sqlite3.Connection) -> None:
    """Read the whole file. Raises DatabaseError (see `is_corrupt`) if a part is damaged."""
    if found := find_corruption(conn):
        error = sqlite3.DatabaseError(found)
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error


def find_corruption(conn: sqlite3.Connection) -> str | None:
    """The first damage that SQLite finds, on one line; None if there is none."""
    parts = ["1"]
    if sqlite3.sqlite_version_info >= (3, 44):
        # Else it would check the index for the search too, for longer than all the rest takes.
        sql = "select name from sqlite_master where type = 'table' and rootpage > 0"
        parts = [name for (name,) in conn.execute(sql)]
    for part in parts:
        found = str(conn.execute(f"pragma quick_check({part})").fetchone()[0])
        if found != "ok":
            return " ".join(found.split())
    return None


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


def storage_error(path: str, exc: sqlite3.Error) -> VoxError:
    """The StorageError for an error of SQLite; DaemonLeaving if the database was closed."""
    if isinstance(exc, sqlite3.ProgrammingError) and "closed" in str(exc):
        return DaemonLeaving("the daemon is exiting", "ask again")
    if isinstance(exc, sqlite3.DatabaseError) and is_corrupt(exc):
        return StorageDamaged(f"{path}: {exc}")
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    hint = "see: vox doctor"
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return locked_error(path)
    if code == sqlite3.SQLITE_FULL:
        hint = "free disk space, or see: vox history clear"
    elif code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        hint = "fix the permissions, or set VOX_HOME to another place"
    return StorageError(f"{path}: {exc}", hint)


def locked_error(path: str) -> StorageLocked:
    """Nothing could be written for as long as `LOCK_WAIT_S`."""
    return StorageLocked(f"{path} is locked by another program, so nothing was changed")
