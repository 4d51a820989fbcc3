"""What the events say of jobs: their end once, and nothing else after it."""

from __future__ import annotations

from vox.jobs import Job
from vox.outlook import Outlook
from vox.queue.events import Bus, Event
from vox.queue.telling import ENDED_KNOWN, Telling

TEXT = "The code of the door is 4711."


def told(*jobs: Job) -> tuple[list[Event], Bus]:
    """The events of these jobs as they were published, one after the other."""
    bus, events = Bus(), list[Event]()
    bus.subscribe(events.append)
    telling = Telling(bus, lambda _job: Outlook())
    for job in jobs:
        telling.publish("state", job)
    return events, bus


def job(state: str, **fields: object) -> Job:
    return Job(id="aaaaaa", text=TEXT, backend="x", state=state, **fields)  # type: ignore[arg-type]


def test_what_was_written_before_the_end_is_not_told_after_it() -> None:
    events, _ = told(job("queued"), job("cancelled"), job("preparing"))
    assert [event.data["state"] for event in events] == ["queued", "cancelled"]


def test_an_end_that_two_threads_tell_is_told_once() -> None:
    events, _ = told(job("queued"), job("done"), job("done"))
    assert [event.data["state"] for event in events] == ["queued", "done"]


def test_what_else_is_told_of_an_ended_job_does_not_take_the_place_of_its_end() -> None:
    bus, events = Bus(), list[Event]()
    bus.subscribe(events.append)
    telling = Telling(bus, lambda _job: Outlook())
    for name in ("progress", "state", "progress"):
        telling.publish(name, job("done"))
    assert [event.name for event in events] == ["progress", "state"]


def test_an_end_that_could_not_be_written_is_told_at_once_and_once_more_when_it_is() -> None:
    bus, events = Bus(), list[Event]()
    bus.subscribe(events.append)
    telling = Telling(bus, lambda _job: Outlook())
    for is_written in (False, False, True, True, False):
        telling.publish("state", job("done"), is_written)
    assert len(events) == 2


def test_a_new_job_under_the_id_of_a_cleared_one_is_told_from_its_beginning() -> None:
    bus, events = Bus(), list[Event]()
    bus.subscribe(events.append)
    telling = Telling(bus, lambda _job: Outlook())
    for state in ("queued", "done"):
        telling.publish("state", job(state))
    telling.begin("aaaaaa")
    for state in ("queued", "done"):
        telling.publish("state", job(state))
    assert [event.data["state"] for event in events] == ["queued", "done"] * 2


def test_the_text_of_a_private_job_does_not_come_back_after_its_end() -> None:
    late = job("preparing", private=True)
    _, bus = told(job("queued", private=True), job("done", private=True), late)
    kept = bus.since(f"{bus.epoch}-0")
    assert kept is not None
    assert not any(TEXT in str(event.data) for event in kept)


def test_the_ends_of_so_many_jobs_are_known_and_no_more() -> None:
    others = [Job(id=f"{n}", text="", backend="x", state="done") for n in range(ENDED_KNOWN)]
    events, _ = told(job("done"), *others, job("done"))
    assert [event.job_id for event in events].count("aaaaaa") == 2
