"""Speech that workers on other machines make, while they, the server and the network fail."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.redis_server import RedisServer
from tests.running import Vox
from tests.sound import read_audio
from tests.workers import LEASE_S, Crew, crew, wait_until

SCRIPTED = ("-b", "scripted")
COUNT = 8
TEXT = " ".join(f"{number} [slow 0.1] [say 0.2s]." for number in range(1, COUNT + 1))
"""Each utterance takes 0.4 s."""


def settings(url: str, **more: str) -> str:
    lines = {"workers": f'"{url}"', "placement": '"remote"', "lease_s": f"{LEASE_S}", **more}
    return "cache_mb = 0\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())


class Fleet:
    """A user's machine, two workers, and the server that they meet at."""

    def __init__(self, vox: Vox, server: RedisServer, crew: Crew) -> None:
        self.vox = vox
        self.server = server
        self.crew = crew
        self._count = 0

    def write(self, text: str, *options: str) -> tuple[str, Path]:
        """Have a file made of the text: the job's id, and the file that there will be."""
        self._count += 1
        path = self.vox.home / f"out-{self._count}.wav"
        return self.vox.ok(*SCRIPTED, "--async", "-o", str(path), *options, text), path

    def until_made(self, job_id: str, count: int) -> None:
        """Until so many of a file's utterances are made."""
        wait_until(lambda: self.job(job_id)["heard"] >= count, f"{count} of {job_id}")

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.vox.client.call("GET", f"/jobs/{job_id}")
        return found

    def outcome(self, job_id: str) -> dict[str, Any]:
        assert self.vox("wait", job_id).code is not None
        return self.job(job_id)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    made = RedisServer()
    yield made
    made.close()


@pytest.fixture(scope="module")
def fleet(server: RedisServer) -> Iterator[Fleet]:
    """Shared by the tests after which all is as it was."""
    home = Path(tempfile.mkdtemp(prefix="vox-", dir="/tmp"))
    vox = Vox(home)
    vox.environ |= {"VOX_HOME": str(home)}
    (home / "config.toml").write_text(settings(server.url))
    try:
        with crew(server, home) as workers:
            vox.ok("daemon", "start")
            workers.add("anna", "bert")
            yield Fleet(vox, server, workers)
    finally:
        vox.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module")
def reference(fleet: Fleet) -> Path:
    """The text, made on the user's machine."""
    fleet.vox.ok("config", "set", "placement", "local")
    job_id, path = fleet.write(TEXT)
    assert fleet.outcome(job_id)["made_on"] is None
    fleet.vox.ok("config", "set", "placement", "remote")
    return path


def is_same(path: Path, reference: Path) -> bool:
    return np.array_equal(read_audio(path).samples, read_audio(reference).samples)


def kill(server: RedisServer) -> None:
    server.kill()
    time.sleep(0.5)
    server.start()


def freeze(server: RedisServer) -> None:
    """For longer than a lease lasts, and than a call may take."""
    server.freeze()
    time.sleep(4.0)
    server.thaw()


def flush(server: RedisServer) -> None:
    with server.client() as client:
        client.flushall()


def several(server: RedisServer) -> None:
    for outage in (flush, kill, kill, flush, kill):
        outage(server)
        time.sleep(0.3)


@pytest.mark.parametrize("outage", [kill, freeze, flush, several])
def test_a_job_outlives_what_happens_to_the_redis_server(
    fleet: Fleet, reference: Path, outage: Callable[[RedisServer], None]
) -> None:
    job_id, path = fleet.write(TEXT)
    fleet.until_made(job_id, 2)
    outage(fleet.server)
    job = fleet.outcome(job_id)
    assert (job["state"], job["error"]) == ("done", None)
    assert is_same(path, reference)
