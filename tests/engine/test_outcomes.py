"""The outcome writer: in order, without holding anybody up, and through a full disk."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vox.engine.outcomes import OutcomeWriter
from vox.errors import HostCrashed, HostTimeout
from vox.jobs import Job, State
from vox.queue.events import Bus, Event
from vox.queue.store import Store

LIMIT_S = 20.0
AT = 1_000_000.0


class Heard:
    """The events of a bus, and a way to wait for them."""

    def __init__(self, bus: Bus) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()
        bus.subscribe(self._note)

    def _note(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def states(self, job: Job) -> list[str]:
        events = [e for e in self.events if e.job_id == job.id and e.name == "state"]
        return [event.data["state"] for event in events]

    def until(self, job: Job, *states: str) -> None:
        """Wait until these are the states that were published of the job."""
        with self._changed:
            reached = self._changed.wait_for(lambda: self.states(job) == list(states), LIMIT_S)
        assert reached, self.states(job)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"), Bus())
    yield opened
    opened.close()


@pytest.fixture
def heard(store: Store) -> Heard:
    assert store.bus is not None
    return Heard(store.bus)


@pytest.fixture
def outcomes(store: Store) -> Iterator[OutcomeWriter]:
    writer = OutcomeWriter(store, retry_s=0.02)
    writer.start()
    yield writer
    writer.close()


@pytest.fixture
def job(store: Store, heard: Heard) -> Job:
    return add(store)


def add(store: Store, state: State = "preparing") -> Job:
    (made,) = store.add([Job(id="", text="hello", backend="x", state=state)])
    return made


class Disk:
    """The store's disk, which a test fills."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def fill(self) -> None:
        self._store._db.writer.execute("pragma query_only = on")

    def free(self) -> None:
        self._store._db.writer.execute("pragma query_only = off")


@pytest.fixture
def disk(store: Store) -> Disk:
    return Disk(store)


def test_a_job_that_is_heard_goes_through_its_states(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job
) -> None:
    outcomes.started(job.id, AT)
    outcomes.heard(job.id, 2)
    outcomes.done(job.id, AT + 5)
    heard.until(job, "preparing", "speaking", "done")
    written = store.get(job.id)
    assert (written.first_audio_at, written.heard, written.finished_at) == (AT, 2, AT + 5)


def test_a_job_that_goes_on_after_a_restart_keeps_when_it_was_first_heard(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job
) -> None:
    store.note(job.id, first_audio_at=AT - 100)
    outcomes.started(job.id, AT)
    heard.until(job, "preparing", "speaking")
    assert store.get(job.id).first_audio_at == AT - 100


def test_a_file_is_done_without_being_heard(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job
) -> None:
    outcomes.done(job.id, AT, first_audio_at=AT - 1)
    heard.until(job, "preparing", "done")
    assert store.get(job.id).first_audio_at == AT - 1


def test_a_failure_is_written_with_its_line_code_and_exit_code(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job
) -> None:
    outcomes.failed(job.id, HostTimeout("it hung", "do this"))
    heard.until(job, "preparing", "failed")
    written = store.get(job.id)
    assert (written.error, written.error_code) == ("it hung; do this", "host-timeout")
    assert written.exit_code == 1


def test_of_two_failures_the_first_counts(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job
) -> None:
    outcomes.failed(job.id, HostTimeout("first"))
    outcomes.failed(job.id, HostCrashed("second"))
    last = add(store)
    outcomes.done(last.id, AT)
    heard.until(last, "preparing", "done")
    assert heard.states(job) == ["preparing", "failed"]
    assert store.get(job.id).error == "first; see: vox daemon logs"


def test_what_has_ended_does_not_change_any_more(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job
) -> None:
    store.cancel(job.id)
    outcomes.started(job.id, AT)
    outcomes.heard(job.id, 1)
    outcomes.done(job.id, AT)
    outcomes.failed(job.id, HostTimeout("late"))
    last = add(store)
    outcomes.done(last.id, AT)
    heard.until(last, "preparing", "done")
    assert heard.states(job) == ["preparing", "cancelled"]
    assert store.get(job.id).heard == 0


def test_nobody_waits_for_a_slow_disk(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job
) -> None:
    with store._db.transaction():  # nothing else is written while this goes on
        outcomes.started(job.id, AT)
        outcomes.heard(job.id, 1)
        outcomes.done(job.id, AT)
        assert heard.states(job) == ["preparing"]
    heard.until(job, "preparing", "speaking", "done")


@pytest.mark.parametrize("state", ["done", "failed"])
def test_on_a_full_disk_the_end_is_published_at_once_and_written_when_there_is_room(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job, disk: Disk, state: str
) -> None:
    disk.fill()
    if state == "done":
        outcomes.done(job.id, AT)
    else:
        outcomes.failed(job.id, HostTimeout("it hung"))
    heard.until(job, "preparing", state)
    assert store.get(job.id).state == "preparing"
    disk.free()
    heard.until(job, "preparing", state, state)
    assert store.get(job.id).state == state
    # Its place in the history is told as well: the job object is the one that is written later.
    first, second = (e.data for e in heard.events[-2:])
    assert (first["error"], first["exit_code"]) == (second["error"], second["exit_code"])


def test_what_a_full_disk_held_up_is_written_in_order(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job, disk: Disk
) -> None:
    other = add(store)
    disk.fill()
    outcomes.started(job.id, AT)
    outcomes.heard(job.id, 1)
    outcomes.done(job.id, AT + 1)
    outcomes.done(other.id, AT + 2)
    heard.until(other, "preparing", "done")
    assert heard.states(job) == ["preparing", "done"]
    disk.free()
    heard.until(job, "preparing", "done", "done")
    heard.until(other, "preparing", "done", "done")
    assert (store.get(job.id).heard, store.get(job.id).first_audio_at) == (1, AT)


def test_a_failure_is_published_once_while_the_disk_is_full(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job, disk: Disk
) -> None:
    """The queue offers a job that cannot be marked as failed again and again."""
    disk.fill()
    for _ in range(3):
        outcomes.failed(job.id, HostTimeout("it hung"))
    last = add_when_full(store, disk)
    outcomes.done(last.id, AT)
    heard.until(last, "preparing", "done")
    assert heard.states(job) == ["preparing", "failed"]


def add_when_full(store: Store, disk: Disk) -> Job:
    with store._db._write_lock:
        disk.free()
        made = add(store)
        disk.fill()
    return made


def test_a_job_that_was_cleared_keeps_nobody_from_going_on(
    store: Store, outcomes: OutcomeWriter, heard: Heard, job: Job
) -> None:
    last = add(store)
    store.cancel(job.id)
    store.forgetting.clear()
    outcomes.started(job.id, AT)
    outcomes.done(last.id, AT)
    heard.until(last, "preparing", "done")


def test_closing_writes_what_is_left(store: Store, heard: Heard, job: Job) -> None:
    writer = OutcomeWriter(store)
    writer.done(job.id, AT)
    writer.start()
    writer.close()
    assert store.get(job.id).state == "done"


def test_closing_does_not_wait_for_room_on_the_disk(store: Store, job: Job, disk: Disk) -> None:
    writer = OutcomeWriter(store, retry_s=60.0)
    writer.start()
    disk.fill()
    writer.done(job.id, AT)
    writer.close(timeout_s=LIMIT_S)
    assert not writer._thread.is_alive()
