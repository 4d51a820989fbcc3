"""Texts that are still being written: the parts that came, in the table `text_part`.

A part begins at the character after the one before it. What the job's own row holds comes first.
Once the text has ended, the row holds all of it. The table `text_flush` says where a text was cut
because its writer was silent: cut there again, it gives the same utterances.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from ..errors import JobNotLive, UnknownJob
from ..jobs import LIVE, Job
from .database import Database

TEXT_SQL = (
    "case when is_open then text || coalesce((select group_concat(text, '') from text_part "
    "where job_id = job.id), '') else text end"
)
"""A job's text so far. SQLite reads the parts in the order of the primary key."""
_ADD_NOTE_SQL = (
    "update job set notes = json_insert(notes, '$[#]', ?) where id = ? and json_valid(notes)"
)


class Grown(NamedTuple):
    """How much of a text is there, and whether more may come."""

    length: int
    """In characters. Who writes goes on here, whatever it had sent."""
    is_open: bool


class Written(NamedTuple):
    """What came after a place in a text, and whether more may come."""

    text: str
    is_open: bool


class Texts:
    """The texts of one job table: part of its `Store`, whose rules hold here too."""

    def __init__(self, db: Database, tell: Callable[[sqlite3.Row], Job]) -> None:
        """`tell`: publishes that a live job has changed, and returns it."""
        self._db = db
        self._tell = tell

    def append(self, job_id: str, at: int, text: str, limit: int) -> Grown:
        """Add to an open text what follows its first `at` characters; says how much is there then.

        What is there already is not added again. Nothing is added behind a gap, nor to a text that
        has ended. At `limit` characters the text ends, with a note. Raises UnknownJob, JobNotLive.
        """
        with self._db.transaction() as conn:
            row = conn.execute("select state, is_open from job where id = ?", (job_id,)).fetchone()
            if row is None:
                raise UnknownJob(f"there is no job {job_id!r}")
            if row["state"] not in LIVE:
                raise JobNotLive(
                    f"job {job_id} is already {row['state']}",
                    f"see: vox history show {job_id}",
                )
            length = _length(conn, job_id)
            new = text[max(0, length - at) :] if row["is_open"] and at <= length else ""
            is_over = length + len(new) > limit
            if is_over:
                new = new[: max(0, limit - length)]
                note = f"the text is longer than max_text ({limit:,} characters): it ends there"
                conn.execute(_ADD_NOTE_SQL, (note, job_id))
            if new:
                conn.execute("insert into text_part values (?, ?, ?)", (job_id, length, new))
        if is_over:
            self.end(job_id)
        return Grown(length + len(new), bool(row["is_open"]) and not is_over)

    def end(self, job_id: str, note: str = "") -> Job | None:
        """No more of the text will come; `note`: for the user. Returns the job.

        None if the text, or the job, has ended before.
        """
        with self._db.transaction() as conn:
            row = conn.execute("select is_open from job where id = ?", (job_id,)).fetchone()
            if row is None or not row["is_open"]:
                return None
            if note:
                conn.execute(_ADD_NOTE_SQL, (note, job_id))
            row = _consolidate(conn, job_id)
        return self._tell(row)

    def so_far(self, job_id: str, own: str) -> str:
        """An open text; `own`: what the job's row holds."""
        rows = self._db.query("select text from text_part where job_id = ? order by at", (job_id,))
        return own + "".join(row["text"] for row in rows)

    def since(self, job_id: str, at: int) -> Written:
        """What came after the first `at` characters of a job's text. Raises UnknownJob."""
        rows = self._db.query(
            "select is_open, substr(text, ? + 1) as text from job where id = ? union all "
            "select null, substr(text, max(0, ? - at) + 1) from text_part "
            "where job_id = ? and at >= coalesce("
            "(select max(at) from text_part where job_id = ? and at <= ?), 0)",
            (at, job_id, at, job_id, job_id, at),
        )
        if not rows or rows[0]["is_open"] is None:
            raise UnknownJob(f"there is no job {job_id!r}")
        return Written("".join(row["text"] for row in rows), bool(rows[0]["is_open"]))

    def length(self, job_id: str) -> int:
        """How much of a text is there, in characters. Raises UnknownJob."""
        written = self._db.query(f"select length({TEXT_SQL}) as n from job where id = ?", (job_id,))
        if not written:
            raise UnknownJob(f"there is no job {job_id!r}")
        return int(written[0]["n"])

    def note_flush(self, job_id: str, at: int) -> None:
        """The text is cut after so many characters, because its writer was silent there."""
        with self._db.transaction() as conn:
            conn.execute("insert or ignore into text_flush values (?, ?)", (job_id, at))

    def flushes(self, job_id: str) -> list[int]:
        """Where the text was cut because its writer was silent, in order."""
        sql = "select at from text_flush where job_id = ? order by at"
        return [row["at"] for row in self._db.query(sql, (job_id,))]

    def open(self) -> list[tuple[str, str | None]]:
        """(job id, caller) of each live job whose text is still being written."""
        marks = ", ".join("?" * len(LIVE))
        sql = f"select id, caller from job where state in ({marks}) and is_open"
        return [(row["id"], row["caller"]) for row in self._db.query(sql, LIVE)]


def close(
    conn: sqlite3.Connection, row: sqlite3.Row, job_of: Callable[[sqlite3.Row], Job]
) -> sqlite3.Row:
    """The row of a job that has just ended: nothing more comes, and nobody cuts its text again.

    Of a private one, or one that is not kept, nothing of its text is left.
    """
    conn.execute("delete from text_flush where job_id = ?", (row["id"],))
    if row["private"] or row["unkept"]:
        return _erase(conn, job_of(row))
    return _consolidate(conn, row["id"]) if row["is_open"] else row


def _erase(conn: sqlite3.Connection, job: Job) -> sqlite3.Row:
    """Overwrite the job's text and how to say it, and have its audio deleted."""
    conn.execute("delete from text_part where job_id = ?", (job.id,))
    conn.execute("insert or ignore into private_ended values (?)", (job.id,))
    notes = json.dumps([job.discreet(note) for note in job.notes], ensure_ascii=False)
    error = None if job.error is None else job.discreet(job.error)
    row: sqlite3.Row = conn.execute(
        "update job set text = '', style = null, marks = null, is_open = 0, notes = ?, error = ? "
        "where id = ? returning *",
        (notes, error, job.id),
    ).fetchone()
    return row


def _length(conn: sqlite3.Connection, job_id: str) -> int:
    """The length of an open text, in characters."""
    row = conn.execute(
        "select length(job.text), (select at + length(text) from text_part "
        "where job_id = job.id order by at desc limit 1) from job where id = ?",
        (job_id,),
    ).fetchone()
    return int(row[0] if row[1] is None else row[1])


def _consolidate(conn: sqlite3.Connection, job_id: str) -> sqlite3.Row:
    """Put the parts into the job's row, which it returns."""
    row: sqlite3.Row = conn.execute(
        f"update job set text = {TEXT_SQL}, is_open = 0 where id = ? returning *", (job_id,)
    ).fetchone()
    conn.execute("delete from text_part where job_id = ?", (job_id,))
    return row
