"""`vox daemon`: start, stop, restart, status, logs, token."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from tests.running import Vox
from vox.client import daemon as control
from vox.files import make_private_dir

STATUS = {"running", "pid", "version", "uptime_s", "idle_timeout_s", "queue", "loaded_models"}
MODEL = {"backend", "model", "device", "state", "idle_s", "memory_mb", "vram_mb"}


def test_without_a_daemon(vox: Vox) -> None:
    status = vox("daemon", "status")
    assert (status.code, status.out) == (3, "not running\n")
    told = vox("daemon", "status", "--json")
    assert told.code == 3
    assert told.json() == {**dict.fromkeys(STATUS), "running": False}
    assert vox.ok("daemon", "stop") == "not running"
    assert vox("daemon", "logs").code == 0
    assert not vox.client.is_up()


@pytest.mark.slow
def test_a_daemon_is_there_until_its_lock_is_free(vox: Vox) -> None:
    make_private_dir(vox.paths.runtime_dir)
    lock = os.open(vox.paths.lock_path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    Path(vox.paths.pid_path).write_text("1\n")
    is_free = threading.Event()

    def leave() -> None:
        is_free.set()
        os.close(lock)

    def finish(_told: str) -> None:
        threading.Timer(0.2, os.unlink, [vox.paths.pid_path]).start()
        threading.Timer(0.5, leave).start()

    assert control.stop(vox.paths, now=False, on_note=finish)
    assert is_free.is_set()


@pytest.mark.slow
def test_from_start_to_stop(vox: Vox, sound: object) -> None:
    first = vox.ok("daemon", "start")
    assert first == f"running, PID {vox.pid}"
    assert vox.ok("daemon", "start") == first
    vox.ok("-b", "scripted", "1 [say 0.1s]")

    told = json.loads(vox.ok("daemon", "status", "--json"))
    assert set(told) >= STATUS
    assert (told["running"], told["pid"]) == (True, vox.pid)
    assert told["idle_timeout_s"] == 300
    (model,) = told["loaded_models"]
    assert set(model) >= MODEL
    assert model["backend"] == "scripted"

    shown = vox.ok("daemon", "status")
    assert f"PID {vox.pid}" in shown and " of 500 MB" in shown
    header, row = (line.split("\t") for line in shown.splitlines()[-2:])
    assert header[:2] == ["backend", "model"]
    assert (row[0], len(row)) == ("scripted", len(header))
    assert row[header.index("device")] == "cpu none tones"
    assert f"1, memory {model['memory_mb']:.0f} MB" in shown

    assert "starts, PID" in vox.ok("daemon", "logs", "-n", "100")
    assert vox.ok("daemon", "logs", "-n", "1").count("\n") == 0

    again = vox.ok("daemon", "restart")
    assert again == f"running, PID {vox.pid}"
    assert again != first
    assert vox.ok("daemon", "stop") == "stopped"
    assert vox.pid is None
    assert vox.ok("daemon", "stop") == "not running"


@pytest.mark.slow
@pytest.mark.parametrize(("setting", "scheme"), [("http", "http"), ("wyoming", "tcp")])
def test_a_port_that_is_taken_is_told_by_start_status_and_doctor(
    vox: Vox, sound: object, setting: str, scheme: str
) -> None:
    assert f"\n{setting}" not in status_of_started(vox)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        vox.ok("config", "set", setting, address)
        for command in ("restart", "start"):
            told = vox("daemon", command)
            assert (told.code, told.err.count("\n")) == (0, 1)
            assert f"cannot listen on {address}" in told.err
        assert f"cannot listen on {address}" in vox.ok("daemon", "status")
        examined = vox("doctor", "--json")
        failed = [each for each in examined.json() if each["level"] == "fail"]
        assert [each["name"] for each in failed] == [setting]
        assert f"cannot listen on {address}" in failed[0]["text"]
        pid = vox.pid
    # Nobody has the port any more.
    shown = f"{scheme}://{address}"
    while shown not in vox.ok("daemon", "status"):
        time.sleep(0.05)
    assert shown in vox.ok("doctor")
    assert shown in vox.ok("status")
    assert vox.pid == pid
    assert vox("daemon", "restart").err == ""
    assert shown in vox.ok("daemon", "status")


def test_status_says_all_that_the_daemon_stays_for(vox: Vox, sound: object) -> None:
    # Whether it gets the ports does not matter.
    vox.ok("config", "set", "http", "127.0.0.1:1")
    vox.ok("config", "set", "wyoming", "127.0.0.1:2")
    assert "off: http and wyoming keep it up" in status_of_started(vox)


def status_of_started(vox: Vox) -> str:
    vox.ok("daemon", "start")
    return vox.ok("daemon", "status")


@pytest.mark.slow
def test_stopping_finishes_what_is_spoken_unless_told_otherwise(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    short = vox.ok("-b", "scripted", "--async", "1 [say 1s]")
    vox.until(short, "speaking")
    vox.ok("daemon", "stop")
    assert vox.job(short)["state"] == "done"
    long = vox.ok("-b", "scripted", "--async", "1 [say 60s]")
    vox.until(long, "speaking")
    vox.ok("daemon", "stop", "--now")
    assert vox.job(long)["state"] in ("queued", "preparing", "speaking")
    vox.ok("cancel", long)


@pytest.mark.slow
def test_a_daemon_that_hangs_is_killed_by_stop_now(vox: Vox) -> None:
    vox.ok("daemon", "start")
    pid = vox.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    assert vox.ok("daemon", "stop", "--now") == "stopped"
    assert not vox.client.is_up()
    assert vox.ok("daemon", "start") != f"running, PID {pid}"


def test_followed_logs_go_on_through_a_rotation(vox: Vox) -> None:
    log = Path(vox.paths.log_path)
    log.parent.mkdir(parents=True)
    log.write_text("old\nlast\n")
    call = vox.popen("daemon", "logs", "-n", "1", "-f")
    assert call.stdout is not None
    assert call.stdout.readline() == "last\n"
    with log.open("a") as file:
        file.write("appended\n")
    assert call.stdout.readline() == "appended\n"
    log.rename(log.with_suffix(".1"))
    log.write_text("after the rotation\n")
    assert call.stdout.readline() == "after the rotation\n"
    call.send_signal(signal.SIGINT)
    _, err = call.communicate(timeout=60)
    assert (call.returncode, err) == (130, "")


def test_the_token_is_made_once_and_for_us_alone(vox: Vox) -> None:
    assert "vox daemon token" in vox.ok("config", "set", "http", "127.0.0.1:8765")
    token = vox.ok("daemon", "token")
    assert len(token) >= 32
    assert vox.ok("daemon", "token") == token
    path = Path(vox.paths.token_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    seen = vox("daemon", "token")
    assert (seen.code, seen.out) == (1, "")
    assert "--new" in seen.err
    newer = vox.ok("daemon", "token", "--new")
    assert newer not in ("", token)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in vox.home.iterdir() if "token" in each.name] == ["token"]


def test_wyoming_beyond_this_machine_takes_a_setting_and_tells_what_it_means(vox: Vox) -> None:
    refused = vox("config", "set", "wyoming", "0.0.0.0:10200")
    assert refused.code == 2
    assert refused.err == (
        "vox: wyoming: 0.0.0.0 is reachable from other machines; to allow it: vox config set "
        "wyoming_allow_remote true\n"
    )
    for key, value in (("wyoming", "127.0.0.1:10200"), ("wyoming_allow_remote", "true")):
        assert vox("config", "set", key, value).err == ""
    told = vox("config", "set", "wyoming", "0.0.0.0:10200")
    assert told.code == 0
    assert told.err.startswith("vox: Wyoming knows no token and no encryption: anyone who reaches")
