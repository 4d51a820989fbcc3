"""`vox history`, `queue`, `cancel`: with a daemon, and without one, which they never start."""

from __future__ import annotations

import fcntl
import json
import os
import re
from pathlib import Path

import pytest

from tests.running import Vox, read_terminal
from vox.client.local import Local
from vox.files import make_private_dir
from vox.jobs import Request

SCRIPTED = ("-b", "scripted")
TEXT = "1 [say 0.1s] A long text, with\na line break,\tand the \u4f60\u597d of another script."


@pytest.fixture
def with_jobs(vox: Vox) -> Vox:
    """Three queued jobs and no daemon."""
    for text in (TEXT, "2 second", "3 third"):
        Local(vox.paths).submit(Request(text=text, backend="say"))
    return vox


def test_history_is_tab_separated_in_a_pipe(with_jobs: Vox) -> None:
    lines = with_jobs.ok("history", "--full").splitlines()
    assert len(lines) == 3
    cells = lines[-1].split("\t")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", cells[1])
    assert cells[2:6] == ["queued", "say", "cli", ""]
    assert cells[6] == " ".join(TEXT.split())
    assert len(with_jobs.ok("history", "-n", "2").splitlines()) == 2
    assert with_jobs.ok("history", "--search", "SECOND").count("\n") == 0
    assert with_jobs.ok("history", "--state", "done") == ""
    assert not with_jobs.client.is_up()


def test_long_texts_are_cut_in_a_pipe_unless_all_is_wanted(vox: Vox) -> None:
    text = "word " * 500
    Local(vox.paths).submit(Request(text=text, backend="say"))
    cut = vox.ok("history").split("\t")[-1]
    assert cut.endswith("\u2026") and len(cut) < 100
    assert vox.ok("history", "--full").split("\t")[-1] == text.strip()


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_history_fits_the_terminal(with_jobs: Vox, plain: dict[str, str]) -> None:
    control, terminal = os.openpty()
    call = with_jobs.popen("history", stdout=terminal, env={"COLUMNS": "60", **plain})
    os.close(terminal)
    shown = read_terminal(control).decode().splitlines()
    assert call.wait(timeout=60) == 0
    header = shown[0].split()
    assert (header[:3], header[-1]) == (["id", "when", "state"], "text")
    assert "s" not in header  # so that the text has room
    assert len(shown) == 4
    assert all(len(line) <= 60 for line in shown)
    assert shown[-1].endswith("\u2026")


def test_one_job_is_shown_whole(with_jobs: Vox) -> None:
    job_id = with_jobs.ok("history").splitlines()[-1].split("\t")[0]
    shown = with_jobs.ok("history", "show", job_id[:5])
    assert shown.endswith("\n\n" + TEXT)
    assert re.search(rf"^id +{job_id}$", shown, re.MULTILINE)
    assert with_jobs.job(job_id)["text"] == TEXT


def test_queued_jobs_are_listed_and_cancelled_without_a_daemon(with_jobs: Vox) -> None:
    queue = json.loads(with_jobs.ok("queue", "--json"))
    assert [job["position"] for job in queue] == [1, 2, 3]
    first, second, third = (job["id"] for job in queue)
    assert with_jobs.ok("cancel", second) == f"{second} cancelled"
    again = with_jobs("cancel", second, third)
    assert (again.code, again.out) == (2, f"{third} cancelled\n")
    assert second in again.err
    assert with_jobs("wait", third).code == 5
    assert with_jobs.ok("cancel", "--all") == "1 job cancelled"
    assert with_jobs.ok("queue") == ""
    assert with_jobs.job(first)["state"] == "cancelled"
    assert not with_jobs.client.is_up()


def test_clearing_forgets_ended_jobs_and_asks_on_a_terminal_only(with_jobs: Vox) -> None:
    with_jobs.ok("cancel", with_jobs.ok("queue").splitlines()[0].split("\t")[1])
    assert with_jobs.ok("history", "clear", "--older-than", "1h") == "0 jobs forgotten"
    for answer, left in ((b"n\n", 3), (b"y\n", 2)):
        control, terminal = os.openpty()
        call = with_jobs.popen("history", "clear", stdin=terminal)
        os.write(control, answer)
        call.communicate(timeout=60)
        os.close(terminal)
        os.close(control)
        assert len(with_jobs.jobs()) == left
    assert json.loads(with_jobs.ok("history", "clear", "--json")) == {"cleared": 0}


@pytest.mark.slow
def test_clearing_removes_the_audio_too(vox: Vox, sound: object) -> None:
    vox.ok("-b", "scripted", "1 [say 0.1s]")
    vox.ok("daemon", "stop")
    spool = Path(vox.paths.spool_dir)
    assert list(spool.glob("*.pcm"))
    assert vox.ok("history", "clear", "--yes") == "1 job forgotten"
    assert not list(spool.glob("*.pcm"))
    assert not vox.client.is_up()


