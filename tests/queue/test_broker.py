"""Huey as we use it: strict order, JSON payloads, an event instead of polling."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from vox.queue.broker import SAFETY_NET_S, Broker

MakeBroker = Callable[[Callable[[str], None]], Broker]


@pytest.fixture
def db_path(tmp_path: Path) -> str:
    return str(tmp_path / "vox.db")


@pytest.fixture
def make(db_path: str) -> Iterator[MakeBroker]:
    made: list[Broker] = []

    def make(run: Callable[[str], None]) -> Broker:
        made.append(Broker(db_path, run))
        return made[-1]

    yield make
    for broker in made:
        broker.stop(timeout_s=SAFETY_NET_S)
        broker.close()


class Ran:
    """What was run, and a way to wait for it."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, job_id: str) -> None:
        with self._changed:
            self.ids.append(job_id)
            self._changed.notify_all()

    def wait(self, count: int) -> list[str]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ids) >= count, timeout=30)
        return self.ids


def test_tasks_run_one_by_one_in_order_of_priority_and_arrival(make: MakeBroker) -> None:
    ran = Ran()
    broker = make(ran)
    broker.send([("low", -10), ("a", 0), ("b", 0), ("high", 10), ("c", 0)])
    assert broker.pending() == ["high", "a", "b", "c", "low"]
    broker.start(lambda job_ids: job_ids)
    assert ran.wait(5) == ["high", "a", "b", "c", "low"]


def test_order_holds_after_rows_were_deleted_and_a_restart(make: MakeBroker) -> None:
    ran = Ran()
    first = make(ran)
    first.send([("a", 0)])
    first.start(lambda job_ids: job_ids)
    ran.wait(1)
    first.stop(timeout_s=SAFETY_NET_S)
    first.send([("b", 0), ("c", 0)])
    second = make(ran)
    second.send([("d", 0)])
    second.start(lambda job_ids: job_ids)
    assert ran.wait(4) == ["a", "b", "c", "d"]


def test_a_sleeping_worker_is_woken_rather_than_polled(make: MakeBroker) -> None:
    ran = Ran()
    broker = make(ran)
    broker.start(lambda job_ids: job_ids)
    for number in range(3):
        began = time.monotonic()
        broker.send([(str(number), 0)])
        ran.wait(number + 1)
        # With nobody to wake it, the safety net alone would take this long.
        assert time.monotonic() - began < SAFETY_NET_S


def test_the_gate_holds_a_task_back_until_it_is_woken(make: MakeBroker) -> None:
    ran, is_open, asked = Ran(), threading.Event(), threading.Event()

    def gate(job_ids: Sequence[str]) -> list[str]:
        asked.set()
        return [job_id for job_id in job_ids if job_id == "urgent" or is_open.is_set()]

    broker = make(ran)
    broker.start(gate)
    broker.send([("a", 0)])
    assert asked.wait(10)
    broker.send([("urgent", 10)])
    assert ran.wait(1) == ["urgent"]
    assert broker.pending() == ["a"]
    is_open.set()
    broker.wake()
    assert ran.wait(2) == ["urgent", "a"]


def test_the_gate_is_asked_once_per_look_for_all_tasks_that_wait(make: MakeBroker) -> None:
    ran, looks = Ran(), list[list[str]]()

    def gate(job_ids: Sequence[str]) -> list[str]:
        looks.append(list(job_ids))
        return list(job_ids[-1:])

    broker = make(ran)
    broker.send([(name, 0) for name in "abc"])
    broker.start(gate)
    assert ran.wait(3) == ["c", "b", "a"]
    assert looks[:3] == [["a", "b", "c"], ["a", "b"], ["a"]]


def test_payloads_are_plain_json(make: MakeBroker, db_path: str) -> None:
    make(Ran()).send([("abc", 0)])
    conn = sqlite3.connect(db_path)
    ((data,),) = conn.execute("select data from task").fetchall()
    conn.close()
    message = json.loads(data)
    assert message[1] == "vox.speak"  # no module of ours: moving code strands no task
    assert message[6] == ["abc"]


@pytest.mark.parametrize("payload", [b"\x80\x04cos\nsystem\n.", b"{}", b"[1]", b'["x","vox.gone"]'])
def test_a_foreign_payload_is_thrown_out_and_runs_nothing(
    make: MakeBroker, db_path: str, payload: bytes
) -> None:
    ran = Ran()
    broker = make(ran)
    conn = sqlite3.connect(db_path)
    conn.execute("insert into task (queue, data, priority) values ('vox', ?, 50)", (payload,))
    conn.commit()
    conn.close()
    broker.send([("good", 0)])
    broker.start(lambda job_ids: job_ids)
    assert ran.wait(1) == ["good"]


def test_a_task_that_raises_does_not_end_the_worker(make: MakeBroker) -> None:
    ran = Ran()

    def run(job_id: str) -> None:
        ran(job_id)
        if job_id == "bad":
            raise RuntimeError("on purpose")

    broker = make(run)
    broker.send([("bad", 0), ("good", 0)])
    broker.start(lambda job_ids: job_ids)
    assert ran.wait(2) == ["bad", "good"]
    assert broker.is_alive()


def test_replacing_all_tasks_leaves_just_these(make: MakeBroker) -> None:
    broker = make(Ran())
    broker.send([("a", 0), ("b", 0)])
    broker.replace_all([("b", 0), ("c", 10)])
    assert broker.pending() == ["c", "b"]
