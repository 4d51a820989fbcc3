"""Over the API one source is paused, cancelled and muted while others are heard."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import RunningDaemon


def to_be_heard(daemon: RunningDaemon, source: str) -> dict[str, Any]:
    return daemon.speak("1 [say 0.1s]", source=source, output=None)


def test_a_source_is_paused_and_resumed(daemon: RunningDaemon) -> None:
    asked = {"source": "a"}
    assert daemon.http.post("/pause", json=asked).json() == {"paused": True, "source": "a"}
    assert daemon.http.get("/health").json()["queue"]["paused_sources"] == ["a"]
    held = to_be_heard(daemon, "a")
    other = to_be_heard(daemon, "b")
    assert daemon.ended(other["id"])["state"] == "done"
    with daemon.events(f"/jobs/{held['id']}/events") as events:
        assert next(events).data["state"] == "queued"
        assert next(event.data["paused"] for event in events if "paused" in event.data)
        daemon.http.post("/resume")  # of all: what is told in the end is still true
        told = (event.data["paused"] for event in events if "paused" in event.data)
        assert [next(told), next(told)] == [False, True]
        daemon.http.post("/resume", json=asked)
        assert not next(event.data["paused"] for event in events if "paused" in event.data)
    assert daemon.ended(held["id"])["state"] == "done"
    assert daemon.http.get("/health").json()["queue"]["paused_sources"] == []


def test_the_jobs_of_a_source_are_cancelled(daemon: RunningDaemon) -> None:
    daemon.http.post("/pause", json={})
    mine, other = (to_be_heard(daemon, source) for source in ("a", "b"))
    cancelled = daemon.http.post("/cancel", json={"source": "a"}).json()
    assert [job["id"] for job in cancelled] == [mine["id"]]
    assert [job["id"] for job in daemon.http.get("/queue").json()] == [other["id"]]
    assert [job["id"] for job in daemon.http.post("/cancel").json()] == [other["id"]]
    daemon.http.post("/resume")


def test_a_muted_source_s_request_is_answered_at_once(daemon: RunningDaemon) -> None:
    asked = {"source": "a"}
    assert daemon.http.post("/mute", json=asked).json() == {"muted": True, "source": "a"}
    assert daemon.http.get("/health").json()["queue"]["muted_sources"] == ["a"]
    answer = daemon.http.post(
        "/speak", json={"text": "1 [say 30s]", "backend": "scripted", **asked}
    )
    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    assert "muted" in answer.json()["notes"][0]
    assert daemon.http.post("/unmute", json=asked).json() == {"muted": False, "source": "a"}
    assert daemon.ended(to_be_heard(daemon, "a")["id"])["wait_s"] is not None


def test_a_name_that_no_source_has_is_refused(daemon: RunningDaemon) -> None:
    for route in ("pause", "resume", "cancel", "mute", "unmute"):
        for name in ("", " ", "\t\n", "a\nb", "x" * 101, 1):
            answer = daemon.http.post(f"/{route}", json={"source": name})
            assert answer.status_code == 422, (route, name)
            assert "source" in answer.json()["detail"]
    assert daemon.http.get("/health").json()["queue"]["paused"] is False
    for route in ("mute", "unmute"):
        assert daemon.http.post(f"/{route}", json={}).status_code == 422
    assert daemon.http.get("/health").json()["queue"]["paused"] is False
