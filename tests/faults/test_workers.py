"""Workers on other machines, killed at random instants under the jobs of several clients."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.redis_server import Proxy, RedisServer
from tests.sound import SoundServer, decoded
from tests.tones import read_tones
from tests.workers import LEASE_S, Crew, crew
from vox.client import http

from .chance import Chance, tries
from .home import SETTINGS, Home

Samples = npt.NDArray[np.float32]
CLIENTS = 4
TEXTS = 4
NAMES = ("anna", "bert", "carl")
REMOTE = f"""
placement = "remote"
lease_s = {LEASE_S}
cache_mb = 0
pause_s = 0.05
"""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    made = RedisServer()
    yield made
    made.close()


@pytest.fixture
def workers(server: RedisServer, home: Path) -> Iterator[Crew]:
    with server.client() as client:
        client.flushall()
    with crew(server, home) as made:
        yield made


@pytest.fixture
def clients(server: RedisServer, sound_server: SoundServer) -> Iterator[list[Home]]:
    """Daemons of users of their own."""
    made = []
    try:
        for _ in range(CLIENTS):
            folder = Path(tempfile.mkdtemp(prefix="vox-", dir="/tmp"))
            made.append(Home(folder, f'{SETTINGS}workers = "{server.url}"{REMOTE}'))
        yield made
    finally:
        for client in made:
            client.end_everything()
            shutil.rmtree(client.home, ignore_errors=True)


def start_all(clients: list[Home]) -> None:
    for call in [client.popen("daemon", "start") for client in clients]:
        assert call.wait(60) == 0


def audio_of(client: Home, job_id: str) -> Samples:
    answer = http.request(client.paths.socket_path, "GET", f"/jobs/{job_id}/audio", timeout_s=60)
    with answer:
        data = answer.read()
        assert answer.status == 200, data
    return decoded(data).samples


def text_of(number: int) -> str:
    """Three utterances, each at a pitch of its own."""
    return " ".join(f"{3 * number + at} [slow 0.06] [say 0.2s]." for at in range(3))


def references(client: Home) -> list[Samples]:
    """What each of the texts sounds like if it is made on this machine."""
    client.ok("config", "set", "placement", "local")
    asked = [speak(client, number, sink="file") for number in range(TEXTS)]
    sounds = [audio_of(client, ended(client, job_id)["id"]) for job_id in asked]
    client.ok("config", "set", "placement", "remote")
    for number, samples in enumerate(sounds):
        assert read_tones(samples, 24_000) == [3 * number, 3 * number + 1, 3 * number + 2]
    return sounds


def speak(client: Home, number: int, sink: str = "play") -> str:
    body = {"text": text_of(number), "backend": "scripted", "async": True}
    if sink == "file":
        body["output"] = str(client.outputs / f"{secrets.token_hex(4)}.wav")
    job_id: str = client.client.call("POST", "/speak", body, timeout_s=60.0)["id"]
    return job_id


def ended(client: Home, job_id: str, timeout_s: float = 120.0) -> dict[str, Any]:
    return client.until(job_id, "done", timeout_s=timeout_s)


@pytest.mark.timeout(600)
def test_workers_killed_at_random_instants_lose_and_double_nothing(
    clients: list[Home], workers: Crew, chance: Chance
) -> None:
    jobs, kills = tries(8, 50), tries(6, 50)
    start_all(clients)
    sounds = references(clients[0])
    workers.add(*NAMES)
    asked = {
        client: [speak(client, number % TEXTS) for number in range(jobs)] for client in clients
    }
    for _ in range(kills):
        time.sleep(chance.pause_s(2.0))
        worker = chance.choice(workers.workers)
        worker.kill()
        time.sleep(chance.pause_s(0.5))
        worker.start()
    for client, job_ids in asked.items():
        found = [ended(client, job_id) for job_id in job_ids]
        assert [job["heard"] for job in found] == [3] * jobs
        times = [job["finished_at"] for job in found]
        assert times == sorted(times)
        # None: all workers were dead at once, and this machine made it.
        made_on = ", ".join(job["made_on"] for job in found if job["made_on"])
        assert set(made_on.split(", ")) <= set(NAMES)
        for number, job_id in enumerate(job_ids):
            assert np.array_equal(audio_of(client, job_id), sounds[number % TEXTS])


class Trouble:
    """What may go wrong with the workers, their server and their network. Each undoes itself."""

    def __init__(
        self,
        server: RedisServer,
        workers: Crew,
        proxy: Proxy,
        clients: list[Home],
        chance: Chance,
    ) -> None:
        self._server = server
        self._workers = workers
        self._proxy = proxy
        self._clients = clients
        self._chance = chance
        self.kinds: list[Callable[[], None]] = [
            self.kill_a_worker,
            self.freeze_a_worker,
            self.have_a_worker_leave,
            self.kill_the_server,
            self.freeze_the_server,
            self.flush_the_server,
            self.stall_the_network,
            self.cut_the_network,
            self.slow_the_network,
            self.kill_a_daemon,
        ]

    def _pause(self, longest_s: float = 2.5 * LEASE_S) -> None:
        time.sleep(self._chance.pause_s(longest_s))

    def kill_a_worker(self) -> None:
        worker = self._chance.choice(self._workers.workers)
        worker.kill()
        self._pause()
        worker.start()

    def freeze_a_worker(self) -> None:
        worker = self._chance.choice(self._workers.workers)
        worker.freeze()
        self._pause()
        worker.thaw()

    def have_a_worker_leave(self) -> None:
        worker = self._chance.choice(self._workers.workers)
        worker.terminate()
        worker.wait()
        self._pause()
        worker.start()

    def kill_the_server(self) -> None:
        self._server.kill()
        self._pause()
        self._server.start()

    def freeze_the_server(self) -> None:
        self._server.freeze()
        self._pause(5.0)
        self._server.thaw()

    def flush_the_server(self) -> None:
        with self._server.client() as client:
            client.flushall()

    def stall_the_network(self) -> None:
        self._proxy.stall()
        self._pause()
        self._proxy.resume()

    def cut_the_network(self) -> None:
        self._proxy.cut()

    def kill_a_daemon(self) -> None:
        client = self._chance.choice(self._clients)
        client.kill_daemons()
        self._pause()
        client.ok("daemon", "start")

    def slow_the_network(self) -> None:
        self._proxy.delay_s = self._chance.choice([0.0, 0.01, 0.1])
        self._proxy.bytes_per_s = self._chance.choice([None, 1e6, 1e5])


@pytest.mark.timeout(900)
def test_whatever_happens_to_workers_server_and_network_all_is_made_whole(
    server: RedisServer, clients: list[Home], workers: Crew, chance: Chance
) -> None:
    both, alone = clients[:2]
    alone.environ["SCRIPTED_MISSING"] = "yes"  # workers alone can make its jobs
    proxy = Proxy(server.port)
    try:
        settings = (alone.home / "config.toml").read_text()
        (alone.home / "config.toml").write_text(settings.replace(server.url, proxy.url))
        start_all([both, alone])
        sounds = references(both)
        workers.add("anna", "bert")
        workers.add("far", url=proxy.url)
        trouble = Trouble(server, workers, proxy, [both, alone], chance)
        asked: list[tuple[Home, str, int]] = []
        for _ in range(tries(6, 60)):
            for client in (both, alone):
                number, sink = chance.randrange(TEXTS), chance.choice(["play", "file"])
                asked.append((client, speak(client, number, sink), number))
            time.sleep(chance.pause_s(1.0))
            chance.choice(trouble.kinds)()
        for client, job_id, number in asked:
            job = ended(client, job_id)
            assert job["unsaid"] == 0
            assert job["made_on"] or client is both
            assert np.array_equal(audio_of(client, job_id), sounds[number])
    finally:
        proxy.close()
