"""`vox worker` in processes of the tests' own, with the scripted backend."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import redis

from tests.redis_server import RedisServer
from tests.running import CHECKOUT, SCRIPTED_PLUGIN
from vox.fleet import keys

LEASE_S = 1.0
"""The least there is: tests wait for it to run out."""
TIMEOUT_S = 60.0


def wait_until(is_true: Callable[[], object], what: str, timeout_s: float = TIMEOUT_S) -> None:
    """Wait for something that nothing announces."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.02)


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

    def terminate(self) -> None:
        """Tell it to leave."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Its exit status, once it has ended."""
        assert self.process is not None
        return self.process.wait(timeout_s)

    def close(self) -> None:
        hosts = self.hosts() if self.process and self.process.poll() is None else []
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

    def add(
        self, *names: str, url: str | None = None, options: tuple[str, ...] = ()
    ) -> list[Worker]:
        """Start workers of these names, and wait until they have announced themselves."""
        added = [
            Worker(name, url or self.server.url, self._scripted_dir, *options) for name in names
        ]
        self.workers += added
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

    def leased(self) -> int:
        """How many requests workers are at."""
        with self.server.client() as client:
            return int(client.zcard(keys.LEASES))

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
