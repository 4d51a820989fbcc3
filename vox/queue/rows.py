"""A row of the job table and the `Job` that it holds, one made from the other."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from typing import Any

from ..errors import StorageDamaged
from ..jobs import OPTIONS, SPEECH_OPTIONS, STATES, Job

LIVE_SQL = "('queued', 'preparing', 'speaking')"
"""The states of live jobs. From these words SQLite knows which index holds them, or all others."""

COLUMNS = tuple(f.name for f in fields(Job))
_NUMBERS = tuple(name for name in SPEECH_OPTIONS if OPTIONS[name].kind is float)
_FLAGS = tuple(name for name in SPEECH_OPTIONS if OPTIONS[name].kind is bool)


def row_of(job: Job) -> dict[str, Any]:
    row = {name: getattr(job, name) for name in COLUMNS}
    row["notes"] = sql_value(job.notes)
    row["marks"] = sql_value(job.marks) if job.marks else None
    return row


def sql_value(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value


def job_of(row: sqlite3.Row) -> Job:
    # A newer vox may have added columns while this daemon still finishes its queue.
    values = {name: row[name] for name in COLUMNS}
    is_whole = isinstance(values["text"], str) and isinstance(values["created_at"], int | float)
    if values["state"] not in STATES or not is_whole:
        raise StorageDamaged("the queue's database holds a damaged job")
    for name in ("notes", "marks"):
        try:
            values[name] = json.loads(values[name] or "[]")
        except ValueError:
            values[name] = []  # a damaged byte
    # `returning` gives a whole number as an integer, whatever the column is.
    for name in _NUMBERS:
        values[name] = None if values[name] is None else float(values[name])
    for name in (*_FLAGS, "is_open", "unkept"):
        values[name] = bool(values[name])
    return Job(**values)
