"""`vox worker` in processes of the tests' own, with the scripted backend."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import redis

from tests.redis_server import RedisServer
from tests.running import CHECKOUT, SCRIPTED_PLUGIN, Vox
from vox.fleet import keys
from vox.fleet.requests import Request
from vox.fleet.server import Server
from vox.fleet.storage import FleetQueue, Lane
from vox.fleet.workers import Announced, Workers
from vox.redis_url import parse

LEASE_S = 1.0
"""The least there is: tests wait for it to run out."""
TIMEOUT_S = 60.0


def wait_until(is_true: Callable[[], object], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Wait for something that nothing announces."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)


def wav(seconds: float, claimed: int | None = None) -> bytes:
    """A recording of noise. `claimed`: the bytes of sound that its header tells."""
    file = BytesIO()
    with wave.open(file, "wb") as made:
        made.setparams((1, 2, 24_000, 0, "NONE", ""))
        made.writeframes(os.urandom(2 * round(24_000 * seconds)))
    data = bytearray(file.getvalue())
    if claimed is not None:
        data[40:44] = claimed.to_bytes(4, "little")
    return bytes(data)


class Worker:
    """One `vox worker`, which may be killed and started again."""

    def __init__(
        self, name: str, url: str, scripted_dir: Path, *options: str, lease_s: float = LEASE_S
    ) -> None:
        """`scripted_dir`: where the scripted backend has its files."""
        self.name = name
        self.home = Path(tempfile.mkdtemp(prefix="worker-", dir="/tmp"))
        (self.home / "config.toml").write_text(f"lease_s = {lease_s}\n")
        self._command = [
            sys.executable, "-m", "vox", "worker", url, "--name", name,
            "--backends", "scripted", *options,
        ]  # fmt: skip
        self.environ = {
            "VOX_HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home),
            "SCRIPTED_DIR": str(scripted_dir),
            "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(SCRIPTED_PLUGIN)]),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                env={**os.environ, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @property
    def log(self) -> str:
        return (self.home / "log").read_text()

    def hosts(self) -> list[psutil.Process]:
        assert self.process is not None
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def kill(self) -> None:
        """kill -9, and it is gone. Its hosts end by themselves."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def send(self, signum: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(signum)

    def terminate(self) -> None:
        """Tell it to leave."""
        self.send(signal.SIGTERM)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Its exit status, once it has ended."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def close(self) -> None:
        hosts = self.hosts() if not self.has_ended else []
        self.kill()
        for host in hosts:
            with contextlib.suppress(psutil.Error):
                host.kill()
        shutil.rmtree(self.home, ignore_errors=True)


class Crew:
    """The workers of a test, at one server. Ended with the block."""

    def __init__(self, server: RedisServer, scripted_dir: Path) -> None:
        self.server = server
        self._scripted_dir = scripted_dir
        self.workers: list[Worker] = []

    def make(self, name: str, url: str | None = None, options: tuple[str, ...] = ()) -> Worker:
        """A worker that is not started yet."""
        made = Worker(name, url or self.server.url, self._scripted_dir, *options)
        self.workers.append(made)
        return made

    def add(self, *names: str, url: str | None = None) -> list[Worker]:
        """Start workers of these names, and wait until they have announced themselves."""
        added = [self.make(name, url) for name in names]
        for worker in added:
            worker.start()
        self.wait_announced(*names)
        return added

    def announced(self) -> set[str]:
        """The names of the workers that are there, as the server has it."""
        with contextlib.suppress(redis.RedisError), self.server.client() as client:
            found = client.zrange(keys.WORKERS, 0, -1)
            there = [each.decode() for each in found if client.exists(keys.worker(each.decode()))]
            return {each.partition("#")[0] for each in there}
        return set()

    def wait_announced(self, *names: str) -> None:
        def are_there() -> bool:
            for worker in self.workers:
                if worker.name in names and worker.process:
                    assert worker.process.poll() is None, worker.log
            return self.announced().issuperset(names)

        wait_until(are_there, f"{names} are announced")

    def wait_gone(self, *names: str) -> None:
        wait_until(lambda: not self.announced() & set(names), f"{names} are gone")

    def at_work(self) -> set[str]:
        """The names of the workers that are at a request, as the server has it."""
        with contextlib.suppress(redis.RedisError), self.server.client() as client:
            ids = [each.decode() for each in client.zrange(keys.LEASES, 0, -1)]
            found = [client.hget(keys.task(each), "worker") for each in ids]
            return {each.decode().partition("#")[0] for each in found if each}
        return set()

    def wait_at_work(self, count: int = 1) -> list[Worker]:
        """The workers that are at a request, once they are so many."""
        found: set[str] = set()

        def are_there() -> bool:
            found.clear()
            found.update(self.at_work())
            return len(found) >= count

        wait_until(are_there, f"{count} make something")
        return [worker for worker in self.workers if worker.name in found]

    def sessions(self) -> list[str]:
        """Whose requests are at work, as the server has it."""
        with self.server.client() as client:
            ids = [each.decode() for each in client.zrange(keys.LEASES, 0, -1)]
        return [each.partition(":")[0] for each in ids]

    def remove(self, worker: Worker) -> None:
        worker.close()
        self.workers.remove(worker)

    def close(self) -> None:
        for worker in self.workers:
            worker.close()


