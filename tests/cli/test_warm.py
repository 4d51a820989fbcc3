"""`vox daemon warm` and `unload`, and `--keep-alive`: who stays loaded, and that memory is back."""

from __future__ import annotations

import itertools
import json
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.inbox.rig import wait_until
from tests.running import Vox


def models(vox: Vox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = vox.client.call("GET", "/health")["loaded_models"]
    return found


def loads(vox: Vox) -> list[str]:
    """The models that were loaded, in order."""
    lines = (vox.home / "loads").read_text().splitlines()
    return [line.split()[1] for line in lines]


NUMBERS = itertools.count()


def spoken(vox: Vox, *args: str) -> None:
    """Speak a text that was not spoken before."""
    vox.ok("-b", "scripted", "-o", str(vox.home / "x.wav"), *args, str(next(NUMBERS)))


def until_left(vox: Vox) -> None:
    wait_until(lambda: not vox.client.is_up())


def test_a_model_is_warmed_used_and_unloaded(vox: Vox) -> None:
    said = vox.ok("daemon", "warm", "scripted", "--keep-alive", "1h30m")
    assert said.startswith("scripted is loaded: plain, cpu none")
    assert said.endswith("stays for 1 h 30 min")
    (model,) = models(vox)
    assert (model["keep_alive_s"], model["jobs"]) == (5400, 0)
    assert "\tin 1 h 30 min\t" in vox.ok("daemon", "status")
    spoken(vox)
    assert loads(vox) == ["plain"]
    assert models(vox)[0]["keep_alive_s"] == 5400
    process = psutil.Process(model["pid"])
    assert vox.ok("daemon", "unload", "scripted").startswith("scripted unloaded (memory ")
    assert not process.is_running()
    assert vox.ok("daemon", "unload", "scripted") == "scripted is not loaded"
    assert vox.ok("daemon", "unload") == "no model is loaded"


def test_a_model_that_is_not_to_stay_is_gone_when_the_call_returns(vox: Vox) -> None:
    vox.ok("daemon", "warm", "scripted")
    process = psutil.Process(models(vox)[0]["pid"])
    spoken(vox, "--keep-alive", "0")
    assert not process.is_running()
    assert models(vox) == []
    assert vox.client.is_up()


def test_the_daemon_stays_while_a_model_is_to_stay(vox: Vox) -> None:
    vox.ok("config", "set", "idle_timeout", "0")
    spoken(vox, "--keep-alive", "-1")
    spoken(vox, "-m", "other", "--keep-alive", "1s")
    wait_until(lambda: [each["model"] for each in models(vox)] == ["plain"])
    assert "\tforever\t" in vox.ok("daemon", "status")
    spoken(vox)
    assert loads(vox) == ["plain", "other"]
    spoken(vox, "--keep-alive", "1s")
    until_left(vox)


def test_the_daemon_stays_for_no_model_that_was_killed(vox: Vox) -> None:
    vox.ok("config", "set", "idle_timeout", "0")
    spoken(vox, "--keep-alive", "-1")
    psutil.Process(models(vox)[0]["pid"]).kill()
    until_left(vox)


def test_stop_ends_what_is_to_stay_and_the_next_daemon_knows_nothing_of_it(vox: Vox) -> None:
    vox.ok("daemon", "warm", "scripted", "--keep-alive", "-1")
    process = psutil.Process(models(vox)[0]["pid"])
    vox.ok("daemon", "restart")
    assert not process.is_running()
    assert models(vox) == []


def test_who_warms_a_model_that_will_not_stay_is_told(vox: Vox) -> None:
    vox.ok("config", "set", "daemon", "false")
    result = vox("daemon", "warm", "scripted")
    assert (result.code, result.out.split(", ")[0]) == (0, "scripted is loaded: plain")
    assert "it stays for 1 s only" in result.err and "--keep-alive 30m" in result.err
    until_left(vox)


def test_ctrl_c_ends_the_loading(vox: Vox) -> None:
    vox.ok("daemon", "start")
    call = vox.popen("daemon", "warm", "scripted", "-m", "load-until:never")
    wait_until(lambda: bool(models(vox)))
    process = psutil.Process(models(vox)[0]["pid"])
    call.send_signal(signal.SIGINT)
    assert call.wait(20) == 130
    wait_until(lambda: not process.is_running())
    spoken(vox)


def test_a_daemon_that_is_stopped_meanwhile_is_not_started_again(vox: Vox) -> None:
    vox.ok("daemon", "start")
    call = vox.popen("daemon", "warm", "scripted", "-m", "load-until:never")
    wait_until(lambda: bool(models(vox)))
    vox.ok("daemon", "stop")
    _, said = call.communicate(timeout=20)
    assert (call.returncode, said) == (
        3,
        "vox: the daemon was stopped while it loaded scripted; again: vox daemon warm scripted\n",
    )
    assert not vox.client.is_up()


def test_what_cannot_be_warmed_says_why(vox: Vox) -> None:
    failed = vox("daemon", "warm", "scripted", "-m", "load-fail")
    assert (failed.code, failed.out) == (1, "")
    assert "the script does not load" in failed.err
    mistaken = vox("daemon", "warm", "hibari", env={"VOX_MODEL": "big"})
    assert mistaken.err.startswith("vox: VOX_MODEL: hibari has no models")
    for name in ("nobody", ""):
        unknown = vox("daemon", "warm", name)
        assert (unknown.code, unknown.err.count("\n")) == (4, 1)
        assert f"no backend is called {name!r}" in unknown.err
    voiceless = vox("daemon", "warm", "scripted", "-v", "nobody")
    assert (voiceless.code, voiceless.err.count("\n")) == (4, 1)


def test_a_model_in_use_is_unloaded_after_its_job(vox: Vox, sound: object) -> None:
    job_id = vox.ok("--async", "-b", "scripted", "[mark begun] [until go] 1")
    wait_until((vox.home / "begun").exists)
    assert vox.ok("daemon", "unload") == "scripted is in use: it is unloaded after its job"
    (vox.home / "go").touch()
    vox.until(job_id, "done")
    wait_until(lambda: models(vox) == [])


def test_without_a_daemon_nothing_is_unloaded_and_none_is_started(vox: Vox) -> None:
    assert vox.ok("daemon", "unload") == "not running, so no model is loaded"
    assert json.loads(vox.ok("daemon", "unload", "--json")) == {"unloaded": [], "busy": []}
    assert vox("daemon", "unload", "nobody").code == 4
    assert not vox.client.is_up()


def test_json_is_what_health_says(vox: Vox) -> None:
    warmed = json.loads(vox.ok("daemon", "warm", "scripted", "--json"))
    (model,) = models(vox)
    assert warmed.keys() == model.keys()
    unloaded = json.loads(vox.ok("daemon", "unload", "--json"))
    assert [each["pid"] for each in unloaded["unloaded"]] == [model["pid"]]


@pytest.mark.parametrize("given", ["soon", "30x", "", "nan"])
def test_what_is_no_time_is_refused(vox: Vox, given: str) -> None:
    for command in (["-b", "scripted", "1"], ["daemon", "warm", "scripted"]):
        refused = vox(*command, "--keep-alive", given)
        assert (refused.code, refused.err.count("\n")) == (2, 1)
        assert "--keep-alive" in refused.err and "time span such as 30m" in refused.err


def test_how_long_the_model_stays_is_kept_with_the_job_and_replayed(
    vox: Vox, tmp_path: Path
) -> None:
    spoken(vox, "--keep-alive", "2m")
    (job,) = vox.jobs()
    assert job["keep_alive"] == 120
    vox.ok("replay", job["id"], "--async")
    assert [each["keep_alive"] for each in vox.jobs()] == [120, 120]


def test_a_call_without_a_daemon_says_that_nothing_stays(vox: Vox) -> None:
    output = str(vox.home / "x.wav")
    result = vox("-b", "say", "-o", output, "--keep-alive", "30m", "Hello.")
    assert result.code == 0
    assert "--keep-alive has no effect" in result.err and "vox daemon warm say" in result.err
    assert "keep-alive" not in vox("-b", "say", "-o", output, "--keep-alive", "0", "Hello.").err


def test_the_models_of_keep_are_warm_without_a_call(vox: Vox) -> None:
    vox.ok("config", "set", "keep", "scripted")
    config = Path(vox.paths.config_path)
    config.write_text(config.read_text().replace('"scripted"', '"nosuch", "scripted"'))
    vox.ok("daemon", "start")
    while not (loaded := models(vox)):
        assert vox.client.is_up()
    assert (loaded[0]["backend"], loaded[0]["keep_alive_s"]) == ("scripted", -1)
    (line,) = [line for line in vox.ok("daemon", "status").splitlines() if "nosuch" in line]
    assert line.startswith("keep ")
