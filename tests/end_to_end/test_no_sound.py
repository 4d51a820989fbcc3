"""Sound that is away, comes back, or is known only to some callers; and a pause that lasts."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.running import Vox
from tests.sound import Recorder, SoundServer, segments_of_sound
from vox.client.jobs import NoDaemon
from vox.errors import WaitTimeout
from vox.jobs import NO_DEVICE, PAUSED

SCRIPTED = ("-b", "scripted")


def until(is_so: Callable[[], object], limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def audio(vox: Vox) -> str | None:
    with contextlib.suppress(NoDaemon):
        return str(vox.client.call("GET", "/health")["audio"]["state"])
    return None


@pytest.fixture
def astray(vox: Vox, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Vox:
    """Calls that cron makes, say: they lack the variables of the desktop."""
    monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
    return vox


@pytest.mark.slow
def test_the_callers_sound_server_is_heard_though_another_started_the_daemon(
    astray: Vox, sound: SoundServer, recorder: Recorder
) -> None:
    astray.ok("daemon", "start")
    astray.ok(*SCRIPTED, "1 [say 0.3s]", env=sound.environ)
    assert segments_of_sound(recorder.stop())
    astray.ok(*SCRIPTED, "2 [say 0.3s]")  # what works is kept


@pytest.mark.slow
def test_jobs_wait_for_a_device_say_so_and_are_spoken_once_there_is_one(
    astray: Vox, sound: SoundServer, recorder: Recorder
) -> None:
    vox = astray
    first = vox.ok(*SCRIPTED, "--async", "1 [say 0.3s]")
    until(lambda: audio(vox) == "waiting")
    late = vox(*SCRIPTED, "--async", "2 [say 0.3s]")
    assert (late.code, late.err) == (0, f"vox: {NO_DEVICE}\n")
    assert vox("queue").err == f"vox: {NO_DEVICE}\n"
    assert NO_DEVICE in vox.job(first)["notes"]
    # A restart changes nothing, and is not held up.
    vox.ok("daemon", "restart")
    until(lambda: audio(vox) == "waiting")
    assert "(waiting for a sound device)" in vox.ok("daemon", "status")
    assert not segments_of_sound(recorder.stop())
    # A racing starter that finds this daemon up leads it to the sound server.
    starter = [sys.executable, "-m", "vox.daemon"]
    environ = {**os.environ, **vox.environ, **sound.environ}
    subprocess.run(starter, env=environ, timeout=60, check=True)
    for job_id in (first, late.out.strip()):
        vox.until(job_id, "done")
    assert segments_of_sound(recorder.stop())


@pytest.mark.slow
def test_who_waits_for_a_job_gets_8_after_a_while_and_is_told_why_it_waits(astray: Vox) -> None:
    astray.ok("config", "set", "device_wait_s", "0.5")
    waiting = astray.ok(*SCRIPTED, "--async", "1 [say 0.3s]")
    until(lambda: audio(astray) == "waiting")
    result = astray(*SCRIPTED, "2 [say 0.3s]")
    assert result.code == 8
    told, error = result.err.splitlines()
    assert (told, "no sound device" in error) == (f"vox: {NO_DEVICE}", True)
    assert astray("replay", astray.jobs()[-1]["id"]).code == 8
    assert astray.ok("skip") == f"{waiting} skipped"
    assert astray.ok("queue") == ""


@pytest.mark.slow
def test_a_job_that_hangs_in_its_host_is_skipped_and_nothing_else(
    vox: Vox, sound: SoundServer
) -> None:
    stuck = vox.ok(*SCRIPTED, "--async", "[hang] 1 [say 0.1s]")
    after = vox.ok(*SCRIPTED, "--async", "2 [say 0.1s]")
    vox.until(stuck, "preparing")
    assert vox.ok("skip") == f"{stuck} skipped"
    assert vox.ok("wait", after) == ""
    assert vox.ok("skip") == "nothing is being spoken"


@pytest.mark.slow
def test_a_daemon_whose_jobs_wait_for_a_device_stays(astray: Vox) -> None:
    vox = astray
    vox.ok("config", "set", "idle_timeout", "0")
    job_id = vox.ok(*SCRIPTED, "--async", "1 [say 0.3s]")
    until(lambda: audio(vox) == "waiting")
    with pytest.raises(WaitTimeout):  # it looks five times a second whether it is idle
        vox.client.follow(job_id, timeout_s=1.0)
    vox.ok("cancel", job_id)
    until(lambda: not os.path.exists(vox.paths.pid_path))  # then nothing keeps it


def test_a_light_call_without_a_daemon_waits_and_fails_like_any_other(
    astray: Vox,
) -> None:
    astray.ok("config", "set", "device_wait_s", "0.5")
    result = astray("-b", "say", "hello")
    assert (result.code, result.err.count("\n")) == (8, 1)
    assert "no sound device" in result.err


@pytest.mark.slow
def test_a_pause_outlasts_a_crash(vox: Vox, recorder: Recorder) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    vox.kill_daemon()
    job_id = vox.ok(*SCRIPTED, "--async", "1 [say 0.3s]")
    vox.until(job_id, "preparing")
    assert vox.job(job_id)["notes"] == [PAUSED]
    vox.kill_daemon()
    assert not segments_of_sound(recorder.stop())
    vox.ok("resume")  # it starts a daemon, for a job waits
    vox.until(job_id, "done")
    assert segments_of_sound(recorder.stop())


@pytest.mark.slow
def test_a_light_call_without_a_daemon_is_silent_until_speech_is_resumed(
    vox: Vox, recorder: Recorder
) -> None:
    assert vox.ok("pause").startswith("paused")
    assert vox("queue").err == f"vox: {PAUSED}\n"
    call = vox.popen("-b", "say", "hello")
    until(vox.jobs)
    recorder.wait_for_silence(0.5)
    assert call.poll() is None
    assert vox.ok("resume") == "resumed"
    _, err = call.communicate(timeout=60)
    assert (call.returncode, err) == (0, f"vox: {PAUSED}\n")
    assert segments_of_sound(recorder.stop())


@pytest.mark.slow
def test_the_doctor_tests_what_the_daemon_would_do(astray: Vox, sound: SoundServer) -> None:
    def examined(**env: str) -> list[dict[str, str]]:
        found = json.loads(astray("doctor", "--json", env=env).out)
        return [each for each in found if each["name"] == "sound"]

    astray.ok("daemon", "start")
    (failed,) = examined()
    assert (failed["level"], "no sound device" in failed["text"]) == ("fail", True)
    until(lambda: examined(**sound.environ)[0]["text"] == "the daemon can play")
    good, note = examined()  # it knows the way now
    assert (good["level"], note["level"]) == ("ok", "note")
    assert "no sound device" in note["text"] and "XDG_RUNTIME_DIR" in note["hint"]
    astray.ok("config", "set", "audio_device", "nosuch")
    assert "unset audio_device" in examined()[1]["hint"]
    astray.ok("config", "unset", "audio_device")
    astray.ok("daemon", "stop")
    (failed,) = examined()
    assert failed["level"] == "fail"
