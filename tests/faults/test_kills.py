"""Daemon, hosts, callers and writers into the inbox are killed at random instants."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from tests.sound import Recorder

from .audit import audit
from .chance import Chance, tries
from .home import ANY_END, SCRIPTED, Call, Home, wait_until

IN_PLACE = """
import sys, time
with open(sys.argv[1], "ab", buffering=0) as file:
    for at in range(0, len(sys.argv[2]), 8):
        file.write(sys.argv[2][at : at + 8].encode())
        time.sleep(0.03)
"""
THEN_RENAMED = (
    IN_PLACE.replace("sys.argv[1],", "sys.argv[1] + '.part',")
    + "import os\nos.rename(sys.argv[1] + '.part', sys.argv[1])\n"
)


def some_jobs(vox: Home, chance: Chance, most: int) -> None:
    """Ask for some jobs, each in one of the ways there are."""
    for _ in range(chance.randint(1, most)):
        ask: Callable[..., object] = chance.choice([vox.say, vox.post, vox.drop])
        ask(script=f"[say {chance.uniform(0.05, 0.4):.2f}s]")


def test_a_daemon_killed_at_random_instants_loses_and_doubles_nothing(
    vox: Home, chance: Chance, recorder: Recorder
) -> None:
    for _ in range(tries(3, 12)):
        some_jobs(vox, chance, 3)
        time.sleep(chance.pause_s(1.5))
        vox.kill_daemons()
    audit(vox, recorder)


def test_a_daemon_killed_while_it_writes_files_leaves_whole_ones_or_none(
    vox: Home, chance: Chance
) -> None:
    for _ in range(tries(4, 20)):
        vox.ok("daemon", "start")
        for _ in range(chance.randint(1, 6)):
            vox.post(f"[say {chance.uniform(0.05, 20):.2f}s]", file=True)
        time.sleep(chance.pause_s(1.0))
        vox.kill_daemons()
    audit(vox)


def test_hosts_killed_at_random_instants_cost_at_most_their_own_jobs(
    vox: Home, chance: Chance, recorder: Recorder
) -> None:
    vox.ok("daemon", "start")
    for _ in range(tries(4, 15)):
        for _ in range(chance.randint(1, 3)):
            vox.post(f"[say {chance.uniform(0.05, 0.4):.2f}s]", model=chance.choice(["plain", "b"]))
        time.sleep(chance.pause_s(0.8))
        for host in vox.hosts():
            with contextlib.suppress(psutil.NoSuchProcess):
                host.kill()
        time.sleep(chance.pause_s(0.2))
    # Two deaths of its host fail a job, and a killed one may have been the second.
    for asked in vox.books.asked:
        asked.ends = frozenset({"done", "failed"})
    last = vox.post("[say 0.1s]")
    assert last.is_accepted, last.error
    audit(vox, recorder)


def test_callers_killed_at_random_instants_take_their_speech_with_them(
    vox: Home, chance: Chance, recorder: Recorder
) -> None:
    """Each would speak for half a minute: what its caller left behind would be waited for."""
    for _ in range(tries(4, 15)):
        if chance.random() < 0.4:
            vox.kill_daemons()
        calls = [vox.start_call("[say 30s]") for _ in range(chance.randint(1, 2))]
        time.sleep(chance.pause_s(3.0))
        for call in calls:
            call.kill()
            call.process.communicate()
        vox.drain(25.0)
    audit(vox, recorder)


def test_callers_that_get_a_signal_at_random_instants_end_with_their_jobs(
    vox: Home, chance: Chance, sound: object
) -> None:
    vox.ok("daemon", "start")
    calls: list[Call] = []
    for _ in range(tries(5, 20)):
        call = vox.start_call("[say 30s]")
        time.sleep(0.05 + chance.pause_s(1.5))
        call.asked.ends = ANY_END
        call.process.send_signal(chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
        calls.append(call)
        call.process.communicate(timeout=20)
        assert call.process.returncode != 0
    vox.drain(20.0)
    audit(vox)


def test_writers_killed_while_they_write_leave_nothing_that_is_spoken_twice_or_stuck(
    vox: Home, chance: Chance, sound: object
) -> None:
    vox.ok("daemon", "start")
    wait_until(vox.inbox.is_dir, "there is an inbox")
    for _ in range(tries(4, 20)):
        asked = vox.ask("[say 0.1s] " + "word " * 10)
        name = f"{asked.tag}.txt"
        is_renamed = chance.random() < 0.5
        program = THEN_RENAMED if is_renamed else IN_PLACE
        text = f"---\nbackend: scripted\n---\n{asked.text}"
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(vox.inbox / name), text], env=dict(os.environ)
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            writer.wait(chance.uniform(0.05, 0.7))
        was_killed = writer.poll() is None
        writer.kill()
        writer.wait()
        if not was_killed:
            asked.file_name, asked.is_accepted = name, True
        elif is_renamed:
            vox.damages.add(f"{name}.part")
            with contextlib.suppress(FileNotFoundError):
                (vox.inbox / f"{name}.part").rename(vox.home / f"{name}.part")
        else:
            # Half a file: it is spoken, or refused, as what it is.
            asked.ends = ANY_END
        if chance.random() < 0.4:
            vox.kill_daemons()
            vox.ok("daemon", "start")
    audit(vox)


def test_anything_at_any_time_loses_and_doubles_nothing(
    vox: Home, chance: Chance, recorder: Recorder
) -> None:
    """What users do and what befalls them, in any order."""
    calls: list[Call] = []

    def cancel() -> None:
        if vox.books.asked:
            asked = chance.choice(vox.books.asked)
            asked.ends = ANY_END
            vox("cancel", asked.id or "zzzzzz")

    def skip() -> None:
        for asked in vox.books.asked:
            asked.ends = frozenset({*asked.ends, "cancelled"})
        vox("skip")

    def kill_hosts() -> None:
        for host in vox.hosts():
            for asked in vox.books.asked:
                asked.ends = frozenset({*asked.ends, "failed"})
            with contextlib.suppress(psutil.NoSuchProcess):
                host.kill()

    def call() -> None:
        calls.append(vox.start_call(script="[say 0.2s]"))

    def stop() -> None:
        with vox.dying():
            vox("daemon", "stop", *chance.choice([(), ("--now",)]), timeout_s=60)

    for _ in range(tries(12, 40)):
        what = chance.choices(
            [lambda: some_jobs(vox, chance, 2), call, cancel, skip, kill_hosts, stop,
             vox.kill_daemons, lambda: vox("daemon", "start"), lambda: vox("pause"),
             lambda: vox("resume")],
            [6, 3, 1, 1, 1, 1, 2, 1, 1, 2],
        )[0]  # fmt: skip
        what()
        time.sleep(chance.pause_s(0.4))
    vox("resume")
    for one in calls:
        one.end()
    vox("resume")
    audit(vox, recorder)


def test_many_callers_at_once_start_one_daemon_however_often_it_is_killed(
    vox: Home, chance: Chance, sound: object
) -> None:
    for _ in range(tries(1, 5)):
        calls = [vox.start_call("[say 0.05s]") for _ in range(8)]
        time.sleep(chance.pause_s(1.5))
        vox.kill_daemons()
        for call in calls:
            assert call.end() == 0, call.asked.error
    assert vox(*SCRIPTED, "1").code == 0
    audit(vox)
