"""Event streams: nobody who reconnects misses anything, and nobody who sleeps holds others up."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator

import pytest

from tests.api.conftest import RunningDaemon, Start
from vox.client.http import SseEvent


def _states(events: Iterator[SseEvent]) -> list[tuple[str, str]]:
    return [(event.data["id"], event.data["state"]) for event in events if event.name == "state"]


def test_a_job_is_followed_from_the_queue_to_its_end(daemon: RunningDaemon) -> None:
    job = daemon.speak("[until follow] Followed")
    with daemon.events(f"/jobs/{job['id']}/events") as events:
        first = next(events)
        assert first.name == "state"
        assert first.id
        daemon.mark("follow")
        rest = list(events)
    assert rest[-1].data["state"] == "done"
    assert rest[-1].data["exit_code"] == 0
    assert {event.name for event in rest} <= {"state", "progress"}


def test_a_job_that_has_ended_is_told_once(daemon: RunningDaemon) -> None:
    job = daemon.speak("Over")
    daemon.ended(job["id"])
    with daemon.events(f"/jobs/{job['id']}/events") as events:
        assert _states(events) == [(job["id"], "done")]


def test_progress_tells_phase_position_and_utterances(start: Start) -> None:
    daemon = start()
    daemon.speak("[until waiting] First")
    job = daemon.speak("The first sentence is this one. The second sentence is that one.")
    seen = []
    with daemon.events(f"/jobs/{job['id']}/events") as events:
        for event in events:
            seen.append(event)
            if event.data.get("position") == 2 and event.name == "progress":
                daemon.mark("waiting")
    progress = [event.data for event in seen if event.name == "progress"]
    assert {"waiting", "making"} <= {data["phase"] for data in progress if "phase" in data}
    assert max(data.get("heard") or 0 for data in progress) == 2


def test_followers_are_told_whether_speech_is_paused(daemon: RunningDaemon) -> None:
    job = daemon.speak("[until resumed] Paused")
    with daemon.events(f"/jobs/{job['id']}/events") as early:
        next(early)
        daemon.http.post("/pause")
        assert next(event.data["paused"] for event in early if "paused" in event.data)
        with daemon.events(f"/jobs/{job['id']}/events") as late:
            assert next(late).data["id"] == job["id"]
            assert next(late).data == {"id": job["id"], "paused": True}
        daemon.http.post("/resume")
        assert not next(event.data["paused"] for event in early if "paused" in event.data)
    daemon.mark("resumed")
    assert daemon.ended(job["id"])["state"] == "done"


def test_who_reconnects_with_the_last_id_misses_nothing(daemon: RunningDaemon) -> None:
    with daemon.events("/events") as events:
        before = daemon.speak("Before the cut")
        seen = [next(each for each in events if each.id and each.data["id"] == before["id"])]
    missed = [daemon.speak(f"Missed {number}") for number in range(20)]
    for job in missed:
        daemon.ended(job["id"])
    with daemon.events("/events", last_id=seen[-1].id) as events:
        last = daemon.speak("The last")
        for event in events:
            seen.append(event)
            if event.data["id"] == last["id"] and event.data.get("exit_code") is not None:
                break
    numbers = [int(event.id.rpartition("-")[2]) for event in seen if event.id]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    ended = [event.data["id"] for event in seen if event.data.get("exit_code") == 0]
    assert ended == [job["id"] for job in (before, *missed, last)]


def test_a_stream_cut_off_before_any_event_can_be_taken_up_too(daemon: RunningDaemon) -> None:
    raw = _raw(daemon, "GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n")
    with raw:
        head = b""
        while b"\nid: " not in head:
            head += raw.recv(4096)
        last_id = head.partition(b"\nid: ")[2].split(b"\n")[0].decode()
    job = daemon.speak("Between the two")
    daemon.ended(job["id"])
    with daemon.events("/events", last_id=last_id) as events:
        until_done = itertools.takewhile(lambda event: event.data.get("exit_code") != 0, events)
        states = _states(until_done)
    assert (job["id"], "queued") in states


def _raw(daemon: RunningDaemon, request: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(daemon.paths.socket_path)
    connection.sendall(request.encode())
    return connection


def test_an_id_that_is_not_known_any_more_starts_from_what_is_true_now(
    daemon: RunningDaemon,
) -> None:
    job = daemon.speak("[until unknown] Now")
    for last_id in ("deadbeef-1", "nonsense", "-", "x" * 2000):
        with daemon.events("/events", last_id=last_id) as events:
            assert _states(itertools.islice(events, 1))[0][0] == job["id"]
    daemon.mark("unknown")
    daemon.ended(job["id"])


def test_a_bound_listener_that_dies_cancels_the_job(daemon: RunningDaemon) -> None:
    job = daemon.speak("[slow 0.02] [say 60s]")
    with daemon.events(f"/jobs/{job['id']}/events?bind=true") as events:
        next(events)
    assert daemon.ended(job["id"])["state"] == "cancelled"


def test_an_unbound_listener_that_goes_leaves_the_job_alone(daemon: RunningDaemon) -> None:
    job = daemon.speak("[until listener] Unbound")
    with daemon.events(f"/jobs/{job['id']}/events") as events:
        next(events)
    daemon.mark("listener")
    assert daemon.ended(job["id"])["state"] == "done"


@pytest.mark.slow
def test_a_listener_that_does_not_read_stalls_nobody(daemon: RunningDaemon) -> None:
    with _raw(daemon, "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        jobs = [daemon.speak("[say 0.1s] Quick", source_name="x" * 1000) for _ in range(100)]
        assert [daemon.ended(job["id"])["state"] for job in jobs] == ["done"] * 100


def test_followers_are_told_when_the_daemon_leaves(start: Start) -> None:
    daemon = start()
    job = daemon.speak("[until never] Stay")
    with daemon.events(f"/jobs/{job['id']}/events") as events:
        next(events)
        daemon.http.post("/stop", json={"now": True})
        assert [event.name for event in events][-1] == "bye"
