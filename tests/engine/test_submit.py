"""From a request to a durable job: in order, all or nothing, and never twice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from vox.config import KEYS, Config
from vox.engine.submit import Submitter
from vox.errors import BadOption, EmptyText, QueueFull
from vox.jobs import Request
from vox.paths import get_paths
from vox.queue import recovery
from vox.queue.broker import Broker
from vox.queue.store import Store
from vox.voices.catalog import Catalog

from .rig import request

MAX_QUEUE = 100


class Submitting:
    """A submitter as each process has one, with its own store and broker."""

    def __init__(self) -> None:
        self.paths = get_paths()
        self.store = Store(self.paths.db_path)
        self.broker = Broker(self.paths.db_path)
        self.submitter = Submitter(
            self.store, self.broker, Catalog(self.paths, self.config), self.config
        )

    def config(self) -> Config:
        values = {name: key.default for name, key in KEYS.items()}
        return Config({**values, "max_queue": MAX_QUEUE})

    def close(self) -> None:
        self.broker.close()
        self.store.close()


@pytest.fixture
def one(scripted: None) -> Iterator[Submitting]:
    made = Submitting()
    yield made
    made.close()


def numbered(count: int, **fields: object) -> list[Request]:
    return [request(f"This is number {n}.", **fields) for n in range(count)]


def test_a_job_is_durable_and_has_a_task(one: Submitting) -> None:
    job = one.submitter.submit(request("Good morning.", voice="two", priority="high"))
    with contextlib.closing(Store(one.paths.db_path)) as elsewhere:
        assert elsewhere.get(job.id) == job
    assert (job.voice, job.priority, job.sink) == ("two", 10, "play")
    assert one.broker.pending() == [job.id]


def test_of_several_requests_all_are_taken_or_none(one: Submitting) -> None:
    for bad, error in ((request(" "), EmptyText), (request(speed=99.0), BadOption)):
        with pytest.raises(error):
            one.submitter.submit_many([*numbered(2), bad])
    with pytest.raises(QueueFull, match="0 jobs wait"):
        one.submitter.submit_many(numbered(MAX_QUEUE + 1))
    assert one.store.history() == []
    assert one.broker.pending() == []
    assert len(one.submitter.submit_many(numbered(MAX_QUEUE))) == MAX_QUEUE
    with pytest.raises(QueueFull):
        one.submitter.submit(request())


def test_asking_again_with_the_same_id_makes_no_second_job(one: Submitting) -> None:
    first = one.submitter.submit(request(id="abcdef"))
    assert one.submitter.submit(request(id="abcdef")) == first
    assert len(one.store.history()) == 1


def test_of_jobs_with_the_same_key_the_last_one_is_left(one: Submitting) -> None:
    jobs = [one.submitter.submit(each) for each in numbered(3, replace="status")]
    assert [job.id for job in one.store.live()] == [jobs[-1].id]
    other = one.submitter.submit(request(replace="another"))
    assert [job.id for job in one.store.live()] == [jobs[-1].id, other.id]


def at_once(count: int, fields: dict[str, str]) -> None:
    """Several processes' submitters, each in a thread, submit at the same time."""
    start = threading.Barrier(4)

    def submit() -> None:
        each = Submitting()
        start.wait(20)
        for wanted in numbered(count, **fields):
            each.submitter.submit(wanted)
        each.close()

    threads = [threading.Thread(target=submit) for _ in range(start.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_tasks_are_in_the_order_of_the_table_whoever_submits_at_the_same_time(
    one: Submitting,
) -> None:
    at_once(8, {})
    assert len(one.store.live()) == 32
    assert one.broker.pending() == [job.id for job in one.store.live()]


def test_of_jobs_with_the_same_key_one_is_left_whoever_submits_at_the_same_time(
    one: Submitting,
) -> None:
    at_once(4, {"replace": "status"})
    newest, *older = one.store.history()
    assert len(older) == 15
    assert (newest.state, {job.state for job in older}) == ("queued", {"cancelled"})


def test_a_job_whose_task_cannot_be_sent_is_accepted_and_sent_later(one: Submitting) -> None:
    tasks = one.broker._storage.conn
    tasks.execute("pragma query_only = on")  # as on a full disk
    job = one.submitter.submit(request())
    assert one.broker.pending() == []
    tasks.execute("pragma query_only = off")
    assert recovery.resend_stranded(one.store, one.broker, pytest.fail) == 1
    assert one.broker.pending() == [job.id]
