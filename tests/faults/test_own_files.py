"""The daemon's lock, PID file, socket and runtime folder go while real processes use them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from vox.client.daemon import is_there
from vox.files import holder

from .audit import audit
from .chance import Chance, is_soak, tries
from .home import ANY_END, Home, remove, wait_until


def _remove_all(*paths: str) -> None:
    for path in paths:
        remove(path)


LOSSES: dict[str, Callable[[Home], None]] = {
    "socket": lambda vox: remove(vox.paths.socket_path),
    "PID file": lambda vox: remove(vox.paths.pid_path),
    "lock": lambda vox: remove(vox.paths.lock_path),
    "queue's lock": lambda vox: remove(vox.paths.consumer_lock_path),
    "lock and PID file": lambda vox: _remove_all(vox.paths.lock_path, vox.paths.pid_path),
    "runtime folder": lambda vox: remove(vox.paths.runtime_dir),
    "everything": lambda vox: _remove_all(vox.paths.runtime_dir, vox.paths.consumer_lock_path),
}


def is_whole(vox: Home) -> bool:
    """One daemon listens, has both locks, and the PID file names it."""
    pids = {process.pid for process in vox.daemons()}
    locks = (vox.paths.lock_path, vox.paths.consumer_lock_path)
    return len(pids) == 1 and pids == {*map(holder, locks)} == {vox.pid} and vox.client.is_up()


def until_whole(vox: Home) -> None:
    wait_until(lambda: is_whole(vox), "there is one daemon, with all of its files")


def start(vox: Home) -> int:
    """Start a daemon and wait until its queue runs; its PID."""
    vox.ok("daemon", "start")
    until_whole(vox)
    assert vox.pid is not None
    return vox.pid


def until_gone(*pids: int) -> None:
    """Until these processes have ended; a lock is free a moment before that."""
    wait_until(lambda: not any(map(_runs, pids)), f"{pids} end")


def _runs(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def take_place(vox: Home, old: int) -> int:
    """Have another daemon take the place of this one; its PID."""
    os.kill(old, signal.SIGSTOP)  # so that the other one surely comes first
    remove(vox.paths.runtime_dir)
    vox.ok("daemon", "start")
    os.kill(old, signal.SIGCONT)
    new: int = vox.health()["pid"]
    assert new != old
    return new


only_in_a_soak = pytest.mark.skipif(not is_soak(), reason="only in a soak: it takes long")


def test_what_goes_under_an_idle_daemon_is_there_again_and_it_is_the_same_daemon(
    vox: Home, chance: Chance, sound: object
) -> None:
    pid = start(vox)
    for name in chance.sample(sorted(LOSSES), tries(3, len(LOSSES))):
        LOSSES[name](vox)
        until_whole(vox)
        assert vox.pid == pid
        assert vox.post().is_accepted


def test_what_goes_at_any_time_while_jobs_run_costs_none(
    vox: Home, chance: Chance, sound: object
) -> None:
    vox.ok("daemon", "start")
    for _ in range(tries(3, 30)):
        vox.post("[say 0.3s]")
        call = vox.start_call("[say 0.1s]", *chance.choice([(), ("--async",)]))
        time.sleep(chance.pause_s(1.5))
        LOSSES[chance.choice(sorted(LOSSES))](vox)
        time.sleep(chance.pause_s(0.5))
        after = vox.say("[say 0.1s]")
        assert call.end() == 0, call.asked.error
        assert after.is_accepted, after.error
    vox.drain()
    until_whole(vox)
    audit(vox)


def test_many_calls_after_the_socket_went_leave_one_daemon(vox: Home, sound: object) -> None:
    pid = start(vox)
    playing = vox.post("[say 2s]")
    vox.until(playing.id or "", "speaking")
    remove(vox.paths.socket_path)
    calls = [vox.start_call("[say 0.05s]", "--async") for _ in range(tries(6, 40))]
    for call in calls:
        assert call.end() == 0, call.asked.error
    until_whole(vox)
    assert vox.pid == pid
    audit(vox)


def test_a_daemon_whose_place_was_taken_finishes_what_it_says_and_goes(
    vox: Home, sound: object
) -> None:
    old = start(vox)
    playing = vox.post("[say 0.5s] [until go] [say 0.1s]")
    vox.until(playing.id or "", "speaking")
    waiting = vox.start_call("[say 0.1s]")
    wait_until(lambda: len(vox.client.queue()) == 2, "both are accepted")
    new = take_place(vox, old)
    vox.ok("pause")
    (vox.home / "go").touch()
    wait_until(lambda: "superseded" in vox.log(), "the first one knows")
    first, second = (job["state"] for job in vox.client.queue())
    assert (first, second in ("queued", "preparing")) == ("speaking", True)
    vox.ok("resume")
    assert waiting.end() == 0, waiting.asked.error
    until_gone(old)
    until_whole(vox)
    assert vox.pid == new
    audit(vox)


@only_in_a_soak
def test_skip_reaches_a_daemon_whose_place_was_taken(vox: Home, sound: object) -> None:
    old = start(vox)
    playing = vox.post("[say 30s]", ends=ANY_END)
    vox.until(playing.id or "", "speaking")
    take_place(vox, old)
    assert vox.ok("skip") == f"{playing.id} skipped"
    until_gone(old)
    assert vox.job(playing.id or "")["state"] == "cancelled"
    audit(vox)


def test_a_daemon_without_a_socket_is_asked_as_soon_as_it_has_one(vox: Home, sound: object) -> None:
    pid = start(vox)
    playing = vox.post("[say 60s]", ends=ANY_END)
    vox.until(playing.id or "", "speaking")
    for command in ("status", "start"):
        remove(vox.paths.socket_path)
        assert f"PID {pid}" in vox.ok("daemon", command)
    remove(vox.paths.socket_path)
    vox.ok("pause")
    until_whole(vox)
    wait_until(lambda: vox.health()["queue"]["paused"], "it is paused")
    vox.ok("resume")
    remove(vox.paths.socket_path)
    assert vox.ok("skip") == f"{playing.id} skipped"
    assert vox.job(playing.id or "")["state"] == "cancelled"
    audit(vox)


# -- stop ------------------------------------------------------------------------------------------


def test_stop_ends_a_daemon_whose_files_went(vox: Home, chance: Chance, sound: object) -> None:
    for number in range(tries(2, 8)):
        now = ["--now"] if number % 2 else []
        pid = start(vox)
        LOSSES[chance.choice(sorted(LOSSES))](vox)
        assert vox.ok("daemon", "stop", *now) == "stopped"
        until_gone(pid)
        assert vox.ok("daemon", "stop", *now) == "not running"


@only_in_a_soak
def test_stop_now_ends_a_daemon_that_hangs_without_a_socket(vox: Home, sound: object) -> None:
    pid = start(vox)
    Path(vox.paths.pid_path).write_text("1\n0.0.1\n")
    os.kill(pid, signal.SIGSTOP)
    remove(vox.paths.socket_path)
    refused = vox("daemon", "stop")
    assert (refused.code, refused.out) == (3, "")
    note, error = refused.err.splitlines()
    assert "waiting" in note and f"PID {pid}" in error and "--now" in error
    assert vox.ok("daemon", "stop", "--now") == "stopped"
    until_gone(pid)
    assert not is_there(vox.paths)
    Path(vox.paths.pid_path).unlink(missing_ok=True)  # not its own any more


@only_in_a_soak
def test_stop_now_leaves_no_files_of_a_daemon_that_it_kills(vox: Home, sound: object) -> None:
    pid = start(vox)
    os.kill(pid, signal.SIGSTOP)
    hangs = threading.Event()

    def suspend() -> None:  # so that it never heeds the SIGTERM
        while not hangs.wait(0.001):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    suspending = threading.Thread(target=suspend)
    suspending.start()
    try:
        assert vox.ok("daemon", "stop", "--now") == "stopped"
    finally:
        hangs.set()
        suspending.join()
    until_gone(pid)
    for path in (vox.paths.socket_path, vox.paths.pid_path):
        assert not os.path.exists(path)


@only_in_a_soak
def test_stop_ends_both_when_one_has_taken_the_other_s_place(vox: Home, sound: object) -> None:
    old = start(vox)
    playing = vox.post("[say 60s]", ends=ANY_END)
    vox.until(playing.id or "", "speaking")
    new = take_place(vox, old)
    assert vox.ok("daemon", "stop", "--now") == "stopped"
    assert not is_there(vox.paths)
    until_gone(old, new)
    vox.ok("cancel", "--all")
    audit(vox)


def test_a_daemon_that_is_being_born_is_stopped(vox: Home, chance: Chance, sound: object) -> None:
    for number in range(tries(2, 10)):
        born = vox.popen("daemon", "start", stderr=subprocess.DEVNULL)
        wait_until(lambda: is_there(vox.paths), "it has the lock")
        time.sleep(chance.pause_s(1.0))
        assert vox.ok("daemon", "stop", *(["--now"] if number % 2 else [])) == "stopped"
        # It says 0 or 3: it listened before it left, or not.
        assert born.wait(60) in (0, 3)
        vox("daemon", "stop")
        wait_until(lambda: not vox.daemons(), "none is left")
        assert not os.path.exists(vox.paths.socket_path)
        assert not os.path.exists(vox.paths.pid_path)


@only_in_a_soak
def test_two_that_stop_at_once_both_tell_the_truth(vox: Home, sound: object) -> None:
    for options in ((), ("--now",)):
        pid = start(vox)
        stops = [vox.popen("daemon", "stop", *options) for _ in range(4)]
        told = {stop.communicate(timeout=60)[0].strip() for stop in stops}
        assert told <= {"stopped", "not running"} and "stopped" in told
        until_gone(pid)
        assert {stop.returncode for stop in stops} == {0}


# -- starters --------------------------------------------------------------------------------------


def test_a_storm_of_killed_starters_leaves_one_daemon_or_none(
    vox: Home, chance: Chance, sound: object
) -> None:
    ends = threading.Event()

    def kill() -> None:
        while not ends.wait(chance.pause_s(0.6)):
            for process in vox.daemons():
                if chance.random() < 0.5:
                    with contextlib.suppress(psutil.Error):
                        process.kill()

    killing = threading.Thread(target=kill)
    killing.start()
    try:
        for _ in range(tries(2, 10)):
            starters = [vox.popen("daemon", "start") for _ in range(4)]
            for starter in starters:
                out, err = starter.communicate(timeout=100)
                assert "Traceback" not in err and "NoDaemon" not in err, err
                assert starter.returncode in (0, 3), (out, err)
                assert err.count("\n") == (starter.returncode == 3), err
    finally:
        ends.set()
        killing.join()
    vox.ok("daemon", "start")
    until_whole(vox)
    audit(vox)
