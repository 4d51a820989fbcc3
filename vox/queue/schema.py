"""The job table's numbered migrations. Never edit one that has shipped: add the next."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from ..errors import SchemaTooNew
from ..jobs import OPTIONS, SPEECH_OPTIONS

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
    "alter table job add column caller text",
    "create table flag (key text primary key, value text not null) without rowid;",
    # With the state in it, jobs are counted and a place in the queue is found without their rows.
    """
    drop index job_live;
    create index job_live on job (state, priority desc, seq)
        where state in ('queued', 'preparing', 'speaking');
    """,
    # The parts of texts that are still being written, and where such a text was cut because its
    # writer was silent: cut there again, it gives the same utterances (see `texts`).
    """
    alter table job add column is_open integer not null default 0;
    create table text_part (
        job_id text not null,
        at integer not null,
        text text not null,
        primary key (job_id, at)
    ) without rowid;
    create table text_flush (
        job_id text not null,
        at integer not null,
        primary key (job_id, at)
    ) without rowid;
    """,
    "alter table job add column umask integer",
    "alter table job add column unsaid integer not null default 0",
    # Files are made after what is for the ear.
    """
    drop index job_live;
    create index job_live on job (state, priority desc, seq, sink)
        where state in ('queued', 'preparing', 'speaking');
    """,
    # `source` said which way a job came; now it names who sent it, and `via` says that.
    """
    alter table job add column via text not null default 'cli';
    update job set via = source;
    drop index job_source;
    create index job_source on job (source);
    """,
    # The newest jobs of a state, and those of the last days, are found without reading the rest.
    """
    create index job_ended on job (state) where state not in ('queued', 'preparing', 'speaking');
    create index job_created on job (created_at);
    """,
    # See `search`. A job that is in it too early is taken in when it has ended.
    """
    create table unindexed (seq integer primary key);
    insert into unindexed select seq from job;
    create trigger job_ended after update of state on job
        when new.state not in ('queued', 'preparing', 'speaking')
        begin insert or ignore into unindexed values (new.seq); end;
    create trigger job_copied after insert on job
        when new.state not in ('queued', 'preparing', 'speaking')
        begin insert or ignore into unindexed values (new.seq); end;
    create trigger job_forgotten after delete on job
        begin delete from unindexed where seq = old.seq; end;
    """,
    # Private jobs that have ended, until their audio is deleted.
    "create table private_ended (job_id text primary key) without rowid;",
    # What warm models and the cache saved; and all that `stats` reads.
    """
    alter table job add column saved_load_s real not null default 0;
    alter table job add column saved_synthesis_s real not null default 0;
    create index job_stats on job (
        backend, source, created_at, sink, state, audio_s, heard, utterances, saved_load_s,
        saved_synthesis_s
    ) where state not in ('queued', 'preparing', 'speaking');
    """,
    "alter table job add column undecided text",
    "alter table job add column unkept integer not null default 0",
    "alter table job add column marks text",
    "alter table job add column made_on text",
)

_SQL_TYPES: dict[type, str] = {str: "text", float: "real", bool: "integer"}


def migrate(conn: sqlite3.Connection) -> None:
    """Bring the database to the newest version; safe with several processes at once.

    A column that an option of `jobs` needs is added by itself. An older daemon that still runs
    reads columns by name, so it does not mind. Raises SchemaTooNew, and changes nothing, if a
    newer vox made the database.
    """
    if _is_newest(conn):
        return
    conn.execute("begin exclusive")
    try:
        (version,) = conn.execute("pragma user_version").fetchone()
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in _statements(script):
                conn.execute(statement)
            conn.execute(f"pragma user_version = {number}")
        for name in _missing_columns(conn):
            conn.execute(f"alter table job add column {name} {_SQL_TYPES[OPTIONS[name].kind]}")
        conn.execute("commit")
    finally:
        # On a full disk SQLite rolls back by itself.
        if conn.in_transaction:
            conn.execute("rollback")


def _statements(script: str) -> Iterator[str]:
    """The script's statements; a trigger holds some itself."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def refuse_newer(conn: sqlite3.Connection) -> int:
    """The database's version. Raises SchemaTooNew if we do not know it."""
    version = int(conn.execute("pragma user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise SchemaTooNew(
            f"a newer vox made the queue's database (version {version}; this vox knows "
            f"{len(MIGRATIONS)})"
        )
    return version


def _is_newest(conn: sqlite3.Connection) -> bool:
    return refuse_newer(conn) == len(MIGRATIONS) and not _missing_columns(conn)


def _missing_columns(conn: sqlite3.Connection) -> list[str]:
    there = {row[1] for row in conn.execute("pragma table_info(job)")}
    return [name for name in SPEECH_OPTIONS if name not in there]
