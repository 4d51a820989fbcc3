"""The queue's database is damaged, taken away, replaced and locked while a daemon uses it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .audit import audit
from .chance import Chance, some, tries
from .home import Asked, Home, wait_until

PAGE = 4096
LOCK_S = 14.0
"""Longer than a write waits."""


def fill(vox: Home, chance: Chance) -> list[Asked]:
    """Some history, and live jobs that wait because speech is paused."""
    for _ in range(5):
        vox.post("[say 0.01s]")
    vox.drain()
    vox.ok("pause")
    return [vox.post("[say 0.05s]") for _ in range(5)]


def garbage_in_pages(path: Path, chance: Chance) -> None:
    pages = path.stat().st_size // PAGE
    with path.open("r+b") as file:
        for page in chance.sample(range(pages), max(1, pages // 8)):
            file.seek(page * PAGE)
            file.write(chance.randbytes(PAGE))


def garbage_throughout(path: Path, chance: Chance) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.write(chance.randbytes(size))


def cut_off(path: Path, chance: Chance) -> None:
    os.truncate(path, chance.randint(0, path.stat().st_size // PAGE) * PAGE)


def emptied(path: Path, chance: Chance) -> None:
    os.truncate(path, 0)


def deleted(path: Path, chance: Chance) -> None:
    path.unlink()


def replaced_by_garbage(path: Path, chance: Chance) -> None:
    other = path.with_name("other")
    other.write_bytes(chance.randbytes(20_000))
    other.rename(path)


def replaced_by_an_older_one(path: Path, chance: Chance) -> None:
    shutil.copy(path.with_name("older"), path.with_name("other"))
    path.with_name("other").rename(path)


def log_deleted(path: Path, chance: Chance) -> None:
    path.with_name("vox.db-wal").unlink()


def index_of_log_deleted(path: Path, chance: Chance) -> None:
    path.with_name("vox.db-shm").unlink()


Damage = Callable[[Path, Chance], None]
IN_PLACE: list[Damage] = [garbage_in_pages, garbage_throughout, cut_off, emptied]
TAKEN_AWAY: list[Damage] = [
    deleted,
    replaced_by_garbage,
    replaced_by_an_older_one,
    log_deleted,
    index_of_log_deleted,
]


def forgive(vox: Home) -> None:
    """The files that are there now may stay: also the audio of jobs that were lost."""
    vox.damages |= {each.name for each in vox.home.rglob("*") if each.is_file()}


def checkpoint(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("pragma wal_checkpoint(truncate)")


@pytest.mark.parametrize("damage", some(TAKEN_AWAY, 2))
def test_a_database_taken_from_under_a_daemon_costs_no_accepted_job(
    vox: Home, chance: Chance, sound: object, damage: Damage
) -> None:
    path = Path(vox.paths.db_path)
    with contextlib.closing(sqlite3.connect(path)):
        vox.ok("daemon", "start")
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("vacuum into ?", (str(path.with_name("older")),))
    live = fill(vox, chance)
    before = vox.daemons()
    time.sleep(chance.pause_s(0.5))
    damage(path, chance)
    wait_until(lambda: not any(daemon.is_running() for daemon in before), "the daemon leaves")
    wait_until(vox.client.is_up, "its successor is up")
    forgive(vox)
    vox.ok("resume")
    vox.drain()
    vox.books.asked = live  # the history is gone with the file
    audit(vox)


@pytest.mark.parametrize("damage", some(IN_PLACE, 2))
def test_a_database_damaged_under_a_daemon_is_put_right_and_the_daemon_goes_on(
    vox: Home, chance: Chance, sound: object, damage: Damage
) -> None:
    path = Path(vox.paths.db_path)
    vox.ok("daemon", "start")
    for _ in range(tries(1, 6)):
        fill(vox, chance)
        checkpoint(path)
        damage(path, chance)
        # One that could not be written down says so.
        wait_until(lambda: vox("resume", timeout_s=60).code == 0, "speech goes on", 60.0)
        asked = vox.start_call("[say 0.05s]")
        assert asked.end() in (0, 1, 2), asked.asked.error
        wait_until(vox.client.is_up, "a daemon is up")
        last = vox.start_call("[say 0.05s]")
        assert last.end() == 0, last.asked.error
        if not vox.health()["database"]["damaged_files"]:
            # Nothing is in those pages, or nobody has read them since: a start looks at all.
            vox.ok("daemon", "restart")
        health = vox.health()
        assert health["status"] == "ok", health
        assert health["database"]["error"] is None
        # Three within a minute, and the daemon leaves it to its user.
        for each in vox.home.glob("vox.db.damaged-*"):
            each.unlink()
        # What lay in damaged pages is lost. Whatever is there has ended once.
        for each in vox.books.asked:
            each.is_accepted = each is last.asked
            each.ends = frozenset({"done", "failed", "cancelled", "queued"})
        forgive(vox)
    audit(vox)


def set_version(path: Path, version: int) -> int:
    """Say that it is a vox of that version that made the database; what was said before."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        (before,) = conn.execute("pragma user_version").fetchone()
        conn.execute(f"pragma user_version = {version}")
        conn.execute("pragma wal_checkpoint(truncate)")
    return int(before)


