"""A damaged database is set aside and made again, with the rows that can be read."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import sqlite3
import stat
from pathlib import Path

import pytest

from vox.errors import SchemaTooNew, StorageDamaged, StorageLocked
from vox.jobs import Job
from vox.queue import sqlite_errors
from vox.queue.database import rebuild
from vox.queue.events import Bus
from vox.queue.set_aside import set_aside_files
from vox.queue.store import PAUSE, Store

from .test_store import job

PAGE = 4096
SECRET = b"nobody may read this"


def fill(path: Path, count: int = 400) -> dict[str, Job]:
    """A database with that many jobs, some live, and a flag; returns the jobs by id."""
    store = Store(str(path))
    jobs = store.add([job(f"{n} " + "word " * (n % 50)) for n in range(count)])
    for each in jobs[: count // 2 : 10]:
        store.change(each.id, ("queued",), "done")
    store.note(jobs[-1].id, heard=3)
    store.set_flag(PAUSE, True)
    known = {each.id: each for each in store.history.jobs()}
    store.close()
    return known


def read_again(path: Path) -> dict[str, Job]:
    store = Store(str(path), check=True)
    try:
        assert store.moved_aside is not None
        return {each.id: each for each in store.history.jobs()}
    finally:
        store.close()


def test_what_lies_in_whole_pages_survives_garbage_in_others(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    known = fill(path)
    seed = secrets.randbelow(10**9)
    chance = random.Random(seed)
    data = bytearray(path.read_bytes())
    pages = range(5, len(data) // PAGE)
    hit = chance.sample(pages, 3)
    for page in hit:
        data[page * PAGE : (page + 1) * PAGE] = chance.randbytes(PAGE)
    path.write_bytes(data)
    found = read_again(path)
    assert len(found) > len(known) - 150, (seed, hit)
    for each in found.values():
        assert each == known[each.id], (seed, hit)
    (kept,) = set_aside_files(str(path))
    assert Path(kept).read_bytes() == data
    assert len(list(tmp_path.iterdir())) == 3, "the new one, its lock, and the one set aside"


def test_a_lost_first_page_costs_no_job(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    known = fill(path)
    data = path.read_bytes()
    path.write_bytes(os.urandom(PAGE) + data[PAGE:])
    assert read_again(path) == known


def test_a_lost_root_of_an_index_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    known = fill(path)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        roots = conn.execute("select rootpage from sqlite_master where type = 'index'").fetchall()
    data = bytearray(path.read_bytes())
    for (page,) in roots:
        data[(page - 1) * PAGE : page * PAGE] = os.urandom(PAGE)
    path.write_bytes(data)
    assert read_again(path) == known
    store = Store(str(path))
    assert store.is_set(PAUSE)
    store.close()


def test_the_beginning_of_a_file_that_was_cut_off_survives(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    known = fill(path)
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE + 100)
    found = read_again(path)
    assert len(found) > 100
    assert all(each == known[each.id] for each in found.values())


@pytest.mark.parametrize("damage", ["state = 'queuef'", "created_at = 'now'"])
def test_a_row_that_is_damaged_in_a_page_that_looks_whole_is_left_out(
    tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "vox.db"
    known = fill(path, 20)
    lost = next(iter(known))
    store = Store(str(path), check=True)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute(f"update job set {damage} where id = ?", (lost,))
        conn.commit()
    with pytest.raises(StorageDamaged):
        store.history.jobs()
    assert "a damaged job" in str(store.damage)
    store.close()
    rebuild(str(path))
    store = Store(str(path))
    assert {each.id for each in store.history.jobs()} == known.keys() - {lost}
    assert store.damage is None
    store.close()


def test_a_newer_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    fill(path, 2)
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("pragma user_version = 999")
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew) as error:
        Store(str(path), check=True)
    assert "a newer vox made" in error.value.line
    assert "update this vox" in error.value.line
    assert path.read_bytes() == before
    assert not set_aside_files(str(path))


def test_a_database_that_others_can_read_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    store = Store(str(path))
    with store.in_order():
        store.add([job()])
    for name in ("vox.db", "vox.db-wal", "vox.db-shm", "vox.db.order"):
        os.chmod(tmp_path / name, 0o644)
    Store(str(path)).close()
    for each in tmp_path.iterdir():
        assert stat.S_IMODE(each.stat().st_mode) == 0o600, each
    store.close()


@pytest.mark.parametrize("name", ["vox.db", "vox.db-wal", "vox.db-shm"])
def test_nothing_is_written_to_a_file_that_has_lost_its_name(tmp_path: Path, name: str) -> None:
    store = Store(str(tmp_path / "vox.db"))
    store.add([job()])
    (tmp_path / name).unlink()
    with pytest.raises(StorageDamaged, match=rf"{name} was deleted"):
        store.add([job()])
    assert store.damage is not None
    store.close()


def test_a_clear_leaves_no_text_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    path.write_bytes(SECRET * 1000)
    bus = Bus("e")
    store = Store(str(path), bus)
    texts = [SECRET.decode() + f" {n} " + "and more " * (n * 200) for n in range(5)]
    for each in store.add([job(text) for text in texts]):
        store.change(each.id, ("queued",), "preparing")
        store.cancel(each.id)
    assert bus.since("e-0")
    store.forgetting.clear()
    assert bus.since("e-0") == []
    for each in tmp_path.iterdir():
        assert SECRET not in each.read_bytes(), each
    assert not set_aside_files(str(path))
    store.close()


def test_a_lock_of_another_program_ends_a_write_and_no_read(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    store = Store(str(path))
    store.add([job()])
    store._db.writer.execute("pragma busy_timeout = 50")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(StorageLocked, match="locked by another program"):
            store.add([job("refused")])
        assert len(store.history.jobs()) == 1
        other.execute("rollback")
    assert store.damage is None
    assert [each.text for each in store.add([job("taken")])] == ["taken"]
    assert len(store.history.jobs()) == 2
    store.close()
    assert sqlite_errors.LOCK_WAIT_S < 20