@contextlib.contextmanager
def crew(server: RedisServer, scripted_dir: Path) -> Iterator[Crew]:
    made = Crew(server, scripted_dir)
    try:
        yield made
    finally:
        made.close()


def settings(url: str, **more: str) -> str:
    """Of a machine whose speech workers make, all of it."""
    lines = {"workers": f'"{url}"', "placement": '"remote"', "lease_s": f"{LEASE_S}", **more}
    return "cache_mb = 0\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())


class Fleet:
    """A user's machine, two workers, and the server that they meet at."""

    def __init__(self, vox: Vox, server: RedisServer, crew: Crew) -> None:
        self.vox = vox
        self.server = server
        self.crew = crew
        self._count = 0
        self.set()

    def set(self, **more: str) -> None:
        """Change the machine's settings."""
        part = self.vox.home / "config.new"
        part.write_text(settings(self.server.url, **more))
        part.rename(self.vox.home / "config.toml")

    def write(self, text: str) -> tuple[str, Path]:
        """Have a file made of the text: the job's id, and the file that there will be."""
        self._count += 1
        path = self.vox.home / f"out-{self._count}.wav"
        body = {"text": text, "backend": "scripted", "output": str(path), "async": True}
        job_id: str = self.vox.client.call("POST", "/speak", body)["id"]
        return job_id, path

    def until_made(self, job_id: str, count: int) -> None:
        """Until so many of a file's utterances are made."""
        wait_until(lambda: self.job(job_id)["heard"] >= count, f"{count} of {job_id}")

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.vox.client.call("GET", f"/jobs/{job_id}")
        return found

    def outcome(self, job_id: str) -> dict[str, Any]:
        """The job, once it has ended."""
        wait_until(lambda: self.job(job_id)["exit_code"] is not None, f"{job_id} ends")
        return self.job(job_id)


class Entry(NamedTuple):
    header: str
    pcm: bytes = b""
    seq: int = 0
    """After what the claim told."""


Nonsense = Iterable[Entry]
SOUND = b"\0" * 4800


def chunk(pcm: bytes = SOUND, seq: int = 0, sample_rate: str = "24000") -> Entry:
    return Entry(f'{{"event": "chunk", "sample_rate": {sample_rate}}}', pcm, seq)


def nonsense() -> list[Nonsense]:
    """One answer of each kind."""
    return [
        [Entry("{")],
        [Entry("[" * 10_000)],
        [Entry("[]")],
        [Entry('{"event": "surprise"}')],
        [Entry('{"event": {}}')],
        [Entry(" " * 100_000 + "{}")],
        [chunk(b"\0" * 7)],
        [chunk(b"")],
        [chunk(b"\0" * 2**20)],
        [chunk(sample_rate="NaN")],
        [chunk(sample_rate="1e999")],
        [chunk(sample_rate="-24000")],
        [chunk(sample_rate="10000000000")],
        [chunk(seq=0), chunk(seq=2)],
        [
            chunk(seq=0),
            Entry('{"event": "end", "worker": "rogue", "cut_off": 1, "notes": []}', seq=1),
        ],
        [Entry('{"event": "end", "worker": "rogue", "cut_off": false, "notes": 5}')],
        [Entry('{"event": "end", "worker": "rogue", "cut_off": false, "notes": []}', SOUND)],
        [Entry('{"event": "error", "worker": "rogue", "error": 5}')],
        [Entry('{"event": "error", "worker": "rogue", "error": {}}')],
        [Entry('{"event": "error", "worker": "rogue", "error": {"code": "done", "message": []}}')],
        # Sound without end, half a second at a time.
        (chunk(10 * SOUND, seq) for seq in itertools.count()),
    ]


class Rogue:
    """A worker that claims requests, and answers nonsense."""

    NAME = "rogue"

    def __init__(self, url: str, answers: Iterable[Nonsense]) -> None:
        self._server = Server(parse(url), lambda: None)
        self._id = f"{self.NAME}#1"
        self._answers = list(answers)
        self._queue = FleetQueue(
            self._server,
            self._serve,
            worker_id=self._id,
            lease_s=LEASE_S,
            lanes=lambda: [Lane("scripted")] if self._answers else [],
        )
        lanes = ("scripted",)
        announced = Announced(self._id, self.NAME, keys.PROTOCOL, lanes=lanes, warm=lanes)
        Workers(self._server).announce(announced, 600.0)
        self._queue.start(1)

    @property
    def is_through(self) -> bool:
        """It has answered all that it was to answer, and takes nothing more."""
        return not self._answers

    def _serve(self, request: Request) -> None:
        for entry in self._answers.pop(0):
            is_wanted = self._server.run(
                "append",
                [keys.task(request.id), keys.LEASES],
                [
                    request.id, self._id, round(1000 * LEASE_S), entry.header, entry.pcm,
                    1 + entry.seq, 1024, 60_000, 0, keys.message(request.id),
                ],
            )  # fmt: skip
            if not is_wanted:
                return

    def close(self) -> None:
        self._queue.stop()
        Workers(self._server).leave(self._id)
        self._server.close()
