"""Huey as we use it: strict order, JSON payloads. What all queues of tasks do: `test_tasks`."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vox.queue.broker import Broker
from vox.queue.tasks import PACE_S, SAFETY_NET_S

from .ran import Ran

LIMIT_S = 20.0

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


def test_a_consumer_that_just_looked_and_found_the_gate_shut_ends_at_once(
    make: MakeBroker,
) -> None:
    looks = threading.Semaphore(0)

    def shut(_job_ids: object) -> list[str]:
        looks.release()
        return []

    broker = make(Ran())
    broker.send([("a", 0)])
    broker.start(shut)
    assert looks.acquire(timeout=LIMIT_S)
    broker.wake()
    time.sleep(PACE_S / 4)  # it is about to look again
    broker.stop(timeout_s=SAFETY_NET_S / 2)
    assert not broker.is_alive()


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


def test_damage_that_only_huey_meets_is_told(make: MakeBroker, db_path: str) -> None:
    """Before it runs a task Huey asks a table of its own whether the task was revoked."""
    broker = make(Ran())
    with contextlib.closing(sqlite3.connect(db_path)) as conn:
        conn.execute("drop table kv")
    assert broker.damage is None
    broker.send([("abc", 0)])
    broker.start(lambda job_ids: job_ids)
    deadline = time.monotonic() + LIMIT_S
    while broker.damage is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "no such table: kv" in broker.damage
