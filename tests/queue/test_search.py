"""The index finds what reading every text finds, and holds nothing that was deleted."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vox.errors import StorageError
from vox.jobs import Job, Wanted
from vox.queue.schema import MIGRATIONS
from vox.queue.search import AT_ONCE, MANY, SearchIndex
from vox.queue.store import Store

TEXTS = (
    "The build is finished.",
    "STRASSE ÄÖÜ Grüße",
    "Straße",
    "İstanbul ILIK ılık",
    "東京タワーの猫",
    "猫車",
    "привет, Мир",
    "100% done_and 'quoted' \"twice\" (a OR b) NOT c*",
    "before\0after",
    "emoji 👩‍👩‍👧 here 🎉",
    "e\u0301 is not \u00e9",
    "ab",
    "z",
    "",
)
NEEDLES = (
    "build", "BUILD IS", "is finished.", "strasse", "STRASSE", "straße", "ße", "ß", "äö",
    "istanbul", "İ", "ı", "i", "東京", "猫", "猫車", "の猫", "車", "タワー", "МИР", "100%", "%",
    "_", "done_and", "'", '"', '"twice"', "a OR b", "NOT c*", "*", "AND", "re\0af", "\0",
    "👩‍👩‍👧", "🎉", "\u0301", "\u00e9", "e\u0301", "ab", "z", "b", "ab ", "nothing of it",
    "  ", " ", "zz", "猫車車", "-", "NEAR(a b)", "text:ab", "^a",
)  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"))
    yield opened
    opened.close()


def ended(text: str, **fields: Any) -> Job:
    return Job(id="", text=text, backend="hibari", state="done", **fields)


def found(store: Store, needle: str, **wanted: Any) -> list[str]:
    return [each.text for each in store.history.jobs(wanted=Wanted(search=needle, **wanted))]


def take_all(index: SearchIndex) -> None:
    while index.add_some():
        pass


def terms(store: Store) -> set[str]:
    return {row[0] for row in store._db.query("select term from job_search_trigram")}


@pytest.mark.parametrize("indexed", [0, 7, len(TEXTS)])
def test_a_part_of_a_text_is_found_in_any_script_whether_it_is_in_the_index_or_not(
    store: Store, indexed: int
) -> None:
    store.add(ended(text) for text in TEXTS[:indexed])
    take_all(store.history.index)
    store.add(ended(text) for text in TEXTS[indexed:])
    for needle in NEEDLES:
        expected = [text for text in TEXTS if needle.casefold() in text.casefold()]
        assert found(store, needle) == expected[::-1], needle


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    texts=st.lists(st.text("aAbßSİi\u0301 \0\"'%_東猫👧-*", max_size=12), max_size=6),
    needle=st.text("aAbßSİi\u0301 \0\"'%_東猫👧-*", min_size=1, max_size=5),
)
def test_every_text_and_every_needle(store: Store, texts: list[str], needle: str) -> None:
    store.forgetting.clear()
    store.add(ended(text) for text in texts)
    store.history.index.add_some()
    expected = [text for text in texts if needle.casefold() in text.casefold()]
    assert found(store, needle) == expected[::-1]


def test_what_is_live_or_has_just_ended_is_found_too(store: Store) -> None:
    store.add([ended("old words")])
    take_all(store.history.index)
    live, ends = store.add([Job(id="", text=f"{name} words", backend="b") for name in "ab"])
    assert found(store, "WORDS") == ["b words", "a words", "old words"]
    store.cancel(ends.id)
    assert found(store, "words") == ["b words", "a words", "old words"]
    take_all(store.history.index)
    assert found(store, "words") == ["b words", "a words", "old words"]
    assert found(store, "words", states=("queued",)) == ["a words"]
    assert store.history.index.waiting(10) == 0
    store.cancel(live.id)
    assert store.history.index.waiting(10) == 1


def test_pages_of_what_was_found_follow_each_other(store: Store) -> None:
    store.add(ended(f"word {n}") for n in range(450))
    for _ in range(2):
        store.history.index.add_some()
    pages = list(store.history.pages(None, Wanted(search="WORD")))
    assert [len(page) for page in pages] == [200, 200, 50]
    assert [each.text for page in pages for each in page] == [f"word {n}" for n in range(450)][::-1]
    assert [len(page) for page in store.history.pages(205, Wanted(search="ord 1"))] == [111]
    last = store.history.last_of_page(10, Wanted(search="word"))
    assert last and store.get(last).text == "word 440"


def test_a_rare_text_of_a_long_history_is_found_without_reading_the_others(store: Store) -> None:
    store.add(ended(f"common {n}") for n in range(5 * AT_ONCE))
    store.add([ended("a needle 針山")])
    take_all(store.history.index)
    read: list[str] = []

    def note(text: str) -> str:
        read.append(text)
        return text.casefold()

    store._db.reader.create_function("folded", 1, note, deterministic=True)
    for needle in ("NEEDLE", "針山", "針"):
        assert found(store, needle) == ["a needle 針山"]
    assert set(read) == {"a needle 針山"}
    assert len(found(store, "common", source="cli")) == 5 * AT_ONCE
    read.clear()
    assert len(store.history.jobs(20, Wanted(search="c"))) == 20
    assert len(read) <= 60


def test_deleted_texts_leave_the_index(store: Store) -> None:
    old = [ended(f"secret {n} xqz", finished_at=100.0, created_at=100.0) for n in range(30)]
    store.add([*old, *(ended(f"public {n}") for n in range(30))])
    while store.history.index.add_some():
        pass
    assert "xqz" in terms(store)
    assert len(store.forgetting.clear(older_than_s=3600)) == 30
    assert not terms(store) & {"xqz", "sec", "ecr"}
    assert found(store, "xqz") == []
    assert len(found(store, "PUBLIC")) == 30
    store.forgetting.clear()
    assert terms(store) == set()
    assert store.history.index.waiting(1) == 0


def test_a_purge_that_was_cut_off_goes_on(store: Store) -> None:
    store.add([ended("secret xqz", created_at=1.0), ended("public")])
    take_all(store.history.index)
    assert store.forgetting.clear_some(older_than_s=3600)
    again = Store(store.path)
    while again.history.index.purge():
        pass
    assert "xqz" not in terms(again)
    again.close()


def test_all_is_found_without_fts5(store: Store) -> None:
    store.add(ended(text) for text in TEXTS)
    take_all(store.history.index)
    without = Store(store.path)
    without.history.index._has_fts5 = False
    assert found(without, "straSSE") == ["Straße", "STRASSE ÄÖÜ Grüße"]
    assert not without.history.index.add_some()
    without.forgetting.clear()
    without.add([ended("later")])
    assert store._db.query("select count(*) from job_search_data")[0][0] == 0
    # One that has it finds the index damaged, and makes it again.
    assert found(store, "late") == ["later"]
    take_all(store.history.index)
    assert found(store, "late") == ["later"]
    assert "lat" in terms(store)
    assert store.damage is None
    without.close()


def test_a_damaged_index_costs_no_search_and_is_made_again(store: Store) -> None:
    store.add(ended(text) for text in TEXTS)
    take_all(store.history.index)
    with store._db.transaction() as conn:
        conn.execute("delete from job_search_data")
    assert found(store, "build") == ["The build is finished."]
    store.add([ended("one more")])
    take_all(store.history.index)
    assert found(store, "build") == ["The build is finished."]
    assert "bui" in terms(store)
    assert store.damage is None


def test_a_full_disk_costs_no_search(store: Store) -> None:
    store.add(ended(f"text {n} {n * 7919}") for n in range(5 * AT_ONCE))
    writer = store._db.writer
    pages = writer.execute("pragma page_count").fetchone()[0]
    writer.execute(f"pragma max_page_count = {pages + 5}")
    with pytest.raises(StorageError, match="full"):
        take_all(store.history.index)
    assert len(found(store, "text 77 ")) == 1
    writer.execute("pragma max_page_count = 1000000")
    take_all(store.history.index)
    assert len(found(store, "text 77 ")) == 1
    assert store.damage is None


def test_an_old_database_is_searched_at_once_and_indexed_bit_by_bit(tmp_path: Path) -> None:
    path = str(tmp_path / "vox.db")
    old = sqlite3.connect(path, isolation_level=None)
    at = next(n for n, script in enumerate(MIGRATIONS) if "unindexed" in script)
    for script in MIGRATIONS[:at]:
        old.executescript(script)
    old.execute(f"pragma user_version = {at}")
    old.executemany(
        "insert into job (id, state, text, backend, speed, volume, priority, source, sink, "
        "created_at) values (?, 'done', ?, 'hibari', 1, 1, 0, 'cli', 'play', 1)",
        [(f"id{n}", f"old text {n}") for n in range(MANY + 2 * AT_ONCE)],
    )
    old.close()
    store = Store(path)
    assert store.history.index.waiting(10**6) == MANY + 2 * AT_ONCE
    store.history.index.add_some()
    assert store.history.index.waiting(10**6) == MANY + AT_ONCE
    before = found(store, "TEXT 77")
    store.history.index.catch_up(60.0)
    assert store.history.index.waiting(1) == 0
    assert found(store, "TEXT 77") == before
    assert len(before) == 11
    store.close()


def test_who_adds_a_job_never_waits_for_the_whole_index(store: Store) -> None:
    store.add(ended(f"common {n}") for n in range(20 * AT_ONCE))
    index = threading.Thread(target=take_all, args=(store.history.index,))
    index.start()
    while index.is_alive():
        store.add([ended("beside it")])
    index.join()
    take_all(store.history.index)
    assert len(store.history.jobs(3, Wanted(search="beside"))) == 3
