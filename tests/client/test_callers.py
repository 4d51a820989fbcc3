"""A job ends with the command that waits for it, unless the command lets it go on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any, cast

import pytest

from tests.running import CHECKOUT, Vox
from tests.sound import Recorder
from vox.callers import WENT_AWAY
from vox.client.local import Local
from vox.client.sound import SoundAhead
from vox.jobs import Request
from vox.queue.store import Store

SCRIPTED = ("-b", "scripted")
SUBMIT_AND_WAIT = """
import sys
from vox.client.local import Local
from vox.jobs import Request
from vox.paths import get_paths
job = Local(get_paths()).submit(Request(text="1 [say 60s]", backend=sys.argv[1]))
print(job["id"], flush=True)
input()
"""


def only_job(vox: Vox, *states: str, timeout_s: float = 30.0) -> dict[str, Any]:
    """The one job there is, once it is in one of the states. Asks no daemon."""
    deadline = time.monotonic() + timeout_s
    while True:
        with contextlib.closing(Store(vox.paths.db_path)) as store:
            jobs = store.history.jobs()
        if len(jobs) == 1 and jobs[0].state in states:
            return jobs[0].to_dict()
        assert time.monotonic() < deadline, jobs
        time.sleep(0.02)


def waiting(vox: Vox, *args: str) -> subprocess.Popen[str]:
    """A command whose job waits in the queue of a paused daemon, and that has asked for it."""
    vox.ok("daemon", "start")
    vox.ok("pause")
    call = vox.popen(*SCRIPTED, *args, "1 [say 0.1s]")
    only_job(vox, "preparing")
    return call


@pytest.mark.parametrize("backend", ["scripted", "say"])
def test_a_caller_that_is_killed_before_there_is_a_daemon_takes_its_job_with_it(
    vox: Vox, sound: object, backend: str
) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-c", SUBMIT_AND_WAIT, backend],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
        env={**os.environ, **vox.environ},
    )  # fmt: skip
    assert caller.stdout is not None
    job_id = caller.stdout.readline().strip()
    caller.kill()
    caller.communicate()
    assert vox.job(job_id)["state"] == "queued"
    vox.ok("daemon", "start")
    job = vox.until(job_id, "cancelled")
    assert (job["error"], job["started_at"]) == (WENT_AWAY, None)


def test_a_killed_light_call_s_job_is_not_spoken_by_the_next_call(
    vox: Vox, recorder: Recorder
) -> None:
    call = vox.popen("-b", "say", "One two three four. " * 30)
    only_job(vox, "speaking")
    call.kill()
    call.communicate()
    recorder.wait_for_silence(timeout_s=20)
    began = time.monotonic()
    vox.ok("-b", "say", "Five.")
    assert time.monotonic() - began < 20
    states = [(job["state"], job["error"]) for job in vox.jobs()]
    assert states == [("cancelled", WENT_AWAY), ("done", None)]


def test_a_killed_caller_with_a_timeout_takes_its_job_with_it(vox: Vox, sound: object) -> None:
    call = waiting(vox, "--timeout", "600")
    call.kill()
    call.communicate()
    assert only_job(vox, "cancelled")["error"] == WENT_AWAY


def test_a_stopped_caller_keeps_its_job_over_a_restart(vox: Vox, sound: object) -> None:
    call = waiting(vox, "--timeout", "600")
    call.send_signal(signal.SIGSTOP)
    vox.kill_daemon()
    vox.ok("daemon", "start")
    vox.ok("resume")
    assert only_job(vox, "done", "cancelled")["state"] == "done"
    call.send_signal(signal.SIGCONT)
    call.communicate(timeout=60)
    assert call.returncode == 0


def test_what_waits_when_the_daemon_is_stopped_is_spoken_by_the_next_one(
    vox: Vox, sound: object
) -> None:
    call = waiting(vox)
    vox.ok("daemon", "stop", "--now")
    _, told = call.communicate(timeout=60)
    assert (call.returncode, "stays in the queue" in told) == (3, True)
    vox.ok("daemon", "start")
    vox.ok("resume")
    only_job(vox, "done")


@pytest.mark.parametrize(
    ("backend", "text"),
    [("scripted", "1 [say 3s]"), ("say", "One, two, three, four, five, six, seven, eight, nine.")],
)
def test_what_a_timeout_leaves_behind_is_spoken_to_its_end(
    vox: Vox, sound: object, backend: str, text: str
) -> None:
    vox.ok("pause")  # so that it cannot end in time
    result = vox("-b", backend, "--timeout", "1", text)
    assert result.code == 7
    vox.ok("daemon", "start")
    vox.ok("resume")
    only_job(vox, "done")


def test_waiting_in_vain_for_another_s_job_does_not_release_it(vox: Vox, sound: object) -> None:
    call = waiting(vox)
    job_id = only_job(vox, "preparing")["id"]
    assert vox("wait", job_id, "--timeout", "0.2").code == 7
    call.kill()
    call.communicate()
    assert only_job(vox, "cancelled")["error"] == WENT_AWAY


class Interrupted:
    """Sound that opens when Ctrl-C comes."""

    is_closed = False

    def player(self) -> None:
        raise KeyboardInterrupt

    def close(self) -> None:
        self.is_closed = True


def test_sound_that_opened_when_an_interrupt_came_is_closed(vox: Vox) -> None:
    jobs, sound = Local(vox.paths), Interrupted()
    job_id = jobs.submit(Request(text="One.", backend="say"))["id"]
    jobs.sound = cast(SoundAhead, sound)
    with pytest.raises(KeyboardInterrupt):
        jobs.follow(job_id)
    jobs.close()
    assert sound.is_closed
