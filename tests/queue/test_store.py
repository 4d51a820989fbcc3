"""The job table: durable, compare-and-set, searchable, and never lost to damage."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vox.errors import AmbiguousId, IdTaken, JobNotLive, StorageError, UnknownJob
from vox.jobs import INTERRUPT, Job, State, Wanted
from vox.queue.events import Bus, Event
from vox.queue.history import PAGE, PAGE_CHARACTERS
from vox.queue.schema import MIGRATIONS, migrate
from vox.queue.store import Store


class Clock:
    """The wall clock, and one that is never set."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.set_by = 0.0

    def __call__(self) -> float:
        return self.now

    def steady(self) -> float:
        return self.now - self.set_by

    def set(self, seconds: float) -> None:
        """Set the wall clock forward, or back."""
        self.now += seconds
        self.set_by += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def store(tmp_path: Path, bus: Bus, clock: Clock) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"), bus, clock, steady=clock.steady)
    yield opened
    opened.close()


def job(text: str = "hello", **fields: object) -> Job:
    return Job(id="", text=text, backend="hibari", **fields)  # type: ignore[arg-type]


def test_a_job_is_found_again_by_another_process_with_every_field(store: Store) -> None:
    (made,) = store.add(
        [job("Grüße\n☃", voice="heart", speed=1.5, notes=["a", "b"], output="/x.wav")]
    )
    other = Store(store.path)
    assert other.get(made.id) == made
    other.close()


def test_a_note_is_added_once_to_what_is_live(store: Store) -> None:
    live, ended = store.add([job(notes=["a"]), job()])
    store.cancel(ended.id)
    for note in ("b", "b", "a"):
        store.add_note(live.id, note)
        store.add_note(ended.id, note)
    assert (store.get(live.id).notes, store.get(ended.id).notes) == (["a", "b"], [])


def test_flags_are_kept(store: Store) -> None:
    store.set_flag("paused", True)
    store.set_flag("paused", True)
    other = Store(store.path)
    assert (other.is_set("paused"), other.is_set("other")) == (True, False)
    other.set_flag("paused", False)
    other.close()
    assert not store.is_set("paused")


def test_ids_are_found_by_their_beginning_unless_ambiguous(store: Store) -> None:
    store.add([Job(id="abcdef", text="a", backend="x"), Job(id="abcxyz", text="b", backend="x")])
    assert store.get("abcd").id == "abcdef"
    assert store.get(" ABCX ").id == "abcxyz"
    with pytest.raises(AmbiguousId, match="abcdef, abcxyz"):
        store.get("abc")
    for unknown in ("zzz", "", "ab%", "a_c"):
        with pytest.raises(UnknownJob):
            store.get(unknown)


def test_the_newest_jobs_are_found_without_their_ids(store: Store) -> None:
    with pytest.raises(UnknownJob, match="there is no job yet"):
        store.get("last")
    first, second, third = store.add([job("a"), job("b"), job("c")])
    for name, expected in (("last", third), (" LAST", third), ("@1", third), ("@3", first)):
        assert store.get(name).id == expected.id
    assert store.get("@02").id == second.id
    for name in ("@4", "@0", "@-1", "@x", "@", "@1.5", "@٣", "@9999999999"):
        with pytest.raises(UnknownJob, match=f"there is no job .*{name}"):
            store.get(name)


