"""Finds a part of a text in a long history: an index of trigrams beside the job table.

It holds the texts of jobs that have ended, which change no more, in lower case (`folded`). The
table `unindexed` names those that are not in it yet. Triggers keep that, whichever vox ends a job,
so nothing is slower when a job is made; `add_some` takes in a few at a time. The index leads to
jobs whose text then is looked at, so it may hold too much. What it does not hold yet, and all where
SQLite has no FTS5, is looked at text by text. Lost or damaged, it is made again.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable

from .database import Database, IndexDamaged
from .rows import LIVE_SQL

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Jobs that are taken in at once, while all others who write wait."""
CHARACTERS_AT_ONCE = 100_000
"""Fewer of them are, if their texts together are longer than this."""
MANY = 1_000
"""Texts that are looked at one by one in a few milliseconds."""
MOST_BEGINNINGS = 50
"""One or two characters with which more trigrams begin are in so many texts that reading these,
newest first, finds them sooner."""
MERGED_PAGES = 200
"""How much of the index is written again at once, to get deleted texts out of it."""
PURGE = "purge-search"
"""The flag that says that deleted texts may still be in the index."""

_OPTIONS = "content='', detail=none, tokenize='trigram case_sensitive 1'"
"""Which trigrams a text has, not where: a third of the size, and made in half of the time."""
_MAKE = (
    f"create virtual table job_search using fts5(folded_text, {_OPTIONS})",
    "create virtual table job_search_trigram using fts5vocab('job_search', 'row')",
)
_DROP = ("drop table if exists job_search_trigram", "drop table if exists job_search")


class SearchIndex:
    """The index of one job table: part of its `Store`, whose rules hold here too."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._is_damaged = False
        self._has_fts5: bool | None = None

    def query_for(self, needle: str) -> str | None:
        """What FTS5 is to be asked for texts that may hold the needle, which is folded.

        None: the index is of no use here. Raises IndexDamaged.
        """
        if self._is_damaged or not self._exists():
            return None
        text = _indexable(needle)
        if len(text) >= 3:
            return " AND ".join(map(_quoted, dict.fromkeys(map("".join, _trigrams(text)))))
        found = self._db.query(
            "select term from job_search_trigram where term >= ? and term < ? limit ?",
            (text, text + "\U0010ffff", MOST_BEGINNINGS + 1),
        )
        if len(found) > MOST_BEGINNINGS:
            return None
        return " OR ".join(_quoted(row["term"]) for row in found) or '""'

    def note_damage(self) -> None:
        """It is not asked again before it is made again."""
        self._is_damaged = True

    def _exists(self) -> bool:
        sql = "select 1 from sqlite_master where name = 'job_search_trigram'"
        return self._is_available() and bool(self._db.query(sql))

    def _is_available(self) -> bool:
        """Whether this SQLite has all that the index needs."""
        if self._has_fts5 is None:
            sql = "select 1 from pragma_module_list where name = 'fts5'"
            self._has_fts5 = sqlite3.sqlite_version_info >= (3, 34) and bool(self._db.query(sql))
        return self._has_fts5

    # -- write -------------------------------------------------------------------------------

    def add_some(self) -> bool:
        """Take in some texts, the newest first; True if there may be more. Raises StorageError."""
        if not self._is_available() or not self.waiting(1):
            return False
        try:
            with self._db.transaction() as conn:
                if self._is_damaged or not self._exists():
                    self._make_again(conn)
                return self._add_some(conn)
        except IndexDamaged as exc:
            self._is_damaged = True
            log.warning("the index for the search is made again: %s", exc)
            return True

    def catch_up(self, for_s: float) -> None:
        """Take in texts for so long, if there are many. For where no daemon does it."""
        end = time.monotonic() + for_s
        if self.waiting(MANY) == MANY:
            while time.monotonic() < end and self.add_some():
                pass

    def waiting(self, most: int) -> int:
        """How many ended jobs are not in the index; not counted beyond so many."""
        sql = (
            "select count(*) from (select 1 from unindexed cross join job using (seq) "
            f"where state not in {LIVE_SQL} limit ?)"
        )
        return int(self._db.query(sql, (most,))[0][0])

    def _make_again(self, conn: sqlite3.Connection) -> None:
        for statement in (*_DROP, *_MAKE):
            conn.execute(statement)
        conn.execute("insert or ignore into unindexed select seq from job")
        self._is_damaged = False

    @staticmethod
    def _add_some(conn: sqlite3.Connection) -> bool:
        rows = conn.execute(
            "select seq, text from unindexed cross join job using (seq) "
            f"where state not in {LIVE_SQL} order by seq desc"
        )
        taken, room = [], CHARACTERS_AT_ONCE
        for seq, text in rows:
            taken.append((seq, _indexable(text.casefold()) + "  "))
            room -= len(text)
            if len(taken) == AT_ONCE or room <= 0:
                break
        rows.close()
        conn.executemany("insert into job_search (rowid, folded_text) values (?, ?)", taken)
        conn.executemany("delete from unindexed where seq = ?", [(seq,) for seq, _ in taken])
        return bool(taken)

    def forget(self, conn: sqlite3.Connection, texts: Iterable[tuple[int, str]]) -> None:
        """Take (seq, text) of jobs out, in the transaction that deletes them.

        They are gone from the file after `purge`.
        """
        if not self._is_available() or not self._exists():
            return
        known = "select 1 from job_search where rowid = ?"
        gone = [
            (seq, _indexable(text.casefold()) + "  ")
            for seq, text in texts
            if conn.execute(known, (seq,)).fetchone()
        ]
        if gone:
            sql = "insert into job_search (job_search, rowid, folded_text) values ('delete', ?, ?)"
            conn.executemany(sql, gone)
            conn.execute("insert or replace into flag values (?, '1')", (PURGE,))

    def forget_all(self) -> None:
        """Make the index empty: all ended jobs are about to be deleted."""
        with self._db.transaction() as conn:
            if self._is_available() and self._exists():
                conn.execute("insert into job_search (job_search) values ('delete-all')")
            else:
                # Made by a vox that has FTS5, which will find it damaged and make it again.
                names = "select name from sqlite_master where name glob 'job_search_[di]*'"
                for (name,) in conn.execute(names).fetchall():
                    conn.execute(f"delete from {name}")
            conn.execute("insert or ignore into unindexed select seq from job")
            conn.execute("delete from flag where key = ?", (PURGE,))

    def purge(self) -> bool:
        """Overwrite some of what was taken out; True if there may be more. Raises StorageError."""
        flag = self._db.query("select value from flag where key = ?", (PURGE,))
        if not flag or not self._is_available() or not self._exists():
            return False
        # The first step, with a negative number, puts all parts of the index together for it.
        pages = -MERGED_PAGES if flag[0]["value"] == "1" else MERGED_PAGES
        with self._db.transaction() as conn:
            before = conn.total_changes
            sql = "insert into job_search (job_search, rank) values ('merge', ?)"
            conn.execute(sql, (pages,))
            is_over = pages > 0 and conn.total_changes - before < 2
            if is_over:
                conn.execute("delete from flag where key = ?", (PURGE,))
            else:
                conn.execute("insert or replace into flag values (?, '2')", (PURGE,))
        return not is_over


def _indexable(folded: str) -> str:
    """FTS5 takes a NUL for the end of a text."""
    return folded.replace("\0", " ")


def _trigrams(text: str) -> zip[tuple[str, str, str]]:
    return zip(text, text[1:], text[2:], strict=False)


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""') + '"'
