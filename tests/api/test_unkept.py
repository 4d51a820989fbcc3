"""Jobs that are not kept, over HTTP: whoever follows one is told its end."""

from __future__ import annotations

from .conftest import RunningDaemon


def test_who_waits_for_one_and_who_comes_after_its_end_is_told_how_it_ended(
    daemon: RunningDaemon,
) -> None:
    before = daemon.http.get("/jobs").json()
    body = {"text": "A secret.", "backend": "scripted", "unkept": True}
    heard = daemon.http.post("/speak", json=body)
    job = heard.json()
    assert (heard.status_code, job["state"], job["text"]) == (200, "done", "")
    assert daemon.http.get(f"/jobs/{job['id']}").json()["state"] == "done"
    with daemon.events(f"/jobs/{job['id']}/events") as events:
        assert [event.data["state"] for event in events] == ["done"]
    assert daemon.http.get("/jobs").json() == before


def test_who_follows_one_hears_of_it_until_its_end(daemon: RunningDaemon) -> None:
    job = daemon.speak("Another secret.", unkept=True)
    with daemon.events(f"/jobs/{job['id']}/events") as events:
        states = [event.data["state"] for event in events if event.name == "state"]
    assert states[-1] == "done"
    assert daemon.http.delete(f"/jobs/{job['id']}").json()["code"] == "job-not-live"
    assert job["id"] not in daemon.log()
