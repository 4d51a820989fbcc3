"""One host, for real: streaming, cancel, time limits, death, and what libraries print."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from vox.backends.base import Settings, Utterance
from vox.bootstrap import bootstrap_args
from vox.errors import HostCrashed, HostTimeout, LoadFailed, OutOfMemory, SynthesisFailed
from vox.hosts.handle import Handle, Limits
from vox.hosts.launch import HOST_MODULE

from .conftest import SCRIPTED, StartHost


def say(host: Handle, text: str) -> int:
    """Synthesize to the end; how many samples came."""
    return sum(len(chunk.samples) for chunk in host.synthesize(Utterance(text)))


def test_a_loaded_host_speaks_again_without_loading(start: StartHost, scripted_dir: Path) -> None:
    host = start()
    host.load()
    assert (host.state, host.device) == ("idle", "cpu")
    assert say(host, "[say 1s]") == 24_000
    assert say(host, "[say 0.5s]") == 12_000
    assert len((scripted_dir / "loads").read_text().splitlines()) == 1
    assert (host.rss_mb or 0) > 1


def test_chunks_are_float32_and_come_while_the_host_still_works(
    start: StartHost, scripted_dir: Path
) -> None:
    host = start()
    host.load()
    chunks = host.synthesize(Utterance("[say 0.1s] [until go] [say 0.1s]"))
    first = next(chunks)
    assert first.samples.dtype == np.float32 and first.samples.ndim == 1
    assert first.sample_rate == 24_000
    (scripted_dir / "go").touch()
    assert len(list(chunks)) >= 2


def test_what_a_library_prints_does_not_corrupt_the_protocol(start: StartHost) -> None:
    host = start()
    host.load()
    assert say(host, "[noise] [say 0.2s] [noise]") == 4_800


def test_closing_early_stops_the_host_which_stays_warm(
    start: StartHost, scripted_dir: Path
) -> None:
    host = start()
    host.load()
    chunks = host.synthesize(Utterance("[slow 0.01] [say 600s]"))
    next(chunks)
    chunks.close()
    assert host.state == "idle"
    assert say(host, "[say 0.1s]") == 2_400
    assert len((scripted_dir / "loads").read_text().splitlines()) == 1


def test_cancel_from_another_thread_ends_the_synthesis(start: StartHost) -> None:
    host = start()
    host.load()
    got = 0
    for chunk in host.synthesize(Utterance("[slow 0.01] [say 600s]")):
        got += len(chunk.samples)
        host.cancel()
    assert got < 600 * 24_000
    assert host.is_alive


def test_a_host_that_does_not_stop_when_cancelled_is_killed(start: StartHost) -> None:
    host = start(cancel_s=0.2)
    host.load()
    # One chunk, so that the host is past its last look at what is cancelled when it hangs.
    chunks = host.synthesize(Utterance("[say 0.05s] [hang]"))
    next(chunks)
    threading.Thread(target=host.cancel).start()
    with pytest.raises(HostCrashed, match="SIGKILL"):
        list(chunks)
    assert not host.is_alive


def test_a_hung_synthesis_is_ended_by_the_stall_limit(start: StartHost) -> None:
    host = start(stall_s=0.3)
    host.load()
    with pytest.raises(HostTimeout, match=r"stalled for 0\.3 s"):
        say(host, "[say 0.1s] [hang]")
    assert not host.is_alive


def test_a_host_that_gives_no_first_chunk_is_ended(start: StartHost) -> None:
    host = start(first_chunk_s=0.3)
    host.load()
    with pytest.raises(HostTimeout, match="produced no sound"):
        say(host, "[hang]")


def test_a_model_that_does_not_load_in_time_is_ended(start: StartHost) -> None:
    host = start("load-until:never", load_s=0.5)
    with pytest.raises(HostTimeout, match=r"did not load within 0\.5 s"):
        host.load()
    assert not host.is_alive


def needing(weights: str) -> Utterance:
    """A request that needs these further weights of the scripted backend."""
    return Utterance("", style=weights)


def loads(scripted_dir: Path) -> list[str]:
    return [line.split()[1] for line in (scripted_dir / "loads").read_text().splitlines()]


def test_a_host_started_for_a_request_loads_what_that_needs_alone(
    start: StartHost, scripted_dir: Path
) -> None:
    host = start()
    host.load(needing("load-slow:0"))
    assert (loads(scripted_dir), host.model) == (["load-slow:0"], "load-slow:0")


def test_what_a_further_request_needs_is_loaded_once_with_progress(
    start: StartHost, scripted_dir: Path
) -> None:
    host, steps = start(), list[str]()
    host.load()
    first_s = host.load_s or 0.0
    for _ in range(3):
        host.load(needing("load-slow:0"), lambda text, _fraction: steps.append(text))
    assert loads(scripted_dir) == ["plain", "load-slow:0"]
    assert steps == ["loading load-slow:0"]
    assert (host.state, host.model) == ("idle", "plain, load-slow:0")
    assert (host.load_s or 0.0) >= first_s
    assert say(host, "[say 0.1s]") == 2_400


def test_further_weights_may_take_as_long_as_the_first(start: StartHost) -> None:
    host = start(first_chunk_s=1.0, stall_s=0.1)
    host.load()
    host.load(needing("load-slow:1.2"))
    assert host.is_alive


def test_a_warm_host_that_hangs_before_a_request_is_ended_and_may_be_replaced(
    start: StartHost,
) -> None:
    host = start(first_chunk_s=0.3)
    host.load()
    os.kill(host.pid, signal.SIGSTOP)
    with pytest.raises(HostCrashed, match=r"did not answer within 0\.3 s"):
        host.load()
    assert not host.is_alive


def test_a_cancel_does_not_wait_for_a_warm_host_that_hangs_before_a_request(
    start: StartHost,
) -> None:
    host = start()
    host.load()
    os.kill(host.pid, signal.SIGSTOP)
    timer = threading.Timer(0.1, host.cancel)
    timer.start()
    with pytest.raises(HostCrashed):
        host.load()
    timer.join()
    assert not host.is_alive


def test_a_cancel_ends_no_first_load(start: StartHost) -> None:
    host = start(cancel_s=0.1)
    timer = threading.Timer(0.05, host.cancel)
    timer.start()
    host.load(needing("load-slow:0.5"))
    timer.join()
    assert host.is_alive and say(host, "[say 0.1s]") == 2_400


def test_further_weights_that_do_not_load_in_time_end_the_host(start: StartHost) -> None:
    host = start()
    host.load()
    host.limits = Limits(load_s=0.3)
    with pytest.raises(HostTimeout, match=r"did not load within 0\.3 s"):
        host.load(needing("load-until:never"))
    assert not host.is_alive


def test_further_weights_that_fail_to_load_leave_the_host_warm(start: StartHost) -> None:
    host = start()
    host.load()
    with pytest.raises(LoadFailed, match="does not load"):
        host.load(needing("load-fail"))
    assert (host.state, host.model) == ("idle", "plain")
    assert say(host, "[say 0.1s]") == 2_400


@pytest.mark.parametrize(
    ("weights", "error"), [("load-oom", OutOfMemory), ("load-crash", HostCrashed)]
)
def test_further_weights_that_end_a_host_or_fill_the_memory_leave_it_dead(
    start: StartHost, weights: str, error: type[Exception]
) -> None:
    host = start()
    host.load()
    with pytest.raises(error):
        host.load(needing(weights))
    assert not host.is_alive


def test_notes_of_further_weights_are_told_once(start: StartHost) -> None:
    host = start("load-note:first")
    host.load()
    assert host.take_notes() == ["first"]
    for _ in range(2):
        host.load(needing("load-note:second"))
    assert host.take_notes() == ["second"]
    host.load(needing("load-note:second"))
    assert host.take_notes() == []


def test_a_crash_is_told_with_the_last_line_that_the_host_printed(start: StartHost) -> None:
    host = start()
    host.load()
    with pytest.raises(HostCrashed, match="status 3: scripted: something terrible happened"):
        say(host, "[say 0.1s] [crash]")


def test_a_host_killed_from_outside_is_told_as_such(start: StartHost) -> None:
    host = start()
    host.load()
    chunks = host.synthesize(Utterance("[slow 0.01] [say 600s]"))
    next(chunks)
    os.kill(host.pid, signal.SIGKILL)
    with pytest.raises(HostCrashed, match="killed by SIGKILL"):
        list(chunks)


def test_a_host_killed_because_memory_ran_out_is_told_as_such(
    scripted_dir: Path, settings: Settings
) -> None:
    kills = iter([7, 8])
    command = [sys.executable, *bootstrap_args(HOST_MODULE)]
    host = Handle("scripted", command, SCRIPTED, settings, oom_kills=lambda: next(kills))
    threading.Timer(0.0, os.kill, (host.pid, signal.SIGKILL)).start()
    with pytest.raises(OutOfMemory, match="memory ran out"):
        host.load()


def test_a_synthesis_that_fails_leaves_the_host_warm(start: StartHost) -> None:
    host = start()
    host.load()
    with pytest.raises(SynthesisFailed, match="no such phoneme"):
        say(host, "[fail no such phoneme]")
    assert say(host, "[say 0.1s]") == 2_400


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        ("load-fail", LoadFailed, "does not load"),
        ("load-oom", OutOfMemory, "does not fit"),
        ("load-crash", HostCrashed, "something terrible"),
    ],
)
def test_failures_to_load_keep_their_kind_and_reason(
    start: StartHost, model: str, error: type[Exception], match: str
) -> None:
    host = start(model)
    with pytest.raises(error, match=match):
        host.load()
    assert not host.is_alive


def test_killing_gives_the_memory_back_and_leaves_no_process(start: StartHost) -> None:
    host = start()
    host.load()
    process = psutil.Process(host.pid)
    host.kill()
    assert not process.is_running()


def test_a_host_ends_by_itself_when_its_daemon_is_killed(scripted_dir: Path) -> None:
    code = (
        "import os, sys\n"
        "from vox.backends.base import Settings, Utterance\n"
        "from vox.bootstrap import bootstrap_args\n"
        "from vox.hosts.handle import Handle\n"
        "host = Handle('scripted', [sys.executable, *bootstrap_args('vox.hosts.host')],\n"
        "    'scripted_backend:Scripted', Settings('v', 'e'))\n"
        "host.load()\n"
        "chunks = host.synthesize(Utterance('[slow 0.01] [say 600s]'))\n"
        "next(chunks)\n"
        "print(host.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    daemon = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    host_pid = int(daemon.stdout)
    deadline = time.monotonic() + 20
    while psutil.pid_exists(host_pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not psutil.pid_exists(host_pid)


def test_the_threads_of_a_host_sleep_while_they_wait_unless_the_user_says_otherwise(
    start: StartHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def policy() -> str:
        process = psutil.Process(start().pid)
        while not (environ := process.environ()):  # it is none while a program begins
            time.sleep(0.01)
        return environ["OMP_WAIT_POLICY"]

    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert policy() == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert policy() == "ACTIVE"


def test_idleness_is_counted_from_the_last_use(start: StartHost) -> None:
    host = start()
    host.load()
    chunks = host.synthesize(Utterance("[say 0.1s]"))
    next(chunks)
    assert host.idle_s == 0.0
    list(chunks)
    before = host.idle_s
    assert host.idle_s >= before >= 0.0
