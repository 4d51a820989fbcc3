"""A real daemon whose backend is the scripted one, and how to talk to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.api.fakes import FakeContext
from tests.running import CHECKOUT, SCRIPTED_PLUGIN
from tests.sound import SoundServer
from vox.client.http import SseEvent
from vox.client.spawn import spawn_daemon
from vox.paths import Paths, get_paths
from vox.tokens import ensure_token

TIMEOUT_S = 60.0


@dataclass
class RunningDaemon:
    """A daemon that is up. `http` talks to it over its control socket, `tcp` over TCP."""

    paths: Paths
    home: Path
    port: int
    http: httpx.Client
    tcp: httpx.Client
    token: str

    @property
    def pid(self) -> int:
        return int(Path(self.paths.pid_path).read_text().split()[0])

    def speak(self, text: str, **more: Any) -> dict[str, Any]:
        """Submit a job that is to be written, not heard; it is accepted when this returns."""
        body = {"text": text, "async": True, "output": str(self.home / "out.wav"), **more}
        answer = self.http.post("/speak", json=body)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/jobs/{job_id}").json()
        return found

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended."""
        with self.events(f"/jobs/{job_id}/events") as events:
            for event in events:
                if event.data.get("exit_code") is not None:
                    return event.data
        raise AssertionError(f"the events of {job_id} ended before it did")

    @contextlib.contextmanager
    def events(self, target: str, last_id: str | None = None) -> Iterator[Iterator[SseEvent]]:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        with self.http.stream("GET", target, headers=headers) as answer:
            assert answer.status_code == 200, answer.read()
            yield _parsed(answer.iter_lines())

    def mark(self, name: str) -> None:
        """Make the file that a script waits for."""
        (self.home / name).touch()

    def wait_for_file(self, name: str) -> None:
        until((self.home / name).exists)

    def hosts(self) -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(self.pid).children()
        return found

    def log(self) -> str:
        return Path(self.paths.log_path).read_text(errors="replace")


def _parsed(lines: Iterator[str]) -> Iterator[SseEvent]:
    """The events, each with the id that it has itself: what is true only now has none."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield SseEvent(
                fields.pop("event"), json.loads(fields.pop("data")), fields.pop("id", "")
            )


def until(is_true: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> None:
    """For what nothing tells of: look again and again."""
    deadline = time.monotonic() + timeout_s
    while not is_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


Start = Callable[..., RunningDaemon]


@contextlib.contextmanager
def running(home: Path, has_token: bool = True, **settings: Any) -> Iterator[RunningDaemon]:
    """A daemon of that home with these settings; dots in names are two underscores."""
    port = free_port()
    wanted = {"backend": "scripted", "idle_timeout": -1, "http": f"127.0.0.1:{port}", **settings}
    lines = [f"{name.replace('__', '.')} = {_toml(value)}" for name, value in wanted.items()]
    (home / "config.toml").write_text("\n".join(lines) + "\n")
    paths = get_paths({"VOX_HOME": str(home)})
    token = ensure_token(paths) if has_token else ""
    path = [str(CHECKOUT), str(SCRIPTED_PLUGIN), os.environ.get("PYTHONPATH", "")]
    before = dict(os.environ)
    os.environ.update(
        VOX_HOME=str(home),
        SCRIPTED_DIR=str(home),
        PYTHONPATH=os.pathsep.join(filter(None, path)),
    )
    try:
        spawn_daemon(paths, wait=True)
    finally:
        os.environ.clear()
        os.environ.update(before)
    transport = httpx.HTTPTransport(uds=paths.socket_path)
    with (
        httpx.Client(transport=transport, base_url="http://localhost", timeout=TIMEOUT_S) as local,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
        ) as tcp,
    ):
        try:
            yield RunningDaemon(paths, home, port, local, tcp, token)
        finally:
            _stop(paths)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


@pytest.fixture
def context(home: Path) -> Iterator[FakeContext]:
    """What the routes need, without a daemon."""
    made = FakeContext(home)
    yield made
    made.close()


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start a daemon of this test's own."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(home, **settings))


@pytest.fixture(scope="module")
def daemon(sound_server: SoundServer) -> Iterator[RunningDaemon]:
    """One for all tests of a module that do not mind what the others said."""
    home = Path(tempfile.mkdtemp(prefix="vox-", dir="/tmp"))
    with running(home) as daemon:
        yield daemon
    shutil.rmtree(home, ignore_errors=True)


def _stop(paths: Paths) -> None:
    with contextlib.suppress(OSError, ValueError, psutil.NoSuchProcess):
        process = psutil.Process(int(Path(paths.pid_path).read_text().split()[0]))
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()
