"""The job table's numbered migrations. Never edit one that has shipped: add the next."""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[str, ...] = (
    """
    create table job (
        seq integer primary key autoincrement,
        id text not null unique,
        state text not null,
        text text not null,
        backend text not null,
        voice text,
        lang text,
        model text,
        style text,
        gender text,
        speed real not null,
        volume real not null,
        priority integer not null,
        source text not null,
        source_name text,
        sink text not null,
        output text,
        replace_key text,
        expires_at real,
        created_at real not null,
        started_at real,
        first_audio_at real,
        finished_at real,
        audio_s real,
        attempts integer not null default 0,
        heard integer not null default 0,
        utterances integer,
        heard_at_attempt integer not null default 0,
        error text,
        error_code text,
        error_exit integer,
        notes text not null default '[]'
    );
    create index job_live on job (priority desc, seq)
        where state in ('queued', 'preparing', 'speaking');
    create index job_replace on job (replace_key) where replace_key is not null;
    create index job_source on job (source, source_name);
    """,
    "create table cleared (id text primary key, state text not null, error text) without rowid;",
)


def migrate(conn: sqlite3.Connection) -> None:
    """Bring the database to the newest version; safe with several processes at once."""
    (version,) = conn.execute("pragma user_version").fetchone()
    if version >= len(MIGRATIONS):
        return
    conn.execute("begin exclusive")
    try:
        (version,) = conn.execute("pragma user_version").fetchone()
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in script.split(";"):
                if statement.strip():
                    conn.execute(statement)
            conn.execute(f"pragma user_version = {number}")
        conn.execute("commit")
    finally:
        # On a full disk SQLite rolls back by itself.
        if conn.in_transaction:
            conn.execute("rollback")
