"""Hosts that break their contract in every way we know, one after the other, under one daemon.

Each fault is a text or a model of the backend `tests/plugins/faulty`. Whatever the host does, its
job ends once, in time, with one clear line; the next job is spoken; nothing is left over.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.sound import SoundServer

from .audit import audit
from .chance import some
from .home import ANY_END, Asked, Home, wait_until

FAULTY_PLUGIN = Path(__file__).parent.parent / "plugins" / "faulty"
SETTINGS = """
first_chunk_timeout_s = 1
stall_timeout_s = 1
load_timeout_s = 4
"""
CASE_S = 30.0
"""Each is tried twice, and ended after a second or two."""
GROWTH_MB = 150
"""What the daemon may take more than before, for what is on its way and not yet taken."""


@dataclass(frozen=True)
class Fault:
    name: str
    error: str
    """The error's line has this; "": the host is to be borne, and the job is done."""

    @property
    def is_loading(self) -> bool:
        return self.name.startswith("load-")


FAULTS = [
    Fault("raises", r"ValueError: \\x1b]0;owned\\x07\\x1b\[2Jred and a second line"),
    Fault("raises-much", "ValueError: much much"),
    Fault("raises-no-memory", "MemoryError"),
    Fault("exits", "ended with status 0"),
    Fault("recurses", "RecursionError"),
    Fault("speaks-and-exits", "ended with status 0"),
    Fault("dies", "ended with status 7"),
    Fault("prints-and-dies", r"ended with status 3: and a second line\\x1b\[31mxxx"),
    Fault("prints-bytes-and-dies", "ended with status 4"),
    Fault("segfaults", "SIGSEGV"),
    Fault("stops", "produced no sound for 1 s"),
    Fault("dies-in-a-chunk", "SIGKILL"),
    Fault("hangs", "produced no sound for 1 s"),
    Fault("speaks-and-hangs", "stalled for 1 s"),
    Fault("ignores-signals", "produced no sound for 1 s"),
    Fault("endless", "does not stop: 3.. s of audio for .. characters"),
    Fault("wild-samples", ""),
    Fault("rate-of-zero", "chunk with sample_rate = '0'"),
    Fault("rate-below-zero", "chunk with sample_rate = '-24000'"),
    Fault("rate-nan", "chunk with sample_rate = 'nan'"),
    Fault("rate-of-words", "chunk with sample_rate = 'fast'"),
    Fault("rate-of-one", "sample rate of 1 Hz"),
    Fault("rate-huge", "sample rate of 1000000000 Hz"),
    Fault("rate-broken", r"sample rate of 24000\.5 Hz"),
    Fault("rate-changes", "sample rate of 1 Hz"),
    Fault("rate-changes-a-little", "from 24000 to 22050 Hz"),
    Fault("odd-bytes", "7 bytes of audio"),
    Fault("short-audio", "produced no sound for 1 s"),
    Fault("audio-without-end", "1000000000000 bytes of audio"),
    Fault("not-json", "not JSON"),
    Fault("nested", "not JSON"),
    Fault("a-list", "not an object"),
    Fault("huge-header", "a header of 4294967295 bytes"),
    Fault("prints-into-the-pipe", "which begins with b'Load'"),
    Fault("unknown-event", "unknown event 'surprise'"),
    Fault("no-event", "unknown event 'None'"),
    Fault("wrong-types", "end with cut_off = 'yes'"),
    Fault("wrong-memory", "end with rss_mb = 'much'"),
    Fault("error-without-words", "error with error = 'None'"),
    Fault("error-of-ours", "unknown error"),
    Fault("answers-nobody", "produced no sound for 1 s"),
    Fault("long-line", ""),
    Fault("many-lines", ""),
    Fault("prints", ""),
    Fault("leaves-a-child", "ended with status 5"),
    Fault("leaves-a-stranger", "ended with status 5"),
    Fault("closes-output", "it closed its output"),
    Fault("load-raises", r"RuntimeError: \\x1b]0;owned\\x07\\x1b\[2Jred and a second line"),
    Fault("load-exits", "ended with status 0"),
    Fault("load-dies", r"ended with status 3: and a second line\\x1b\[31mxxx"),
    Fault("load-no-memory", "MemoryError"),
    Fault("load-hangs", "did not load within 4 s"),
    Fault("load-closes-output", "it closed its output"),
    Fault("load-prints-into-the-pipe", "which begins with b'Fetc'"),
    Fault("load-wrong-types", "ready with device = '5'"),
    Fault("load-twice-ready", ""),
    Fault("load-wrong-progress", "progress with text = '5'"),
]


