"""From a request to a durable job: in order, all or nothing, and never twice."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from vox.config import KEYS, Config
from vox.engine.submit import Submitter
from vox.errors import BadOption, EmptyText, IdTaken, QueueFull, UnknownBackend
from vox.jobs import Job, Request
from vox.paths import get_paths
from vox.queue import recovery
from vox.queue.broker import Broker
from vox.queue.store import Store
from vox.voices.catalog import Catalog

from .rig import ONE, TWO, request

MAX_QUEUE = 100


class Submitting:
    """A submitter as each process has one, with its own store and broker."""

    def __init__(self, make_store: type[Store] = Store) -> None:
        self.passed_s = 0.0
        """How much later it is for this submitter."""
        self.settings: dict[str, Any] = {name: key.default for name, key in KEYS.items()}
        self.sources: dict[str, dict[str, Any]] = {}
        self.paths = get_paths()
        self.store = make_store(self.paths.db_path)
        self.broker = Broker(self.paths.db_path)
        self.submitter = Submitter(
            self.store,
            self.broker,
            Catalog(self.paths, self.config),
            self.config,
            clock=lambda: time.time() + self.passed_s,
        )

    def config(self) -> Config:
        return Config({**self.settings, "max_queue": MAX_QUEUE}, sources=self.sources)

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
    assert one.store.history.jobs() == []
    assert one.broker.pending() == []
    assert len(one.submitter.submit_many(numbered(MAX_QUEUE))) == MAX_QUEUE
    with pytest.raises(QueueFull):
        one.submitter.submit(request())


def test_asking_again_with_the_same_id_makes_no_second_job(one: Submitting) -> None:
    wanted = {"id": "abcdef", "voice": "two", "replace": "status", "expires_s": 60.0}
    first = one.submitter.submit(request(**wanted))
    one.passed_s = 300.0
    assert one.submitter.submit(request(**wanted)) == first
    assert len(one.store.history.jobs()) == 1
    one.store.cancel(first.id)
    assert one.submitter.submit(request(**wanted)).state == "cancelled"


def test_asking_again_is_the_same_job_though_the_queue_is_full_now(one: Submitting) -> None:
    first = one.submitter.submit(request(id="abcdef"))
    one.submitter.submit_many(numbered(MAX_QUEUE - 1))
    assert one.submitter.submit(request(id="abcdef")) == first


@pytest.mark.parametrize(
    "other",
    [
        {"text": "Something else."},
        {"voice": "two"},
        {"priority": "high"},
        {"speed": 1.5},
        {"replace": "status"},
        {"output": "/tmp/other.wav"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_an_id_that_another_job_has_is_replaced_by_a_new_one(
    one: Submitting, other: dict[str, Any]
) -> None:
    wanted = {"text": "Good morning.", "backend": "scripted", "voice": "one", "id": "abcdef"}
    first = one.submitter.submit(Request(**wanted))
    second = one.submitter.submit(Request(**{**wanted, **other}))
    assert second.id != first.id
    assert [job.id for job in one.store.live()] == one.broker.pending()
    assert len(one.broker.pending()) == 2


def test_an_old_job_of_the_same_words_does_not_swallow_a_new_one_of_its_id(
    one: Submitting,
) -> None:
    first = one.submitter.submit(request(id="abcdef"))
    one.passed_s = 601.0
    assert one.submitter.submit(request(id="abcdef")).id != first.id
    assert len(one.store.live()) == 2


def test_options_that_a_repeated_request_leaves_to_the_settings_make_no_second_job(
    one: Submitting,
) -> None:
    first = one.submitter.submit(request(id="abcdef"))
    one.settings["speed"] = 2.0
    assert one.submitter.submit(request(id="abcdef")) == first


def test_of_jobs_with_the_same_key_the_last_one_is_left(one: Submitting) -> None:
    jobs = [one.submitter.submit(each) for each in numbered(3, replace="status")]
    assert [job.id for job in one.store.live()] == [jobs[-1].id]
    other = one.submitter.submit(request(replace="another"))
    assert [job.id for job in one.store.live()] == [jobs[-1].id, other.id]


@pytest.mark.parametrize("reason", ["no room", "id taken"])
def test_what_is_refused_replaces_nothing(one: Submitting, reason: str) -> None:
    old = one.submitter.submit(request(replace="status"))
    if reason == "no room":
        one.store.add([Job(id="", text=ONE, backend="scripted") for _ in range(MAX_QUEUE + 5)])
        with pytest.raises(QueueFull):
            one.submitter.submit(request(replace="status"))
    else:
        with pytest.raises(IdTaken):
            one.submitter.submit_many([request(TWO, id=old.id, replace="status")])
    assert one.store.get(old.id).state == "queued"


def test_a_full_queue_has_room_for_what_replaces_a_job(one: Submitting) -> None:
    old = one.submitter.submit(request(replace="status"))
    one.submitter.submit_many(numbered(MAX_QUEUE - 1))
    new = one.submitter.submit(request(replace="status"))
    assert [one.store.get(job.id).state for job in (old, new)] == ["cancelled", "queued"]
    with pytest.raises(QueueFull):
        one.submitter.submit(request())


def at_once(count: int, fields: dict[str, str], ids: list[str] | None = None) -> None:
    """Several processes' submitters, each in a thread, submit at the same time.

    `ids` gets the ids of the jobs.
    """
    start = threading.Barrier(4)

    def submit() -> None:
        each = Submitting()
        start.wait(20)
        for wanted in numbered(count, **fields):
            made = each.submitter.submit(wanted)
            if ids is not None:
                ids.append(made.id)
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
    newest, *older = one.store.history.jobs()
    assert len(older) == 15
    assert (newest.state, {job.state for job in older}) == ("queued", {"cancelled"})


def test_one_request_made_several_times_at_once_is_one_job(one: Submitting) -> None:
    ids: list[str] = []
    at_once(1, {"id": "abcdef"}, ids)
    assert ids == ["abcdef"] * 4
    assert [job.id for job in one.store.history.jobs()] == ["abcdef"]


class Interfering(Store):
    """Has a job that another process added after this one had looked for it."""

    other: Job | None = None

    def find(self, job_id: str) -> Job | None:
        found = super().find(job_id)
        if self.other is not None:
            self.add([self.other])
            self.other = None
        return found


@pytest.mark.parametrize("text", ["Good morning.", "Something else."])
def test_what_another_process_adds_at_the_same_moment_is_no_second_job_of_the_same_words(
    scripted: None, text: str
) -> None:
    """As when the lock's file was removed, so that two processes hold it."""
    one = Submitting(Interfering)
    Interfering.other = Job(id="abcdef", text=text, backend="scripted", voice="one")
    with contextlib.closing(one):
        made = one.submitter.submit(request("Good morning.", id="abcdef", voice="one"))
        ids = [job.id for job in one.store.live()]
    assert made.text == "Good morning."
    assert ids == ["abcdef"] if text == made.text else ["abcdef", made.id]