def test_of_many_racing_changes_one_wins(store: Store) -> None:
    (made,) = store.add([job()])
    others = [Store(store.path) for _ in range(4)]
    won: list[str] = []
    barrier = threading.Barrier(4)

    def race(mine: Store) -> None:
        barrier.wait()
        if mine.change(made.id, ("queued",), "preparing") is not None:
            won.append("me")

    threads = [threading.Thread(target=race, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.close()
    assert won == ["me"]


def test_a_job_that_ended_changes_no_more(store: Store) -> None:
    (made,) = store.add([job()])
    assert store.cancel(made.id).state == "cancelled"
    assert store.change(made.id, ("queued",), "preparing") is None
    assert store.note(made.id, heard=3) is None
    with pytest.raises(JobNotLive, match="already cancelled") as caught:
        store.cancel(made.id)
    assert caught.value.hint == f"to speak it again: vox replay {made.id}"
    (secret,) = store.add([job(private=True)])
    store.cancel(secret.id)
    with pytest.raises(JobNotLive) as caught:
        store.cancel(secret.id)
    assert caught.value.hint == "see: vox history"  # nothing of it can be spoken again


def test_every_change_is_told_once_and_in_order(store: Store, bus: Bus) -> None:
    heard: list[Event] = []
    bus.subscribe(heard.append)
    (made,) = store.add([job()])
    store.change(made.id, ("queued",), "preparing")
    store.note(made.id, heard=1)
    store.change(made.id, ("speaking",), "done")  # it is not speaking: nothing happens
    store.change(made.id, ("preparing",), "done")
    assert [(e.name, e.data["state"]) for e in heard] == [
        ("state", "queued"),
        ("state", "preparing"),
        ("progress", "preparing"),
        ("state", "done"),
    ]


def test_adding_is_all_or_nothing(store: Store) -> None:
    store.add([Job(id="aaaaaa", text="first", backend="x")])
    with pytest.raises(IdTaken):
        store.add([job("second"), Job(id="aaaaaa", text="third", backend="x")])
    assert [found.text for found in store.history.jobs()] == ["first"]


def test_positions_follow_priority_and_arrival(store: Store) -> None:
    low, first, second, high = store.add(
        [job("low", priority=-10), job("1"), job("2"), job("high", priority=10)]
    )
    assert [store.show(j)["position"] for j in (high, first, second, low)] == [1, 2, 3, 4]
    assert [j["text"] for j in store.shown_queue()] == ["high", "1", "2", "low"]
    taken = store.change(first.id, ("queued",), "preparing")
    assert taken is not None and store.show(taken)["position"] == 2
    taken = store.change(first.id, ("preparing",), "speaking")
    assert taken is not None and store.show(taken)["position"] == 1
    assert [j["text"] for j in store.shown_queue()] == ["1", "high", "2", "low"]


def test_files_come_after_what_is_for_the_ear(store: Store) -> None:
    book, wanted, low, stream, heard = store.add(
        [
            job("book", sink="file"),
            job("wanted", sink="file", priority=10),
            job("low", priority=-10),
            job("stream", sink="stream"),
            job("heard"),
        ]
    )
    in_order = [stream, heard, low, wanted, book]
    assert [each["id"] for each in store.shown_queue()] == [each.id for each in in_order]
    assert [each.text for each in store.live()] == [each.text for each in in_order]
    assert sorted(in_order, key=lambda each: each.order) == in_order
    assert store.queued_ids() == [each.id for each in in_order]


def test_what_was_interrupted_goes_on_before_what_waits(store: Store) -> None:
    interrupting, interrupted, high = store.add(
        [job("now", priority=INTERRUPT), job("before"), job("high", priority=10)]
    )
    store.change(interrupted.id, ("queued",), "preparing", first_audio_at=1.0)
    store.change(high.id, ("queued",), "preparing")
    in_order = [interrupting.id, interrupted.id, high.id]
    assert [each["id"] for each in store.shown_queue()] == in_order


def test_positions_are_the_order_of_hearing(store: Store) -> None:
    """What is prepared waits for its turn at the loudspeaker, too; files come after all."""
    jobs = file, low, prepared, speaking, high, waiting, waiting_high = store.add(
        [job(sink="file", priority=10)]
        + [job(str(priority), priority=priority) for priority in (-10, 0, 0, 10, 0, 10)]
    )
    for begun in (file, low, prepared, speaking, high):
        store.change(begun.id, ("queued",), "preparing")
    store.change(speaking.id, ("preparing",), "speaking")
    in_order = [each.id for each in (speaking, high, waiting_high, prepared, waiting, low, file)]
    assert [each["id"] for each in store.shown_queue()] == in_order
    assert [each["position"] for each in store.shown_queue()] == list(range(1, len(jobs) + 1))
    assert [store.show(store.get(job_id))["position"] for job_id in in_order[:2]] == [1, 2]
    shown = {each["id"]: each["position"] for each in store.shown(store.live())}
    assert shown == {job_id: at for at, job_id in enumerate(in_order, start=1)}
    ended = store.cancel(speaking.id)
    assert (store.show(ended)["position"], store.show(high)["position"]) == (None, 1)


def test_the_phase_is_as_the_table_tells_it(store: Store) -> None:
    (made,) = store.add([job()])
    phases = [store.show(made)["phase"]]
    steps: list[tuple[State, dict[str, float]]] = [
        ("preparing", {}),
        ("preparing", {"audio_s": 3.0, "utterances": 2}),
        ("speaking", {}),
        ("done", {}),
    ]
    for state, columns in steps:
        changed = store.change(made.id, ("queued", "preparing", "speaking"), state, **columns)
        assert changed is not None
        phases.append(store.show(changed)["phase"])
    assert phases == ["waiting", "making", "ready", "speaking", None]


def test_history_is_newest_first_and_searched_literally(store: Store) -> None:
    store.add([job("100% done"), job("100 apples"), job("Done_and_dusted"), job("ÄPFEL")])
    assert [j.text for j in store.history.jobs(limit=2)] == ["ÄPFEL", "Done_and_dusted"]
    assert [j.text for j in store.history.jobs(wanted=Wanted(search="100%"))] == ["100% done"]
    assert [j.text for j in store.history.jobs(wanted=Wanted(search="done_"))] == [
        "Done_and_dusted"
    ]
    assert store.history.jobs(wanted=Wanted(search="nothing of it")) == []
    assert [j.text for j in store.history.jobs(1, Wanted(states=("queued",)))] == ["ÄPFEL"]


def test_a_long_history_is_read_in_pages_that_need_little_memory(store: Store) -> None:
    store.add([job(f"{number:04}") for number in range(2 * PAGE + 1)])
    pages = list(store.history.pages())
    assert [len(page) for page in pages] == [PAGE, PAGE, 1]
    texts = [found.text for page in pages for found in page]
    assert texts == sorted(texts, reverse=True)
    assert [len(page) for page in store.history.pages(limit=PAGE + 5)] == [PAGE, 5]
    seq = pages[1][-1].seq
    assert [found.text for page in store.history.pages(before=seq) for found in page] == ["0000"]
    store.add([job("x" * (PAGE_CHARACTERS // 2)) for _ in range(5)])
    assert [len(page) for page in store.history.pages(limit=5)] == [2, 2, 1]


def test_jobs_that_come_and_go_meanwhile_double_and_hide_none(store: Store) -> None:
    made = store.add([job(str(number)) for number in range(2 * PAGE)])
    pages = store.history.pages()
    first = next(pages)
    for each in made[:PAGE][::2]:
        store.cancel(each.id)
    store.forgetting.clear()
    store.add([job("new") for _ in range(PAGE)])
    rest = [found.id for page in pages for found in page]
    assert first[-1].id == made[PAGE].id
    assert rest == [
        each.id
        for each in made[:PAGE][::-1]
        if each.id not in {gone.id for gone in made[:PAGE][::2]}
    ]


def test_what_is_asked_all_the_time_never_reads_the_whole_history(store: Store) -> None:
    (made,) = store.add([job(replace_key="k")])
    asked: list[str] = []
    for connection in (store._db.reader, store._db.counter):
        connection.set_trace_callback(asked.append)
    (
        store.expire(),
        store.live(),
        store.live_ids(),
        store.queued_ids(),
        store.count_replaced_by([made]),
        store.callers(),
    )
    store.show(made), store.count_live(), store.live_counts(), store.get(made.id)
    store.history.latest(), list(store.shown([made])), store.history.jobs(limit=1)
    for connection in (store._db.reader, store._db.counter):
        connection.set_trace_callback(None)
    assert len(asked) >= 12
    for sql in asked:
        plan = [row[3] for row in store._db.query(f"explain query plan {sql}")]
        assert "limit 1" in sql or "SCAN job" not in plan, (sql, plan)


def test_jobs_are_counted_without_reading_their_rows(store: Store) -> None:
    store.add([job()])
    asked: list[str] = []
    for connection in (store._db.reader, store._db.counter):
        connection.set_trace_callback(asked.append)
    store.count_live(), store.live_counts()
    for connection in (store._db.reader, store._db.counter):
        connection.set_trace_callback(None)
    assert len(asked) == 2
    for sql in asked:
        plan = [row[3] for row in store._db.query(f"explain query plan {sql}")]
        read = [step for step in plan if "job" in step]
        assert read and all("COVERING INDEX" in step for step in read), (sql, plan)
        assert not any("TEMP B-TREE" in step for step in plan), (sql, plan)


def test_search_finds_every_script_whatever_its_case(store: Store) -> None:
    store.add([job("Привет, Мир"), job("STRASSE ÄÖ")])
    assert [j.text for j in store.history.jobs(wanted=Wanted(search="привет, мИР"))] == [
        "Привет, Мир"
    ]
    assert [j.text for j in store.history.jobs(wanted=Wanted(search="straße äö"))] == ["STRASSE ÄÖ"]


def test_only_ended_jobs_are_cleared_and_only_old_ones(store: Store, clock: Clock) -> None:
    old, live = store.add([job("old"), job("live")])
    store.cancel(old.id)
    clock.now += 100
    (new,) = store.add([job("new")])
    store.cancel(new.id)
    assert store.forgetting.clear(older_than_s=50) == [old.id]
    assert store.forgetting.clear() == [new.id]
    assert [j.id for j in store.history.jobs()] == [live.id]


def test_jobs_expire_before_they_are_spoken_but_not_while(store: Store, clock: Clock) -> None:
    late, spoken, patient = store.add(
        [job("late", expires_at=clock.now + 5), job("spoken", expires_at=clock.now + 5), job("p")]
    )
    store.change(spoken.id, ("queued",), "speaking")
    assert store.expire() == []
    clock.now += 10
    assert [j.id for j in store.expire()] == [late.id]
    assert store.get(late.id).exit_code == 6
    assert store.get(patient.id).is_live


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_lets_no_job_expire_sooner_or_later(
    store: Store, clock: Clock, jump_s: float
) -> None:
    (waits,) = store.add([job("waits", expires_at=clock.now + 5)])
    clock.set(jump_s)
    clock.now += 4
    assert store.expire() == [] == store.expire(only=waits.id)
    clock.now += 2
    assert [j.id for j in store.expire(only=waits.id)] == [waits.id]


def test_after_a_restart_the_wall_clock_says_when_a_job_expires(store: Store, clock: Clock) -> None:
    long, brief = store.add(
        [job("long", expires_at=clock.now + 50), job("brief", expires_at=clock.now + 5)]
    )
    clock.now += 10
    again = Store(store.path, clock=clock, steady=lambda: clock.steady() - 999_000)
    assert [j.id for j in again.expire()] == [brief.id]
    clock.set(-3600)
    clock.now += 39
    assert again.expire() == []
    clock.now += 2
    assert [j.id for j in again.expire()] == [long.id]
    again.close()


def test_a_clock_set_back_before_a_restart_gives_a_job_its_whole_time_again_and_no_more(
    store: Store, clock: Clock
) -> None:
    (waits,) = store.add([job("waits", expires_at=clock.now + 5)])
    clock.set(-3600)
    again = Store(store.path, clock=clock, steady=clock.steady)
    assert again.expire() == []
    clock.now += 6
    assert [j.id for j in again.expire()] == [waits.id]
    again.close()


def test_a_damaged_database_is_moved_aside_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    garbage = b"this is no database" * 500
    path.write_bytes(garbage)
    opened = Store(str(path))
    assert opened.moved_aside is not None
    assert Path(opened.moved_aside).read_bytes() == garbage
    opened.add([job()])
    opened.close()


def test_a_damaged_database_is_moved_aside_once_by_many_starters(tmp_path: Path) -> None:
    path = tmp_path / "vox.db"
    path.write_bytes(b"no database" * 1000)
    barrier, stores = threading.Barrier(6), list[Store]()

    def open_it() -> None:
        barrier.wait()
        stores.append(Store(str(path)))

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, opened in enumerate(stores):
        opened.add([job(str(number))])
    assert len(stores[0].history.jobs()) == 6
    assert len(list(tmp_path.glob("vox.db.damaged-*"))) == 1
    for opened in stores:
        opened.close()


def test_the_database_is_for_this_user_alone(store: Store) -> None:
    assert Path(store.path).stat().st_mode & 0o777 == 0o600


def test_many_processes_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    barrier, failures = threading.Barrier(8), list[Exception]()

    def open_it() -> None:
        barrier.wait()
        try:
            Store(str(tmp_path / "new" / "vox.db")).close()
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_an_older_vox_reads_a_table_that_a_newer_one_has_extended(store: Store) -> None:
    (made,) = store.add([job()])
    conn = sqlite3.connect(store.path)
    conn.execute("alter table job add column shade text")
    conn.commit()
    conn.close()
    assert store.get(made.id) == made


def test_migrations_are_numbered_and_run_once(tmp_path: Path) -> None:
    conn = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    for _ in range(2):
        migrate(conn)
    assert conn.execute("pragma user_version").fetchone() == (len(MIGRATIONS),)
    conn.close()


def test_jobs_of_an_older_vox_keep_the_way_they_came(tmp_path: Path) -> None:
    before_via = next(at for at, script in enumerate(MIGRATIONS) if "column via" in script)
    path = str(tmp_path / "vox.db")
    conn = sqlite3.connect(path, isolation_level=None)
    for statement in ";".join(MIGRATIONS[:before_via]).split(";"):
        conn.execute(statement)
    conn.execute(f"pragma user_version = {before_via}")
    for way in ("cli", "inbox"):
        conn.execute(
            "insert into job (id, state, text, backend, speed, volume, priority, source, sink, "
            "created_at) values (?, 'done', 'Old.', 'say', 1, 1, 0, ?, 'play', 1)",
            (way, way),
        )
    conn.close()
    store = Store(path)
    assert {(job.source, job.via) for job in store.history.jobs()} == {
        ("cli", "cli"), ("inbox", "inbox"),
    }  # fmt: skip
    store.close()


def test_a_full_disk_is_one_clear_line(store: Store) -> None:
    store._db.writer.execute("pragma max_page_count = 40")
    with pytest.raises(StorageError, match="full") as caught:
        store.add([job("x" * 1_000_000)])
    assert "free disk space" in caught.value.line
    assert store.history.jobs() == []


def test_jobs_are_added_by_one_thread_of_one_process_at_a_time(store: Store) -> None:
    others, entered = [store, Store(store.path)], threading.Semaphore(0)

    def enter(other: Store) -> None:
        with other.in_order():
            entered.release()

    with store.in_order():
        threads = [threading.Thread(target=enter, args=(other,)) for other in others]
        for thread in threads:
            thread.start()
        assert not entered.acquire(timeout=0.1)
    for thread in threads:
        assert entered.acquire(timeout=10)
        thread.join()
    others[1].close()


def test_a_job_that_ends_before_it_is_told_of_is_not_told_of_as_queued(
    store: Store, bus: Bus
) -> None:
    states: list[tuple[str, str]] = []
    bus.subscribe(lambda event: states.append((event.job_id, event.data["state"])))
    (old,) = store.add([job(replace_key="k")])
    new = job(replace_key="k")
    new.id = "aaaaaa"
    store.add([new], on_replaced=lambda _old_id: store.cancel(new.id))
    assert states == [(old.id, "queued"), (old.id, "cancelled"), (new.id, "cancelled")]
