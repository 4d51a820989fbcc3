"""The bus: rising ids, nothing missed within the ring, and honesty beyond it."""

from __future__ import annotations

from vox.queue.events import Bus, Event


def test_a_listener_hears_what_is_published_until_it_leaves() -> None:
    bus, heard = Bus(), list[Event]()
    leave = bus.subscribe(heard.append)
    bus.publish("state", "a", {"n": 1})
    leave()
    bus.publish("state", "a", {"n": 2})
    assert [event.data["n"] for event in heard] == [1]


def test_what_came_after_an_id_is_told_again() -> None:
    bus = Bus()
    for number in range(5):
        bus.publish("state", "a", {"n": number})
    first = bus.since(f"{bus.epoch}-0")
    assert first is not None
    later = bus.since(first[2].id)
    assert later is not None
    assert [event.data["n"] for event in later] == [3, 4]
    assert bus.since(first[-1].id) == []


def test_what_fell_out_of_the_ring_or_was_another_daemons_is_admitted() -> None:
    bus = Bus(ring=3)
    for number in range(5):
        bus.publish("state", "a", {"n": number})
    assert bus.since(f"{bus.epoch}-1") is None
    assert bus.since(f"{bus.epoch}-2") is not None
    assert bus.since("otherdaemon-2") is None
    assert bus.since(f"{bus.epoch}-99") is None
    assert bus.since("nonsense") is None
    for number in ("", "²", "-1", "9" * 5000):
        assert bus.since(f"{bus.epoch}-{number}") is None