@pytest.mark.slow
def test_the_same_commands_over_the_daemon(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    ids = [vox.ok("-b", "scripted", "--async", f"{n} [say 0.1s]") for n in (1, 2, 3)]
    assert [line.split("\t")[1] for line in vox.ok("queue").splitlines()] == ids
    assert vox.ok("cancel", ids[1][:5]) == f"{ids[1]} cancelled"
    vox.ok("resume")
    assert vox("wait", *ids).code == 5
    assert [job["state"] for job in vox.jobs()] == ["done", "cancelled", "done"]
    assert vox.ok("history", "--search", "[say", "-n", "1").split("\t")[0] == ids[2]
    assert vox.ok("history", "--state", "cancelled").split("\t")[0] == ids[1]
    assert vox.ok("skip") == "nothing is being spoken"
    long = vox.ok("-b", "scripted", "--async", "4 [say 30s]")
    vox.until(long, "speaking")
    assert vox.ok("skip") == f"{long} skipped"
    assert vox("wait", long).err == f"vox: job {long} was skipped\n"
    assert vox.ok("cancel", "--all") == "0 jobs cancelled"
    assert vox.ok("history", "clear", "--yes") == "4 jobs forgotten"


def test_without_a_daemon_there_is_nothing_to_skip(vox: Vox) -> None:
    result = vox("skip")
    assert (result.code, result.out, result.err.count("\n")) == (3, "", 1)
    assert not vox.client.is_up()


def test_a_daemon_that_just_starts_is_paused(vox: Vox, sound: object) -> None:
    job_id = vox.ok(*SCRIPTED, "--async", "1 [say 0.1s]")
    assert vox.ok("pause").startswith("paused")
    vox.until(job_id, "preparing")
    assert vox.client.call("GET", "/health")["queue"]["paused"]
    vox.ok("resume")
    vox.until(job_id, "done")


def test_jobs_that_wait_without_a_daemon_are_told_of(with_jobs: Vox) -> None:
    result = with_jobs("skip")
    assert (result.code, result.out) == (3, "")
    assert "no daemon is running; 3 jobs are in the queue" in result.err
    assert not with_jobs.client.is_up()


@pytest.mark.slow
def test_a_daemon_that_does_not_listen_cannot_skip_and_finds_the_pause_later(vox: Vox) -> None:
    make_private_dir(vox.paths.runtime_dir)
    with open(vox.paths.lock_path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = vox("skip")
        assert vox.ok("pause").startswith("paused")
    assert (result.code, result.err.count("\n")) == (3, 1)
    assert "starting or exiting" in result.err
    vox.ok("daemon", "start")
    assert vox.client.is_paused()


@pytest.mark.slow
def test_positions_are_the_same_wherever_they_are_shown(vox: Vox, sound: object) -> None:
    vox.ok("config", "set", "lookahead_s", "0")
    vox.ok("daemon", "start")
    vox.ok("pause")
    first, second, urgent = (
        vox.ok(*SCRIPTED, "--async", "--priority", priority, "1 [say 0.1s]")
        for priority in ("normal", "normal", "high")
    )
    vox.until(first, "preparing")
    vox.until(urgent, "preparing")  # it passes a full look-ahead
    third = vox.ok(*SCRIPTED, "--async", "1 [say 0.1s]")
    expected = {urgent: 1, first: 2, second: 3, third: 4}

    def check() -> None:
        for command in ("queue", "history"):
            jobs = json.loads(vox.ok(command, "--json"))
            assert {job["id"]: job["position"] for job in jobs} == expected, command
        assert {job_id: vox.job(job_id)["position"] for job_id in expected} == expected

    check()
    vox.ok("daemon", "stop", "--now")
    expected = {urgent: 1, first: 2, second: 3, third: 4}
    check()
    assert [job["id"] for job in json.loads(vox.ok("queue", "--json"))] == list(expected)


@pytest.mark.slow
def test_all_that_waits_can_be_waited_for(vox: Vox, sound: object) -> None:
    assert vox.ok("wait", "--all") == ""
    vox.ok("daemon", "start")
    vox.ok("pause")
    ids = [vox.ok(*SCRIPTED, "--async", f"{number} [say 0.1s]") for number in range(2)]
    assert vox("wait", "--all", "--timeout", "50ms").code == 7
    vox.ok("resume")
    ended = json.loads(vox.ok("wait", "--all", "--timeout", "1m", "--json"))
    assert {job["id"] for job in ended} <= set(ids)
    assert vox.ok("queue") == ""
    for wrong in ((), (ids[0], "--all")):
        answer = vox("wait", *wrong)
        assert answer.code == 2 and "pass job ids, or --all" in answer.err


def test_a_wait_that_is_too_long_shows_the_job_as_it_is(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    job_id = vox.ok(*SCRIPTED, "--async", "1 [say 0.1s]")
    late = vox("wait", "--timeout", "0.1", "--json", job_id)
    assert late.code == 7
    assert late.err.count("\n") == 1
    assert (late.json()["id"], late.json()["exit_code"]) == (job_id, None)
