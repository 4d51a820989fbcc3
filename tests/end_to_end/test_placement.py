"""A backend that only a worker has: its jobs wait for one, hold up nobody, and are said once."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from tests.running import Vox
from tests.sound import Recorder
from tests.tones import read_timed_tones
from tests.workers import LEASE_S, Worker, wait_until

pytestmark = pytest.mark.slow

FAR = ("-b", "far")
ADAPTER = """
from dataclasses import replace
from scripted_backend import Scripted

class Far(Scripted):
    info = replace(Scripted.info, name="far", package="fartts")

class Quick(Scripted):
    info = replace(
        Far.info, name="quick", light=True, languages=("en", "ain"), asked_by_default="last"
    )

    @classmethod
    def voices(cls, settings):
        return [replace(each, backend="quick") for each in super().voices(settings)]
"""


class Distance:
    """The user's machine knows the backends `far` and `quick`; the worker, which is not started,
    has them."""

    def __init__(self, vox: Vox, server: RedisServer, folder: Path) -> None:
        self.vox = vox
        plugin, package = folder / "plugin", folder / "package"
        record = plugin / "vox_far-1.0.dist-info"
        record.mkdir(parents=True)
        package.mkdir()
        (plugin / "far_backend.py").write_text(ADAPTER)
        (record / "METADATA").write_text("Metadata-Version: 2.1\nName: vox-far\nVersion: 1.0\n")
        (record / "entry_points.txt").write_text(
            "[vox.backends]\nfar = far_backend:Far\nquick = far_backend:Quick\n"
        )
        (package / "fartts.py").touch()
        vox.environ["PYTHONPATH"] += f"{os.pathsep}{plugin}"
        lines = {"workers": f'"{server.url}"', "lease_s": LEASE_S, "cache_mb": 0}
        vox.home.joinpath("config.toml").write_text(
            "".join(f"{name} = {value}\n" for name, value in lines.items())
        )
        self.package = package
        self.worker = Worker("gpu1", server.url, vox.home, "--backends", "far,quick")
        self.worker.environ["PYTHONPATH"] += f"{os.pathsep}{plugin}{os.pathsep}{package}"

    def phase(self, job_id: str) -> str:
        rows = self.vox.ok("queue").splitlines()
        return next(row for row in rows if job_id in row)

    def until_waiting(self, job_id: str) -> None:
        wait_until(lambda: "waiting for a worker" in self.phase(job_id), "it waits for a worker")


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    made = RedisServer()
    yield made
    made.close()


@pytest.fixture
def far(vox: Vox, server: RedisServer, tmp_path: Path) -> Iterator[Distance]:
    with server.client() as client:
        client.flushall()
    made = Distance(vox, server, tmp_path / "far")
    yield made
    made.worker.close()
    shutil.rmtree(tmp_path / "far")


def test_a_job_waits_for_a_worker_and_goes_on_where_it_was_when_another_comes(
    far: Distance, recorder: Recorder
) -> None:
    vox = far.vox
    job = vox.ok(*FAR, "--async", "1 [say 0.3s]. 2 [say 0.3s]. 3 [until back] [say 0.3s].")
    far.until_waiting(job)
    vox.ok("-b", "scripted", "9 [say 0.3s]")
    far.worker.start()
    wait_until(lambda: vox.job(job)["heard"] == 2, "two sentences are heard")
    far.worker.kill()
    far.until_waiting(job)
    (vox.home / "back").touch()
    far.worker.start()
    assert vox("wait", job).code == 0
    recording = recorder.stop()
    tones = read_timed_tones(recording.samples, recording.sample_rate)
    # On a busy machine the sound server may let a tone break off for a moment.
    assert [number for number, _ in itertools.groupby(tone.number for tone in tones)] == [
        9,
        1,
        2,
        3,
    ]
    assert sum(tone.end_s - tone.start_s for tone in tones) < 4 * 0.3 + 0.1
    found = vox.job(job)
    assert (found["made_on"], found["heard"], found["attempts"]) == ("gpu1", 3, 0)


def test_calls_for_it_are_as_for_any_backend(far: Distance) -> None:
    vox = far.vox
    path = vox.home / "x.wav"
    vox.ok("daemon", "start")
    waiting = vox.popen(*FAR, "-o", str(path), "1 [say 0.2s]")
    wait_until(vox.jobs, "it is in the queue")
    (job,) = vox.jobs()
    far.until_waiting(job["id"])
    late = vox(*FAR, "--timeout", "3", "2 [say 0.2s]")
    assert late.code == 7
    assert vox("cancel", "last").code == 0
    refused = vox("daemon", "warm", "far")
    assert refused.code == 1 and "no worker serves far" in refused.err
    far.worker.start()
    _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 0 and path.exists()
    assert "waiting for a worker: no worker serves far" in waiting.waited_for + err
    assert "far is loaded: on a worker" in vox.ok("daemon", "warm", "far")
    assert "drei" in vox.ok("voices", "-b", "far")
    vox.ok("config", "unset", "workers")
    missing = vox(*FAR, "3")
    assert missing.code == 4 and "far is not installed" in missing.err


def test_a_light_backend_that_workers_are_to_speak_for_is_left_to_the_daemon(
    far: Distance, sound: object
) -> None:
    vox = far.vox

    def made_on(*args: str) -> str | None:
        assert vox(*args).code == 0, vox.log()
        name: str | None = vox.jobs()[-1]["made_on"]
        return name

    def state() -> str:
        rows = [row.split("\t") for row in vox.ok("backends").splitlines()]
        return next(row[1] for row in rows if row[0] == "quick")

    def marks() -> set[str]:
        return {row.split("\t")[4] for row in vox.ok("voices", "-b", "quick").splitlines()}

    assert state() == "not installed"
    assert any("not installed" in each for each in marks())
    far.worker.start()
    wait_until(lambda: state() == "on workers", "it is served")
    assert all("on workers" in each for each in marks())
    assert vox.pid is None
    assert made_on("-b", "quick", "1 [say 0.1s]") == "gpu1"
    assert vox.pid is not None
    assert state() == "on workers" and all("on workers" in each for each in marks())
    vox.ok("daemon", "stop")
    vox.ok("config", "set", "lang", "ain")
    assert "OK    backend: quick speaks on workers alone" in vox("doctor").out
    vox.ok("config", "unset", "lang")
    assert made_on("-l", "ain", "1 [say 0.1s]") == "gpu1"  # nothing else speaks it
    vox.ok("daemon", "stop")
    vox.environ["PYTHONPATH"] += f"{os.pathsep}{far.package}"  # it is installed here as well
    assert made_on("-b", "quick", "2 [say 0.1s]") is None
    assert vox.pid is None and state() == "ready"
    vox.ok("config", "set", "placement", "remote")
    assert made_on("-b", "quick", "--async", "3 [say 0.1s]") is None
    assert vox("wait", "last").code == 0
    assert vox.jobs()[-1]["made_on"] == "gpu1"
