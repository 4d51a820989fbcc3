"""The contract of `Jobs`, held by everything that implements it, and what only one of them does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.running import Vox
from vox.client.front import Front
from vox.client.jobs import Jobs, NoDaemon
from vox.client.local import Local
from vox.client.remote import Remote
from vox.errors import (
    AmbiguousId,
    BadOption,
    DaemonUnavailable,
    EmptyText,
    JobNotLive,
    UnknownBackend,
    UnknownJob,
    WaitTimeout,
)
from vox.jobs import PAUSED, Changes, Request, Wanted, new_id
from vox.queue.database import order_lock


@pytest.fixture(params=["remote", "local", "front"])
def jobs(request: pytest.FixtureRequest, vox: Vox, sound: object) -> Iterator[Jobs]:
    """Jobs that wait until somebody follows them: of a paused daemon, or without any."""
    if request.param == "remote":
        vox.ok("daemon", "start")
        remote = Remote(vox.paths)
        remote.pause()
        yield remote
    elif request.param == "local":
        yield Local(vox.paths)
    else:
        yield Front(vox.paths)
    assert vox.client.is_up() == (request.param == "remote")


def let_speak(jobs: Jobs) -> None:
    if isinstance(jobs, Remote):
        jobs.resume()


def wish(text: str = "Hello.", **more: Any) -> Request:
    return Request(text=text, backend="say", **more)


def test_a_submitted_job_is_found_wherever_one_looks(jobs: Jobs) -> None:
    first, second = (jobs.submit(wish(text)) for text in ("First.", "Second."))
    assert (first["text"], first["backend"], first["exit_code"]) == ("First.", "say", None)
    assert first["state"] in ("queued", "preparing")
    ids = [first["id"], second["id"]]
    assert [job["id"] for job in jobs.queue()] == ids
    assert [job["id"] for job in jobs.history()] == ids[::-1]
    for job_id in (ids[0], ids[0].upper(), f" {ids[0]}", ids[0][:5]):
        assert jobs.get(job_id)["id"] == ids[0]


def test_the_same_id_is_the_same_job(jobs: Jobs) -> None:
    job_id = new_id()
    for _ in range(2):
        assert jobs.submit(wish(id=job_id))["id"] == job_id
    assert len(jobs.queue()) == 1


def test_an_id_that_another_job_has_is_replaced_by_a_new_one(jobs: Jobs) -> None:
    """Ids are drawn by the caller, are short, and the history is long."""
    first = jobs.submit(wish("First."))
    jobs.cancel(first["id"])
    second = jobs.submit(wish("Second.", id=first["id"]))
    assert (second["text"], second["exit_code"]) == ("Second.", None)
    assert [job["text"] for job in jobs.history()] == ["Second.", "First."]
    let_speak(jobs)
    assert jobs.follow(second["id"])["state"] == "done"


def test_what_cannot_be_spoken_is_not_accepted(jobs: Jobs) -> None:
    for bad, error in (
        (Request(text=" "), EmptyText),
        (Request(text="Hello.", backend="nobody"), UnknownBackend),
        (wish(priority="urgent"), BadOption),
    ):
        with pytest.raises(error):
            jobs.submit(bad)
    assert list(jobs.history()) == []


def test_an_unknown_id_is_said(jobs: Jobs) -> None:
    for job_id in ("zzzzzz", "", "../../health", "not an id"):
        for ask in (jobs.get, jobs.cancel, jobs.replay):
            with pytest.raises(UnknownJob):
                ask(job_id)


def test_an_id_that_is_too_short_is_said(jobs: Jobs) -> None:
    for job_id in ("aaaaaa", "aaaaab"):
        jobs.submit(wish(id=job_id))
    for ask in (jobs.get, jobs.cancel, jobs.replay):
        with pytest.raises(AmbiguousId):
            ask("aaaaa")


def test_a_job_is_cancelled_once(jobs: Jobs) -> None:
    job_id = jobs.submit(wish())["id"]
    cancelled = jobs.cancel(job_id[:5])
    assert (cancelled["id"], cancelled["state"], cancelled["exit_code"]) == (job_id, "cancelled", 5)
    assert jobs.get(job_id)["state"] == "cancelled"
    assert jobs.queue() == []
    with pytest.raises(JobNotLive):
        jobs.cancel(job_id)


def test_all_are_cancelled(jobs: Jobs) -> None:
    assert jobs.cancel_all() == []
    ids = [jobs.submit(wish())["id"] for _ in range(2)]
    cancelled = jobs.cancel_all()
    assert [(job["id"], job["state"]) for job in cancelled] == [(each, "cancelled") for each in ids]
    assert jobs.queue() == []


def test_the_history_is_searched(jobs: Jobs) -> None:
    one, two = (jobs.submit(wish(text))["id"] for text in ("Gr\u00fc\u00dfe & more", "Other"))
    jobs.cancel(two)
    assert [job["id"] for job in jobs.history(1)] == [two]
    assert [job["id"] for job in jobs.history(wanted=Wanted(search="GR\u00dcSSE &"))] == [one]
    assert [job["id"] for job in jobs.history(wanted=Wanted(states=("cancelled", "failed")))] == [
        two
    ]
    assert list(jobs.history(wanted=Wanted(search="nothing like it"))) == []
    made_at = datetime.fromisoformat(jobs.get(two)["created_at"]).timestamp()
    for wanted, found in (
        (Wanted(since=made_at), [two]),
        (Wanted(since=made_at + 1), []),
        (Wanted(source="cli", since=made_at - 60), [two, one]),
        (Wanted(source="nobody & co"), []),
    ):
        assert [
            job["id"] for job in jobs.history(wanted=wanted) if job["id"] in (one, two)
        ] == found


def test_ended_jobs_are_cleared(jobs: Jobs) -> None:
    live, ended = (jobs.submit(wish())["id"] for _ in range(2))
    jobs.cancel(ended)
    assert jobs.clear(older_than_s=60.0) == 0
    assert jobs.clear() == 1
    assert [job["id"] for job in jobs.history()] == [live]


def test_an_ended_job_is_replayed_as_a_new_one(jobs: Jobs) -> None:
    job_id = jobs.submit(wish("Once more.", speed=1.5, source="build"))["id"]
    with pytest.raises(JobNotLive):
        jobs.replay(job_id)
    jobs.cancel(job_id)
    again = jobs.replay(job_id)
    assert (again["text"], again["speed"]) == ("Once more.", 1.5)
    assert again["source"] == "build"
    assert (again["via"], again["source_name"]) == ("replay", job_id)
    assert again["id"] != job_id
    assert [job["id"] for job in jobs.queue()] == [again["id"]]


def test_a_job_is_replayed_at_another_speed_into_a_file(jobs: Jobs, tmp_path: Path) -> None:
    job_id = jobs.submit(wish("Once more.", speed=1.5))["id"]
    jobs.cancel(job_id)
    path = str(tmp_path / "x.wav")
    again = jobs.replay("@1", changes=Changes(speed=2.0, output=path))
    assert (again["speed"], again["output"], again["source_name"]) == (2.0, path, job_id)
    with pytest.raises(BadOption):
        jobs.replay("@2", changes=Changes(speed=9.0))


def test_the_newest_jobs_need_no_id(jobs: Jobs) -> None:
    for ask in (jobs.get, jobs.cancel, jobs.replay):
        with pytest.raises(UnknownJob):
            ask("last")
    first, second = (jobs.submit(wish(text))["id"] for text in ("First.", "Second."))
    assert [jobs.get(name)["id"] for name in ("last", "@1", "@2")] == [second, second, first]
    for name in ("@0", "@3", "@x"):
        with pytest.raises(UnknownJob):
            jobs.cancel(name)
    assert jobs.cancel("@2")["id"] == first
    assert jobs.cancel("last")["id"] == second


def test_a_job_is_followed_to_its_end(jobs: Jobs) -> None:
    job_id = jobs.submit(wish())["id"]
    seen: list[tuple[str, dict[str, Any]]] = []
    let_speak(jobs)
    job = jobs.follow(job_id, lambda *event: seen.append(event))
    assert (job["id"], job["state"], job["exit_code"]) == (job_id, "done", 0)
    assert job["first_audio_at"] is not None
    states = [data["state"] for name, data in seen if name == "state"]
    assert states[-2:] == ["speaking", "done"]
    assert jobs.follow(job_id)["state"] == "done"
    assert jobs.get(job_id) == {**job, "position": None}


def test_following_gives_up_and_the_job_goes_on(jobs: Jobs) -> None:
    job_id = jobs.submit(wish("One two three four. " * 20))["id"]
    with pytest.raises(WaitTimeout, match=job_id):
        jobs.follow(job_id, timeout_s=0.2)
    if isinstance(jobs, Front):  # which starts a daemon for it
        with pytest.raises(WaitTimeout):
            jobs.follow(job_id, timeout_s=0.2)
        control_stop(jobs)
    assert jobs.get(job_id)["exit_code"] is None


def control_stop(jobs: Front) -> None:
    from vox.client import daemon

    daemon.stop(jobs.paths, now=True, on_note=pytest.fail)


def test_the_daemon_is_paused_and_goes_on(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    for jobs in (Remote(vox.paths), Front(vox.paths)):
        assert jobs.skip() is None
        jobs.pause()
        assert jobs.is_paused()
        jobs.resume()
        assert not jobs.is_paused()


def test_a_change_without_a_daemon_waits_while_the_database_is_made_again(vox: Vox) -> None:
    """Else it would be made in the damaged one, which is then set aside."""
    jobs = Local(vox.paths)
    jobs.pause()
    job = jobs.submit(wish())
    with order_lock(vox.paths.db_path):
        changes = [threading.Thread(target=change) for change in (jobs.resume, jobs.cancel_all)]
        for change in changes:
            change.start()
        for change in changes:
            change.join(0.2)
            assert change.is_alive()
        assert jobs.is_paused() and [each["id"] for each in jobs.queue()] == [job["id"]]
    for change in changes:
        change.join()
    assert not jobs.is_paused() and jobs.queue() == []


def test_without_a_daemon_a_pause_is_kept_and_nothing_is_skipped(vox: Vox) -> None:
    for jobs in (Local(vox.paths), Front(vox.paths)):
        assert not jobs.is_paused()
        jobs.pause()
        assert (jobs.is_paused(), jobs.obstacles()) == (True, [PAUSED])
        jobs.resume()
        assert jobs.obstacles() == []
        with pytest.raises(DaemonUnavailable, match="no daemon is running"):
            jobs.skip()
    assert not vox.client.is_up()


def test_without_a_daemon_remote_says_so(vox: Vox) -> None:
    jobs = Remote(vox.paths)
    for ask in (
        lambda: jobs.submit(wish()),
        lambda: jobs.follow("aaaaaa"),
        lambda: jobs.get("aaaaaa"),
        jobs.queue,
        lambda: next(jobs.history()),
        jobs.skip,
    ):
        with pytest.raises(NoDaemon):
            ask()


def test_a_job_of_the_table_is_spoken_by_the_daemon_that_comes(vox: Vox, sound: object) -> None:
    job_id = Local(vox.paths).submit(wish())["id"]
    vox.ok("daemon", "start")
    assert Remote(vox.paths).follow(job_id, timeout_s=60.0)["state"] == "done"


def test_jobs_before_ones_own_are_spoken_first_and_those_behind_are_left(
    vox: Vox, sound: object
) -> None:
    jobs = Local(vox.paths)
    first, own, last = (jobs.submit(wish(text))["id"] for text in ("One.", "Two.", "Three."))
    assert jobs.follow(own)["state"] == "done"
    states = [jobs.get(job_id)["state"] for job_id in (first, own, last)]
    assert states == ["done", "done", "queued"]
