"""Who follows jobs is told what is foreseen, as it changes, and nothing works for nobody."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from vox.outlook import Outlook
from vox.queue.announcer import MOST, Announcer, is_news
from vox.queue.events import Bus, Event

LIMIT_S = 20.0
WAITING = Outlook(phase="waiting", position=2, starts_in_s=10.0, left_s=5.0, expected_s=5.0)
SPEAKING = Outlook(phase="speaking", position=1, heard_s=1.0, left_s=9.0, expected_s=10.0)


class Desk:
    """Outlooks that a test sets, and what was told of them."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.outlooks: dict[str, Outlook] = {}
        self.asked = threading.Event()
        self.told: list[Event] = []
        self._changed = threading.Condition()
        self.announcer = Announcer(self._look, self.bus, lambda _job_id: "")
        self.bus.subscribe(self._note)

    def _look(self) -> dict[str, Outlook]:
        self.asked.set()
        return dict(self.outlooks)

    def _note(self, event: Event) -> None:
        with self._changed:
            if not event.number:
                self.told.append(event)
            self._changed.notify_all()

    def wait_told(self, count: int) -> list[dict[str, Any]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.told) >= count, LIMIT_S), self.told
            return [event.data for event in self.told]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_who_follows_a_job_is_told_how_it_is_and_what_changes(desk: Desk) -> None:
    desk.outlooks = {"a": SPEAKING, "b": WAITING}
    with desk.announcer.following("b"):
        (first,) = desk.wait_told(1)
        assert (first["id"], first["position"], first["queue_length"]) == ("b", 2, 2)
        desk.outlooks = {"b": replace(WAITING, position=1, phase="making", starts_in_s=0.5)}
        desk.bus.publish("state", "a", {"id": "a"})
        _, second = desk.wait_told(2)
        assert (second["position"], second["phase"], second["queue_length"]) == (1, "making", 1)


def test_who_follows_all_is_told_of_the_first_in_line(desk: Desk) -> None:
    desk.outlooks = {f"j{number}": WAITING for number in range(2 * MOST)}
    with desk.announcer.following():
        told = desk.wait_told(MOST)
        desk.asked.clear()
        desk.announcer.wake()
        assert desk.asked.wait(LIMIT_S)
    assert [each["id"] for each in told] == [f"j{number}" for number in range(MOST)]


def test_nothing_is_looked_at_while_nobody_follows(desk: Desk) -> None:
    desk.bus.publish("state", "a", {"id": "a"})
    with desk.announcer.following("a"):
        assert desk.asked.wait(LIMIT_S)
    for thread in threading.enumerate():
        if thread.name == "announcer":
            thread.join(LIMIT_S)
    desk.asked.clear()
    desk.bus.publish("state", "a", {"id": "a"})
    assert not desk.asked.wait(0.1)


def test_of_a_job_that_has_ended_nothing_is_told(desk: Desk) -> None:
    """It may end while what is foreseen of it is found out."""

    def look() -> dict[str, Outlook]:
        desk.bus.publish("state", "a", {"id": "a", "exit_code": 0})
        return {"a": SPEAKING, "b": WAITING}

    with Announcer(look, desk.bus, lambda _job_id: "").following():
        assert desk.wait_told(1)[0]["id"] == "b"


def test_seconds_that_pass_are_no_news_but_others_are() -> None:
    def news(old: Outlook, new: Outlook, passed_s: float) -> bool:
        return is_news((old, 2, 100.0), (new, 2, 100.0 + passed_s))

    assert not news(WAITING, replace(WAITING, starts_in_s=7.0), 3.0)
    assert news(WAITING, replace(WAITING, starts_in_s=9.0), 3.0)
    assert news(WAITING, replace(WAITING, starts_in_s=None), 3.0)
    assert not news(SPEAKING, replace(SPEAKING, heard_s=4.0, left_s=6.0), 3.0)
    assert news(SPEAKING, replace(SPEAKING, heard_s=1.0, left_s=9.0), 3.0)
    assert news(SPEAKING, replace(SPEAKING, made=1), 0.0)
    assert news(WAITING, replace(WAITING, position=1), 0.0)
    assert is_news((WAITING, 2, 0.0), (WAITING, 3, 0.0))
