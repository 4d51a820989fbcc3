"""What every queue of tasks does: the contract of `queue.tasks.Tasks`."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from vox.errors import StorageError
from vox.jobs import Job
from vox.queue.broker import Broker
from vox.queue.store import Store
from vox.queue.tasks import LOOK_PAST, SAFETY_NET_S, Run, TableTasks, Tasks, task_priority

from .ran import Ran


def all_of(job_ids: Sequence[str]) -> Sequence[str]:
    """The gate that is open."""
    return job_ids


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"))
    yield opened
    opened.close()


@pytest.fixture
def ran() -> Ran:
    return Ran()


def taking(store: Store, ran: Ran) -> Run:
    """Takes the job out of the queue, as the engine's worker does."""

    def run(job_id: str) -> None:
        store.change(job_id, ("queued",), "preparing")
        ran(job_id)

    return run


@contextlib.contextmanager
def stopped_at_exit(tasks: Tasks) -> Iterator[Tasks]:
    yield tasks
    tasks.stop(timeout_s=SAFETY_NET_S)
    tasks.close()


MakeTasks = Callable[[Store, Run], Tasks]


def in_huey(store: Store, run: Run) -> Tasks:
    return Broker(store.path, run)


@pytest.fixture(params=["huey", "table"])
def make_tasks(request: pytest.FixtureRequest) -> MakeTasks:
    return in_huey if request.param == "huey" else TableTasks


@pytest.fixture
def tasks(make_tasks: MakeTasks, store: Store, ran: Ran) -> Iterator[Tasks]:
    with stopped_at_exit(make_tasks(store, taking(store, ran))) as made:
        yield made


Send = Callable[..., None]


@pytest.fixture
def send(store: Store, tasks: Tasks) -> Send:
    """Add jobs with these fields and send their tasks."""

    def send(*job_ids: str, **fields: Any) -> None:
        jobs = [Job(id=name, text="hello", backend="x", **fields) for name in job_ids]
        with store.in_order():
            store.add(jobs)
            tasks.send([(job.id, task_priority(job)) for job in jobs])

    return send


def test_tasks_run_in_order_of_priority_and_arrival(tasks: Tasks, send: Send, ran: Ran) -> None:
    send("low", priority=-10)
    send("a", "b")
    send("high", priority=10)
    send("c")
    assert tasks.pending() == ["high", "a", "b", "c", "low"]
    tasks.start(all_of)
    assert ran.wait(5) == ["high", "a", "b", "c", "low"]
    assert tasks.pending() == []


def test_what_is_for_the_ear_runs_before_files(tasks: Tasks, send: Send, ran: Ran) -> None:
    send("book", sink="file")
    send("wanted", sink="file", priority=10)
    send("low", priority=-10)
    send("stream", sink="stream")
    send("heard")
    in_order = ["stream", "heard", "low", "wanted", "book"]
    assert tasks.pending() == in_order
    tasks.start(all_of)
    assert ran.wait(5) == in_order


@pytest.mark.parametrize(
    ("many", "hidden"), list(itertools.permutations(["play", "stream", "file"], 2))
)
def test_many_tasks_that_may_not_run_hide_none_for_another_sink(
    tasks: Tasks, send: Send, ran: Ran, many: str, hidden: str
) -> None:
    send(*(f"many{number}" for number in range(LOOK_PAST + 1)), sink=many, priority=10)
    send("hidden", sink=hidden)
    tasks.start(lambda job_ids: [each for each in job_ids if each == "hidden"])
    assert ran.wait(1) == ["hidden"]


def test_one_task_runs_at_a_time(make_tasks: MakeTasks, store: Store, send: Send, ran: Ran) -> None:
    looked_again, finish = threading.Event(), threading.Event()
    take = taking(store, ran)

    def gate(job_ids: Sequence[str]) -> Sequence[str]:
        if ran.ids:
            looked_again.set()
        return job_ids

    def run(job_id: str) -> None:
        take(job_id)
        assert finish.wait(20)

    send("a", "b")
    with stopped_at_exit(make_tasks(store, run)) as tasks:
        tasks.start(gate)
        ran.wait(1)
        tasks.wake()
        assert not looked_again.wait(0.1)
        finish.set()
        assert ran.wait(2) == ["a", "b"]


def test_a_sleeping_worker_is_woken_rather_than_polled(tasks: Tasks, send: Send, ran: Ran) -> None:
    tasks.start(all_of)
    for number in range(3):
        began = time.monotonic()
        send(str(number))
        ran.wait(number + 1)
        # With nobody to wake it, the safety net alone would take this long.
        assert time.monotonic() - began < SAFETY_NET_S


def test_the_gate_holds_a_task_back_until_it_is_woken(tasks: Tasks, send: Send, ran: Ran) -> None:
    is_open, asked = threading.Event(), threading.Event()

    def gate(job_ids: Sequence[str]) -> list[str]:
        asked.set()
        return [job_id for job_id in job_ids if job_id == "urgent" or is_open.is_set()]

    tasks.start(gate)
    send("a")
    assert asked.wait(10)
    send("urgent", priority=10)
    assert ran.wait(1) == ["urgent"]
    assert tasks.pending() == ["a"]
    is_open.set()
    tasks.wake()
    assert ran.wait(2) == ["urgent", "a"]


def test_the_gate_is_asked_once_per_look_for_all_tasks_that_wait(
    tasks: Tasks, send: Send, ran: Ran
) -> None:
    looks: list[list[str]] = []

    def gate(job_ids: Sequence[str]) -> list[str]:
        looks.append(list(job_ids))
        return list(job_ids[-1:])

    send("a", "b", "c")
    tasks.start(gate)
    assert ran.wait(3) == ["c", "b", "a"]
    assert looks[:3] == [["a", "b", "c"], ["a", "b"], ["a"]]


def test_a_table_that_cannot_be_read_does_not_end_the_worker(
    tasks: Tasks, send: Send, ran: Ran
) -> None:
    failed = threading.Event()

    def gate(job_ids: Sequence[str]) -> Sequence[str]:
        if not failed.is_set():
            failed.set()
            raise StorageError("on purpose")
        return job_ids

    send("a")
    tasks.start(gate)
    assert failed.wait(10)
    tasks.wake()
    assert ran.wait(1) == ["a"]
    assert tasks.is_alive()


def test_nothing_runs_after_the_stop(tasks: Tasks, send: Send, ran: Ran) -> None:
    assert not tasks.is_alive()
    tasks.stop(timeout_s=0.0)  # it was never started
    send("a")
    tasks.start(all_of)
    ran.wait(1)
    assert tasks.is_alive()
    tasks.stop(timeout_s=SAFETY_NET_S)
    assert not tasks.is_alive()
    send("b")
    assert (ran.ids, tasks.pending()) == (["a"], ["b"])


def test_a_job_that_stays_in_the_table_is_not_run_again_and_again(store: Store, ran: Ran) -> None:
    """As on a full disk, where its state cannot be changed."""
    with stopped_at_exit(TableTasks(store, ran)) as tasks:
        tasks.start(all_of)
        store.add([Job(id="a", text="hello", backend="x")])
        tasks.wake()
        ran.wait(1)
        store.add([Job(id="b", text="hello", backend="x")])
        tasks.wake()
        assert ran.wait(2) == ["a", "b"]
