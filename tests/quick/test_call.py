"""A request that is sent the short way: one job, whatever becomes of its answer."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest

from tests.quick.recording import RecordingDaemon, accept
from tests.running import Vox
from vox.flat_json import flat_json
from vox.quick.sending import ANSWER_S

SCRIPTED = ("-b", "scripted")


def test_json_is_written_as_the_module_json_does() -> None:
    values = {
        "a": 'quote " back \\ line\n \u00e9 \U0001f600',
        "b": 1.5,
        "c": True,
        "d": None,
        "e": -1,
    }
    assert flat_json(values) == json.dumps(values)


def test_a_daemon_that_hangs_up_is_not_sent_the_request_under_another_id(
    vox: Vox, sound: object
) -> None:
    def die(_body: dict[str, Any]) -> bytes:
        daemon.vanish()
        return b""

    with RecordingDaemon(vox.paths.socket_path, die) as daemon:
        made = vox.ok(*SCRIPTED, "--async", "1")
    assert {body["id"] for body in daemon.bodies} == {made}


def test_an_answer_that_takes_long_is_waited_for(vox: Vox) -> None:
    def slowly(body: dict[str, Any]) -> bytes:
        time.sleep(ANSWER_S * 1.5)
        return accept(body)

    with RecordingDaemon(vox.paths.socket_path, slowly) as daemon:
        assert vox.ok("--async", "Hello.") == daemon.bodies[0]["id"]
    assert len(daemon.bodies) == 1


def test_what_goes_wrong_is_told_as_ever(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    refused = vox(*SCRIPTED, "-v", "nobody", "Hi.")
    assert refused.code == 4
    assert refused.err.startswith("vox: scripted has no voice called 'nobody'")
    refused = vox(*SCRIPTED, "Hi.", env={"VOX_VOICE": "nobody"})
    assert refused.code == 4
    assert refused.err.startswith("vox: VOX_VOICE: scripted has no voice called 'nobody'")
    assert not vox.jobs()
    failed = vox(*SCRIPTED, "[fail]")
    assert (failed.code, failed.err.startswith("vox: "), failed.err.count("\n")) == (1, True, 1)


def test_an_older_daemon_is_left_to_the_command_line(vox: Vox) -> None:
    with RecordingDaemon(vox.paths.socket_path) as daemon:
        with open(vox.paths.pid_path, "w", encoding="ascii") as file:
            file.write("1 0.0.1\n")
        vox("--async", "Hello.")
    assert daemon.targets[:2] == ["/stop", "/speak"]


def test_output_that_cannot_be_written_is_told(vox: Vox) -> None:
    with RecordingDaemon(vox.paths.socket_path), open("/dev/full", "w", encoding="ascii") as full:
        call = vox.popen("--async", "Hello.", stdout=full)
        _, err = call.communicate(timeout=60)
    assert (call.returncode, err) == (
        1,
        "vox: cannot write the output: No space left on device; free disk space\n",
    )


@pytest.mark.slow
def test_a_call_that_waits_for_long_says_once_what_for(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    vox.ok(*SCRIPTED, "--async", "1 [say 4s]")
    call = vox.popen(*SCRIPTED, "2")
    _, err = call.communicate(timeout=60)
    assert (call.returncode, err, call.waited_for.count("\n")) == (0, "", 1)
    call = vox.popen(*SCRIPTED, "-q", "3")
    call.communicate(timeout=60)
    assert (call.returncode, call.waited_for) == (0, "")


@pytest.mark.slow
def test_a_call_that_is_interrupted_cancels_its_job_at_once(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        call = vox.popen(*SCRIPTED, "1 [say 30s]")
        job_id = spoken_now(vox)
        call.send_signal(signum)
        printed = call.communicate(timeout=30)
        job = vox.job(job_id)
        ended = (call.returncode, printed, job["state"], job["error"])
        assert ended == (128 + signum, ("", ""), "cancelled", "cancelled")


def spoken_now(vox: Vox) -> str:
    """The id of the job that is being spoken, once one is."""
    while not (live := vox.client.queue()) or live[0]["state"] != "speaking":
        time.sleep(0.02)
    found: str = live[0]["id"]
    return found


@pytest.mark.slow
def test_a_daemon_that_is_killed_is_replaced(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    call = vox.popen(*SCRIPTED, "1 [say 2s]. 2 [say 0.1s]")
    job_id = spoken_now(vox)
    vox.kill_daemon()
    assert call.communicate(timeout=60) == ("", "")
    assert (call.returncode, vox.job(job_id)["state"]) == (0, "done")


@pytest.mark.slow
def test_a_second_interrupt_ends_it_without_a_word(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    assert vox.pid is not None
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        call = vox.popen(*SCRIPTED, "1 [say 30s]")
        spoken_now(vox)
        os.kill(vox.pid, signal.SIGSTOP)
        try:
            while call.poll() is None:
                call.send_signal(signum)
                time.sleep(0.05)
        finally:
            os.kill(vox.pid, signal.SIGCONT)
        assert call.communicate() == ("", "")
        # One that comes while Python itself ends has the system end it, which shells tell alike.
        assert call.returncode in (128 + signum, -signum)
        vox.ok("stop")
