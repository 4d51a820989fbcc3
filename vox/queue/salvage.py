"""A damaged database is set aside, never deleted, and made again from what can be read of it.

Knows SQLite, its pages and our schema. Whoever calls `rebuild` has no connection to the file: to
open and close it would drop the locks that SQLite holds for this process.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

from ..files import cannot_write
from ..jobs import STATES
from .schema import migrate
from .set_aside import UNFINISHED, remove_unfinished, set_aside
from .sqlite_errors import storage_error

log = logging.getLogger(__name__)

Row = tuple[Any, ...]

LONGEST_S = 5.0
"""How long the rows of one table are looked for. Damage in an inner page makes many of them be
looked for one by one."""
FURTHEST = 1_000_000
"""The highest number that a row may have, if nothing that can be read says it."""
TABLES = ("job", "cleared", "flag", "text_part", "text_flush", "private_ended")
_TYPES: dict[str, tuple[type, ...]] = {"text": (str,), "real": (float, int), "integer": (int,)}


def rebuild(path: str) -> str:
    """Put a new database with all rows that can be read in the place of a damaged one.

    Returns where the damaged one is now. Raises StorageError, for example on a full disk; then
    nothing has changed. The caller holds the lock of repairs.
    """
    copy, new = (path + ending for ending in UNFINISHED)
    try:
        remove_unfinished(path)
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                _copy(path + suffix, copy + suffix)
        _make(new, copy)
        aside = set_aside(path)
        os.replace(new, path)
    except sqlite3.Error as exc:
        raise storage_error(path, exc) from exc
    except OSError as exc:
        raise cannot_write(path, exc) from exc
    finally:
        remove_unfinished(path)
    return aside


def _copy(source: str, target: str) -> None:
    with open(source, "rb") as old, open(_private(target), "wb") as new:
        shutil.copyfileobj(old, new)


def _private(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


# -- the new one -------------------------------------------------------------------------------


def _make(new: str, old: str) -> None:
    """Make the file `new` with the rows that can be read in `old`, which is a copy."""
    os.close(_private(new))
    with contextlib.closing(sqlite3.connect(new, isolation_level=None)) as target:
        migrate(target)
        for is_first_page_lost in (False, True):
            if is_first_page_lost:
                _give_first_page(old, new)
            target.execute("begin")
            read = _copy_tables(old, target)
            if read is not None:
                target.execute("commit")
                log.info("read %d rows of the damaged database", read)
                return
            target.execute("rollback")
    log.info("nothing in the damaged database can be read")


def _give_first_page(old: str, new: str) -> None:
    """Overwrite the first page, which says where tables begin, with that of a new database.

    The job table is the first that is ever made, so it begins at the same page in each of them.
    """
    with open(new, "rb") as file:
        page = bytearray(file.read(4096))
    with open(old, "r+b") as file:
        pages = file.seek(0, os.SEEK_END) // len(page)
        page[28:32] = pages.to_bytes(4, "big")  # the size of the file, in pages
        file.seek(0)
        file.write(page)


def _copy_tables(old: str, target: sqlite3.Connection) -> int | None:
    """Copy what can be read of our tables; returns how many rows, None if `old` is no database."""
    try:
        with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as source:
            source.text_factory = lambda data: data.decode(errors="replace")
            source.execute("pragma cell_size_check = on")
            if not _columns(source, "job"):
                return None
            return sum(_copy_table(source, target, name) for name in TABLES)
    except sqlite3.DatabaseError as exc:
        if isinstance(exc, sqlite3.OperationalError | sqlite3.IntegrityError) and _is_full(exc):
            raise
        return None


def _is_full(exc: sqlite3.DatabaseError) -> bool:
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL


def _columns(conn: sqlite3.Connection, table: str) -> dict[str, tuple[type, ...]]:
    """The table's columns and what a value of each may be; empty if there is no such table."""
    found = {}
    for _, name, kind, not_null, _, is_key in conn.execute(f"pragma table_info({table})"):
        kinds = _TYPES.get(kind.lower(), (object,))
        found[name] = kinds if not_null or is_key else (*kinds, type(None))
    return found


def _copy_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    columns = _columns(target, table)
    known = _columns(source, table)
    names = [name for name in columns if name in known]
    sql = (
        f"insert or ignore into {table} ({', '.join(names)}) values ({', '.join('?' * len(names))})"
    )
    wanted = [columns[name] for name in names]
    read = 0
    rows = _rows(source, names) if table == "job" else _few_rows(source, table, names)
    for row in rows:
        if not all(isinstance(value, kinds) for value, kinds in zip(row, wanted, strict=True)):
            continue
        if "state" in names and row[names.index("state")] not in STATES:
            continue
        read += target.execute(sql, row).rowcount
    return read


def _few_rows(source: sqlite3.Connection, table: str, names: list[str]) -> Iterator[Row]:
    """The rows of a small table up to the first damage."""
    with contextlib.suppress(sqlite3.DatabaseError):
        yield from source.execute(f"select {', '.join(names)} from {table}")


def _rows(source: sqlite3.Connection, names: list[str]) -> Iterator[Row]:
    """The rows of the job table that can be read: around damage by halves, one by one at last."""
    wanted = ", ".join(names)
    sql = f"select seq, {wanted} from job not indexed where seq between ? and ? order by seq"
    deadline = time.monotonic() + LONGEST_S
    lost = 0
    last_row = _last_row(source)
    ranges = [(1, last_row)] if _has_readable_row(source, last_row) else []
    while ranges and time.monotonic() < deadline:
        first, last = ranges.pop()
        try:
            for row in source.execute(sql, (first, last)):
                # In a damaged page the numbers of rows may be anything.
                if first <= row[0] <= last:
                    first = row[0] + 1
                    yield row[1:]
        except sqlite3.DatabaseError:
            if first >= last:
                lost += 1
                continue
            middle = (first + last) // 2
            ranges += [(middle + 1, last), (first, middle)]
    if lost or ranges:
        log.info("%d numbers of jobs lie in damaged pages, %d ranges were left", lost, len(ranges))


def _has_readable_row(source: sqlite3.Connection, last_row: int) -> bool:
    """Whether any of some rows can be looked for. If none can, the table's root is damaged."""
    for seq in itertools.chain(range(1, 1000), range(1000, last_row, 1 + last_row // 1000)):
        with contextlib.suppress(sqlite3.DatabaseError):
            source.execute("select 1 from job not indexed where seq = ?", (seq,)).fetchone()
            return True
    return False


def _last_row(source: sqlite3.Connection) -> int:
    """The highest number that a row of the job table has."""
    found = []
    for sql in (
        "select max(seq) from job not indexed",
        "select seq from sqlite_sequence where name = 'job'",
    ):
        with contextlib.suppress(sqlite3.DatabaseError):
            found += [row[0] for row in source.execute(sql) if isinstance(row[0], int)]
    return max((each for each in found if each > 0), default=FURTHEST)