@pytest.fixture(scope="module")
def shared(sound_server: SoundServer) -> Iterator[Home]:
    """A home whose one daemon meets all the faults, with an audit when it has."""
    folder = tempfile.mkdtemp(prefix="vox-", dir="/tmp")
    home = Home(Path(folder), SETTINGS)
    home.environ["PYTHONPATH"] += f"{os.pathsep}{FAULTY_PLUGIN}"
    try:
        home.ok("daemon", "start")
        assert end_of(home, ask(home))["state"] == "done"
        threads = home.daemons()[0].num_threads()
        yield home
        # Those of the API's pool come as they are needed, and a host has two.
        assert home.daemons()[0].num_threads() < threads + 20, "each host leaves threads"
        audit(home)
    finally:
        home.end_everything()
        shutil.rmtree(folder, ignore_errors=True)


def ask(home: Home, script: str = "", **body: Any) -> Asked:
    return home.post(f"{script} [say 0.05s]", backend="faulty", **body)


def end_of(home: Home, asked: Asked) -> dict[str, Any]:
    assert asked.id is not None, asked.error
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(home.client.call("GET", f"/jobs/{asked.id}"))
        return found["exit_code"] is not None

    wait_until(has_ended, f"{asked.id} ends ({asked.text})", CASE_S)
    return found


def memory_mb(home: Home) -> float:
    (daemon,) = home.daemons()
    return float(daemon.memory_info().rss) / 1e6


def strangers(home: Home) -> set[int]:
    """Processes that are neither the daemon nor a host that it knows of."""
    known = {model["pid"] for model in home.health()["loaded_models"]}
    known |= {daemon.pid for daemon in home.daemons()}
    return {process.pid for process in home.processes()} - known


def end_children(home: Home) -> None:
    """End what a host left outside its process group, where nobody can find it."""
    with contextlib.suppress(FileNotFoundError):
        for line in (home.home / "children").read_text().split():
            with contextlib.suppress(psutil.Error):
                if (child := psutil.Process(int(line))).name() == "sleep":
                    child.kill()


@pytest.mark.parametrize("fault", some(FAULTS, 16), ids=lambda fault: fault.name)
def test_whatever_a_host_does_its_job_ends_with_a_reason_and_the_next_is_spoken(
    shared: Home, fault: Fault
) -> None:
    before_mb = memory_mb(shared)
    if fault.is_loading:
        asked = ask(shared, model=fault.name)
    else:
        asked = ask(shared, f"[fault {fault.name}]")
    asked.ends = ANY_END
    following = ask(shared)
    job = end_of(shared, asked)
    if fault.error:
        assert (job["state"], job["exit_code"]) == ("failed", 1)
        assert re.search(fault.error, job["error"]), job["error"]
        assert job["error"].isprintable() and len(job["error"]) < 3000
        assert "; " in job["error"], "what to do next is missing"
    else:
        assert job["state"] == "done", job["error"]
    assert end_of(shared, following)["state"] == "done"
    if fault.name == "leaves-a-stranger":
        end_children(shared)
    wait_until(lambda: not strangers(shared), f"{strangers(shared)} end", 5.0)
    assert memory_mb(shared) < before_mb + GROWTH_MB
    assert shared.health()["status"] == "ok"
    assert not re.search(r"^Exception in thread", shared.log(), re.MULTILINE)