def test_of_several_requests_with_ids_one_that_is_taken_is_said(one: Submitting) -> None:
    one.submitter.submit(request(id="abcdef"))
    with pytest.raises(IdTaken, match="abcdef"):
        one.submitter.submit_many([request(), request(id="abcdef")])
    assert len(one.store.history.jobs()) == 1


def test_a_job_whose_task_cannot_be_sent_is_accepted_and_sent_later(one: Submitting) -> None:
    tasks = one.broker._storage.conn
    tasks.execute("pragma query_only = on")  # as on a full disk
    job = one.submitter.submit(request())
    assert one.broker.pending() == []
    tasks.execute("pragma query_only = off")
    assert recovery.resend_stranded(one.store, one.broker, pytest.fail) == 1
    assert one.broker.pending() == [job.id]


def test_a_source_s_settings_go_before_the_others_and_behind_the_request_s(one: Submitting) -> None:
    one.settings |= {"speed": 1.25, "volume": 0.5}
    one.sources["build"] = {"voice": "two", "speed": 2.0, "priority": "high"}

    def made(**fields: Any) -> tuple[Any, ...]:
        job = one.submitter.check(request(**fields))
        return job.voice, job.speed, job.volume, job.priority

    assert made(source="build") == ("two", 2.0, 0.5, 10)
    assert made(source="build", voice="drei", speed=1.0, priority="low") == ("drei", 1.0, 0.5, -10)
    assert made(source="Build") == (None, 1.25, 0.5, 0)
    one.sources["inbox"] = {"volume": 2.0}
    assert made(via="inbox") == (None, 1.25, 2.0, 0)


def test_who_speaks_for_a_source_need_not_be_named(one: Submitting) -> None:
    one.settings |= {"backend": "say", "lang": "en"}
    one.sources["build"] = {"backend": "scripted", "voice": "drei"}
    check = one.submitter.check
    job = check(Request(text="Hello.", source="build"))
    assert (job.backend, job.voice) == ("scripted", "drei")
    job = check(Request(text="Hello.", source="build", backend="say"))
    assert (job.backend, job.voice) == ("say", None)
    assert check(Request(text="Hello.", source="other")).backend == "say"
    one.sources["build"] = {"voice": "drei"}
    job = check(Request(text="Hello.", source="build"))
    assert (job.backend, job.voice) == ("scripted", "drei")
    one.sources["build"] = {"voice": "nobody"}
    job = check(Request(text="Hello.", source="build"))
    assert job.backend == "say"
    assert "the voice of sources.build is not used: no voice is called 'nobody'" in job.notes
    one.sources["build"] = {"backend": "nothing"}
    with pytest.raises(UnknownBackend, match="the setting sources\\.build\\.backend: "):
        check(Request(text="Hello.", source="build"))


def test_the_language_of_a_source_chooses_who_speaks_unless_somebody_is_named(
    one: Submitting,
) -> None:
    one.settings |= {"backend": "scripted", "voice": "drei"}
    one.sources["build"] = {"lang": "fr"}
    check = one.submitter.check
    assert check(Request(text="Bonjour.", source="build")).lang == "fr"
    assert check(Request(text="Hallo.", source="build", lang="de")).lang == "de"
