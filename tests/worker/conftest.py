"""A worker in this process, with hosts of their own, and a client's session at the same server."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from tests.running import SCRIPTED_PLUGIN
from vox.config import LiveConfig
from vox.errors import VoxError
from vox.fleet.asked import Asked
from vox.fleet.requests import Answer, CloneRef, Request
from vox.fleet.server import Server
from vox.fleet.session import Session
from vox.hosts.launch import subprocess_hosts
from vox.paths import get_paths
from vox.redis_url import parse
from vox.worker.worker import Options, Worker


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    shared_redis.start()
    with shared_redis.client() as client:
        client.flushall()
    return shared_redis


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[Server]:
    """A connection to it."""
    made = Server(parse(redis_server.url), lambda: None)
    yield made
    made.close()


@pytest.fixture
def scripted_dir(
    home: Path, monkeypatch: pytest.MonkeyPatch, register: Callable[[str], None]
) -> Path:
    """Where the scripted backend has its files; workers of this process serve it."""
    register("scripted")
    folder = home / "scripted"
    folder.mkdir()
    path = [str(SCRIPTED_PLUGIN), *filter(None, sys.path)]
    monkeypatch.setenv("SCRIPTED_DIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    return folder


@dataclass
class Running:
    """A worker at work."""

    worker: Worker
    thread: threading.Thread
    error: VoxError | None = None

    def stop(self) -> None:
        self.worker.stop()

    def wait(self) -> None:
        self.thread.join(60)
        assert not self.thread.is_alive()


MakeWorker = Callable[..., Running]


@pytest.fixture
def make_worker(redis_server: RedisServer, home: Path, scripted_dir: Path) -> Iterator[MakeWorker]:
    """Starts workers. They are ended after the test, with all that they do."""
    made: list[Running] = []

    def make(
        url: str = "",
        name: str = "gpu",
        backends: tuple[str, ...] = ("scripted",),
        device: str | None = None,
        concurrency: int = 1,
        settings: str = "",
    ) -> Running:
        paths = get_paths()
        os.makedirs(os.path.dirname(paths.config_path), exist_ok=True)
        Path(paths.config_path).write_text(f"lease_s = 1.0\n{settings}")
        config = LiveConfig(paths.config_path)
        hosts = subprocess_hosts(paths.backends_dir, config)
        server = Server(parse(url or redis_server.url), lambda: None)
        options = Options(name, "machine", backends, device, concurrency)
        worker = Worker(server, options, paths, config, hosts)

        def run() -> None:
            try:
                worker.run()
            except VoxError as exc:
                running.error = exc

        running = Running(worker, threading.Thread(target=run))
        made.append(running)
        running.thread.start()
        return running

    yield make
    for running in made:
        running.stop()
        running.stop()
    for running in made:
        running.wait()


@pytest.fixture
def session(redis_server: RedisServer) -> Iterator[Session]:
    made = Session(Server(parse(redis_server.url), lambda: None), "anna", 1.0)
    made.start()
    assert made.wait_looked(60)
    yield made
    made.close()


class Heard:
    """What was heard of a request, until its end."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.workers: list[str] = []

    @property
    def seconds(self) -> float:
        sound = [answer for answer in self.answers if answer.event == "chunk"]
        return sum(len(each.pcm) / 4 / each.header["sample_rate"] for each in sound)

    @property
    def error(self) -> str:
        """What went wrong; "" if nothing did."""
        header = self.answers[-1].header
        return str(header["error"]["message"]) if "error" in header else ""


def hear(asked: Asked) -> Heard:
    """All of it. Raises what `Asked.next` does."""
    heard = Heard()
    while not heard.answers or heard.answers[-1].event not in ("end", "error"):
        answer = asked.next(60)
        assert answer is not None, "cancelled, or nothing came"
        heard.answers.append(answer)
        if asked.worker is not None and asked.worker not in heard.workers:
            heard.workers.append(asked.worker)
    return heard


def request(
    text: str | None, model: str | None = None, clone: CloneRef | None = None, **said: object
) -> Request:
    lane = f"scripted/{model}" if model else "scripted"
    return Request("", "", "", lane, "scripted", model, text, said, clone)


@pytest.fixture
def say(session: Session) -> Callable[..., Heard]:
    """Ask for a text, and hear all of it."""

    def say(text: str | None, **options: object) -> Heard:
        return hear(session.ask(request(text, **options)))  # type: ignore[arg-type]

    return say


@contextlib.contextmanager
def held(scripted_dir: Path, name: str) -> Iterator[str]:
    """A directive that waits until the end of the block, for "[...]" in a text."""
    try:
        yield f"[mark {name}-begun][until {name}]"
    finally:
        (scripted_dir / name).touch()
