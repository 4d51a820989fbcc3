"""What a start does about the jobs of a daemon that died."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vox.jobs import Job
from vox.queue import recovery
from vox.queue.broker import Broker
from vox.queue.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"))
    yield opened
    opened.close()


@pytest.fixture
def broker(store: Store) -> Iterator[Broker]:
    opened = Broker(store.path)
    yield opened
    opened.close()


def queued(store: Store, *texts: str) -> list[Job]:
    return store.add([Job(id="", text=text, backend="x") for text in texts])


def die_while_speaking(store: Store, job: Job, heard: int) -> None:
    store.change(job.id, ("queued",), "speaking")
    store.note(job.id, heard=heard)


def test_an_interrupted_job_is_first_again_and_keeps_how_far_it_was(
    store: Store, broker: Broker
) -> None:
    first, second = queued(store, "first", "second")
    broker.send([(second.id, 0)])  # Huey dropped the first one's row before it ran it
    die_while_speaking(store, first, heard=2)
    (back,) = recovery.recover(store, broker)
    assert (back.id, back.state, back.heard, back.attempts) == (first.id, "queued", 2, 1)
    assert broker.pending() == [first.id, second.id]


def test_queued_jobs_that_huey_does_not_hold_are_sent_again(store: Store, broker: Broker) -> None:
    jobs = queued(store, "a", "b", "c")
    broker.send([(jobs[1].id, 0)])
    recovery.recover(store, broker)
    assert broker.pending() == [job.id for job in jobs]


def test_after_three_deaths_without_progress_a_job_is_tried_alone_behind_those_that_wait(
    store: Store, broker: Broker
) -> None:
    suspect, second, third, low = store.add(
        [Job(id="", text="x", backend="x", priority=priority) for priority in (0, 0, 0, -10)]
    )
    for times in range(1, recovery.MAX_ATTEMPTS + 1):
        assert recovery.tried_alone(store) == set()
        die_while_speaking(store, suspect, heard=0)
        (back,) = recovery.recover(store, broker)
        assert (back.state, back.attempts) == ("queued", times)
    assert recovery.tried_alone(store) == {suspect.id}
    assert broker.pending() == [second.id, third.id, suspect.id, low.id]
    (later,) = queued(store, "later")
    assert [entry.id for entry in store.queued()][2:4] == [suspect.id, later.id]


def die_often(store: Store, broker: Broker, job: Job, times: int) -> None:
    for _ in range(times):
        die_while_speaking(store, job, heard=0)
        recovery.recover(store, broker)


def test_a_job_that_kills_the_daemon_also_while_it_is_alone_fails_with_the_reason(
    store: Store, broker: Broker
) -> None:
    (job,) = queued(store, "deadly")
    die_often(store, broker, job, recovery.MAX_ATTEMPTS + recovery.MAX_ALONE - 1)
    assert store.get(job.id).state == "queued"
    die_often(store, broker, job, 1)
    failed = store.get(job.id)
    assert (failed.state, failed.exit_code) == ("failed", 1)
    assert "died 8 times while it spoke this, the last 5" in (failed.error or "")
    assert broker.pending() == []


def test_jobs_that_are_tried_alone_take_turns_after_each_death(
    store: Store, broker: Broker
) -> None:
    one, two = queued(store, "deadly", "deadly as well")
    for job in (one, two):
        die_often(store, broker, job, recovery.MAX_ATTEMPTS)
    for _ in range(recovery.MAX_ALONE):
        for job in (one, two):
            assert broker.pending()[0] == job.id
            die_often(store, broker, job, 1)
    assert [store.get(job.id).state for job in (one, two)] == ["failed", "failed"]


def test_daemons_that_die_on_other_jobs_as_well_fail_none(store: Store, broker: Broker) -> None:
    (job,) = queued(store, "innocent")
    die_often(store, broker, job, recovery.MAX_ATTEMPTS)
    for _ in range(3):
        die_often(store, broker, job, recovery.MAX_ALONE - 1)
        (other,) = queued(store, "another")
        die_often(store, broker, other, 1)
        store.cancel(other.id)
    assert store.get(job.id).state == "queued"


def test_a_daemon_that_dies_on_several_at_once_did_not_die_on_one_that_is_tried_alone(
    store: Store, broker: Broker
) -> None:
    """They may be at work at the same time after a pause."""
    jobs = queued(store, "innocent", "as well")
    for job in jobs:
        die_often(store, broker, job, recovery.MAX_ATTEMPTS)
    (other,) = queued(store, "another")
    for together in ([*jobs], [jobs[0], other]):
        for job in together:
            die_while_speaking(store, job, heard=0)
        recovery.recover(store, broker)
    attempts = [store.get(job.id).attempts for job in (*jobs, other)]
    assert attempts == [recovery.MAX_ATTEMPTS, recovery.MAX_ATTEMPTS, 1]


def test_deaths_are_put_down_to_one_job_and_not_to_those_that_were_prepared_behind_it(
    store: Store, broker: Broker
) -> None:
    deadly, *others = queued(store, "deadly", "second", "third")
    for _ in range(recovery.MAX_ATTEMPTS):
        die_while_speaking(store, deadly, heard=0)
        for job in others:
            store.change(job.id, ("queued",), "preparing")
        recovery.recover(store, broker)
    attempts = [store.get(job.id).attempts for job in (deadly, *others)]
    assert attempts == [recovery.MAX_ATTEMPTS, 0, 0]


def test_what_only_waits_for_the_ear_is_not_what_the_daemon_died_on(
    store: Store, broker: Broker
) -> None:
    """As while the loudspeaker is paused."""
    waiting, deadly = queued(store, "waiting", "deadly")
    for _ in range(recovery.MAX_ATTEMPTS + recovery.MAX_ALONE):
        for job in (waiting, deadly):
            store.change(job.id, ("queued",), "preparing")
        store.note(waiting.id, audio_s=1.0)
        recovery.recover(store, broker)
    assert [store.get(job.id).state for job in (waiting, deadly)] == ["queued", "failed"]


def test_a_daemon_that_dies_while_it_writes_a_file_died_on_that_job(
    store: Store, broker: Broker
) -> None:
    (job,) = store.add([Job(id="", text="deadly", backend="x", sink="file", output="/x.wav")])
    store.change(job.id, ("queued",), "preparing")
    store.note(job.id, audio_s=1.0)
    (back,) = recovery.recover(store, broker)
    assert back.attempts == 1


def test_progress_starts_the_count_of_attempts_anew(store: Store, broker: Broker) -> None:
    (job,) = queued(store, "long")
    for heard in (0, 0, 1, 1, 2, 2):
        die_while_speaking(store, job, heard=heard)
        recovery.recover(store, broker)
    assert store.get(job.id).state == "queued"


def test_leaving_in_order_is_no_failed_attempt(store: Store, broker: Broker) -> None:
    (job,) = queued(store, "long")
    for _ in range(5):
        die_while_speaking(store, job, heard=0)
        back = recovery.give_back(store, job.id)
        assert back is not None and back.attempts == 0


def test_a_job_that_was_stranded_comes_before_those_of_its_priority_that_came_later(
    store: Store, broker: Broker
) -> None:
    high, stranded, held, later, low = store.add(
        [Job(id="", text="x", backend="x", priority=priority) for priority in (10, 0, 0, 0, -10)]
    )
    broker.send([(held.id, 0), (low.id, -10)])
    assert recovery.resend_stranded(store, broker, pytest.fail) == 3
    assert broker.pending() == [job.id for job in (high, stranded, held, later, low)]


def test_a_task_that_is_sent_while_the_queue_is_recovered_is_kept(
    store: Store, broker: Broker
) -> None:
    (old,) = queued(store, "old")

    def submit() -> None:
        with contextlib.closing(Store(store.path)) as other, other.in_order():
            other.add([Job(id="newjob", text="new", backend="x")])
            broker.send([("newjob", 0)])

    submitting = threading.Thread(target=submit)

    class Interrupted(Broker):
        def pending(self) -> list[str]:
            found = super().pending()
            submitting.start()
            submitting.join(0.5)  # it cannot end before we do
            return found

    with contextlib.closing(Interrupted(store.path)) as interrupted:
        recovery.recover(store, interrupted)
    submitting.join()
    assert broker.pending() == [old.id, "newjob"]


def test_a_job_that_is_just_being_added_is_not_stranded(store: Store, broker: Broker) -> None:
    looked = threading.Event()

    class Looking(Broker):
        def pending(self) -> list[str]:
            looked.set()
            return super().pending()

    found: list[int] = []
    looking = Looking(store.path)
    resend = threading.Thread(
        target=lambda: found.append(recovery.resend_stranded(store, looking, pytest.fail))
    )
    with contextlib.closing(looking):
        with store.in_order():
            (job,) = queued(store, "new")
            resend.start()
            assert looked.wait(30)
            broker.send([(job.id, 0)])
        resend.join()
    assert (found, broker.pending()) == ([0], [job.id])


def test_jobs_whose_client_died_between_table_and_huey_are_found(
    store: Store, broker: Broker
) -> None:
    held, stranded = queued(store, "held", "stranded")
    broker.send([(held.id, 0)])
    assert recovery.resend_stranded(store, broker, pytest.fail) == 1
    assert broker.pending() == [held.id, stranded.id]
    assert recovery.resend_stranded(store, broker, pytest.fail) == 0