def test_a_database_that_a_newer_vox_made_is_refused_in_one_line_and_left_as_it_is(
    vox: Home, chance: Chance, sound: object
) -> None:
    path = Path(vox.paths.db_path)
    vox.ok("daemon", "start")
    fill(vox, chance)
    vox.ok("daemon", "stop")
    version = set_version(path, 999)
    before = path.read_bytes()
    calls = ["daemon start", "history", "queue", "pause", "cancel --all", "history clear --yes",
             "--async hello", "-b say hello"]  # fmt: skip
    for call in chance.sample(calls, tries(4, len(calls))):
        result = vox(*call.split())
        assert result.code != 0, call
        assert "a newer vox made" in result.err and result.err.count("\n") == 1, (call, result)
    wait_until(lambda: not vox.processes(), "nothing runs")
    assert path.read_bytes() == before
    assert [each.name for each in vox.home.glob("vox.db.*")] == ["vox.db.order"]
    set_version(path, version)
    vox.ok("resume")
    vox.drain()
    audit(vox)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


def test_a_lock_of_another_program_keeps_nobody_from_reading_and_refuses_what_is_not_spoken(
    vox: Home, chance: Chance, sound: object
) -> None:
    vox.ok("daemon", "start")
    first = vox.post("[say 0.05s]")
    vox.drain()
    with locked(Path(vox.paths.db_path)):
        began = time.monotonic()
        calls = [vox.start_call("[say 0.05s]", "--async") for _ in range(12)]
        time.sleep(chance.pause_s(2.0))
        asked = time.monotonic()
        assert first.id in vox.ok("history")
        assert vox.health()["status"] == "ok"
        assert time.monotonic() - asked < LOCK_S / 2
        for call in calls:
            assert call.end() == 1, call.asked.error
            assert "locked by another program" in str(call.asked.error)
        assert time.monotonic() - began < 6 * LOCK_S
    assert vox.start_call("[say 0.05s]").end() == 0
    vox.drain()
    for call in calls:
        assert not call.asked.is_accepted
    audit(vox)
    assert not [each for each in vox.jobs() if any(c.asked.tag in each["text"] for c in calls)]


def test_accepted_jobs_outlive_a_lock_of_another_program(
    vox: Home, chance: Chance, sound: object
) -> None:
    vox.ok("daemon", "start")
    for _ in range(4):
        vox.post("[say 0.3s]")
    time.sleep(chance.pause_s(1.0))
    with locked(Path(vox.paths.db_path)):
        time.sleep(LOCK_S)
    audit(vox)
