"""Texts that are still being written: their parts, their ends, and who may read them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vox.errors import JobNotLive, UnknownJob
from vox.jobs import Job, Wanted
from vox.queue.database import rebuild
from vox.queue.events import Bus, Event
from vox.queue.store import Store

from .test_store import job

LIMIT = 1_000_000


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def store(tmp_path: Path, bus: Bus) -> Iterator[Store]:
    made = Store(str(tmp_path / "vox.db"), bus)
    yield made
    made.close()


def opened(store: Store, text: str = "", **fields: object) -> Job:
    return store.add([job(text, is_open=True, **fields)])[0]


def write(store: Store, made: Job, *parts: str) -> None:
    for part in parts:
        known = store.get(made.id)
        store.texts.append(made.id, len(known.text), part, LIMIT)


def test_a_text_is_read_as_far_as_it_has_come(store: Store, tmp_path: Path) -> None:
    made = opened(store, "One. ")
    write(store, made, "Zw\u00f6lf. ", "\U0001f600 Three.")
    other = Store(str(tmp_path / "vox.db"))
    for reader in (store, other):
        known = reader.get(made.id)
        assert (known.text, known.is_open) == ("One. Zw\u00f6lf. \U0001f600 Three.", True)
        assert [each.text for each in reader.live()] == [known.text]
    other.close()
    assert [
        each.id for each in store.history.jobs(wanted=Wanted(search="ZW\u00d6LF. \U0001f600"))
    ] == [made.id]
    assert store.history.jobs(wanted=Wanted(search="four")) == []


def test_what_follows_a_place_is_read_alone_before_and_after_the_end(store: Store) -> None:
    made = opened(store, "abc")
    write(store, made, "def", "ghi")
    for is_open in (True, False):
        told = [store.texts.since(made.id, at) for at in range(10)]
        assert [each.text for each in told] == ["abcdefghi"[at:] for at in range(10)]
        assert {each.is_open for each in told} == {is_open}
        store.texts.end(made.id)
    with pytest.raises(UnknownJob):
        store.texts.since("zzzzzz", 0)


def test_what_is_written_again_is_there_once_and_nothing_comes_behind_a_gap(store: Store) -> None:
    made = opened(store)
    told = [
        store.texts.append(made.id, at, text, LIMIT)
        for at, text in [(0, "Hello"), (0, "Hello"), (3, "lo, you"), (11, "!"), (10, "!"), (2, "")]
    ]
    assert [each.length for each in told] == [5, 5, 10, 10, 11, 11]
    assert {each.is_open for each in told} == {True}
    assert store.get(made.id).text == "Hello, you!"


def test_an_ended_text_takes_no_more(store: Store, bus: Bus) -> None:
    made = opened(store)
    write(store, made, "All of it.")
    events: list[Event] = []
    bus.subscribe(events.append)
    ended = store.texts.end(made.id, "the daemon was stopped")
    assert ended is not None
    assert (ended.text, ended.is_open, ended.notes) == (
        "All of it.", False, ["the daemon was stopped"],
    )  # fmt: skip
    assert [(e.name, e.data["open"]) for e in events] == [("progress", False)]
    assert store.texts.end(made.id) is None
    assert store.texts.append(made.id, 10, " More.", LIMIT) == (10, False)
    assert store.get(made.id).text == "All of it."


def test_a_text_that_becomes_too_long_ends_there_with_a_note(store: Store) -> None:
    made = opened(store)
    assert store.texts.append(made.id, 0, "12345", 8) == (5, True)
    assert store.texts.append(made.id, 5, "678", 8) == (8, True)
    assert store.texts.append(made.id, 8, "9", 8) == (8, False)
    known = store.get(made.id)
    assert (known.text, known.is_open) == ("12345678", False)
    assert known.notes == ["the text is longer than max_text (8 characters): it ends there"]


def test_a_job_that_ends_keeps_what_came_of_its_text(store: Store) -> None:
    cancelled, replaced = opened(store), opened(store, replace_key="k")
    for each in (cancelled, replaced):
        write(store, each, "What ", "came.")
        store.texts.note_flush(each.id, 5)
    assert store.cancel(cancelled.id).text == "What came."
    store.add([job("newer", replace_key="k")])
    for each in (cancelled, replaced):
        known = store.get(each.id)
        assert (known.state, known.text, known.is_open) == ("cancelled", "What came.", False)
        assert store.texts.flushes(each.id) == []
        with pytest.raises(JobNotLive):
            store.texts.append(each.id, 10, " More.", LIMIT)
    with pytest.raises(UnknownJob):
        store.texts.append("zzzzzz", 0, "No.", LIMIT)
    assert store.texts.open() == []


def test_where_it_was_cut_is_known_until_the_job_has_ended(store: Store, tmp_path: Path) -> None:
    made = opened(store)
    write(store, made, "One, two, three")
    for at in (8, 4, 8):
        store.texts.note_flush(made.id, at)
    store.texts.end(made.id)
    other = Store(str(tmp_path / "vox.db"))
    assert other.texts.flushes(made.id) == [4, 8]
    other.close()
    store.change(made.id, ("queued",), "done")
    assert store.texts.flushes(made.id) == []


def test_a_stream_that_was_heard_does_not_expire_while_it_waits_for_more(tmp_path: Path) -> None:
    now = [1000.0]
    store = Store(str(tmp_path / "vox.db"), None, lambda: now[0], steady=lambda: now[0])
    heard, unheard = (opened(store, expires_at=1010.0) for _ in range(2))
    store.note(heard.id, first_audio_at=1001.0)
    now[0] = 1020.0
    assert [each.id for each in store.expire()] == [unheard.id]
    store.texts.end(heard.id)
    assert [each.id for each in store.expire()] == [heard.id]
    store.close()


def test_open_texts_survive_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    store = Store(str(path))
    made = opened(store, "One. ", caller="somebody")
    write(store, made, "Two. ", "Three.")
    store.texts.note_flush(made.id, 5)
    store.close()
    rebuild(str(path))
    again = Store(str(path))
    known = again.get(made.id)
    assert (known.text, known.is_open) == ("One. Two. Three.", True)
    assert again.texts.flushes(made.id) == [5]
    assert again.texts.open() == [(made.id, "somebody")]
    again.close()


def test_writing_a_long_text_in_small_parts_takes_linear_time(store: Store) -> None:
    def seconds(count: int) -> float:
        made = opened(store)
        began = time.process_time()
        for number in range(count):
            store.texts.append(made.id, number * 10, "0123456789", LIMIT)
            store.texts.since(made.id, number * 10)
        return time.process_time() - began

    assert seconds(4000) < 8 * seconds(1000)
