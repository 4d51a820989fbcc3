"""The machines of a fleet, as processes of this one, for `bench.fleet`, and what they use.

They are a Redis server, workers whose model is a script with the speed of a card, and processes
that are full of clients.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from tests.redis_server import RedisServer
from tests.running import SCRIPTED_PLUGIN

from .idle import cpu_s
from .instance import CHECKOUT

START_S = 120.0
"""Sixteen workers on two cores take a while."""
_SAMPLE_S = 0.2
"""Between two looks at the memory."""


@dataclass(frozen=True)
class Card:
    """How fast one model is on one card. `first_s` is from the request to the first sound."""

    name: str
    first_s: float
    x_realtime: float
    chunk_s: float = 0.08

    def text(self, audio_s: float) -> str:
        """What the scripted backend is told to say so much audio at this speed."""
        slow_s = self.chunk_s / self.x_realtime
        wait_s = max(0.0, self.first_s - slow_s)
        speed = f"[chunk {self.chunk_s}] [slow {slow_s:.4f}]"
        return f"[wait {wait_s:.4f}] {speed} [say {audio_s}s] number"

    def job_s(self, audio_s: float) -> float:
        """How long the card takes for it."""
        slow_s = self.chunk_s / self.x_realtime
        return max(0.0, self.first_s - slow_s) + audio_s / self.x_realtime


@dataclass
class Used:
    """What a while cost."""

    seconds: float
    redis_cpu_s: float
    workers_cpu_s: float
    machine_cpu_s: float
    requests: int
    """That Redis got; several commands may come in one, and a script calls further ones."""
    in_bytes: int
    out_bytes: int
    peak_bytes: int
    connections: int
    scripts_us: float
    """The server's time for one call of a script."""


class Meter:
    """Measures while it is entered; then `used` is set."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._is_over = threading.Event()
        self._peak = 0
        self._looks = 0

    def __enter__(self) -> Meter:
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._client = self._fleet.redis.client()
        self._client.config_resetstat()
        self._before = self._read()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        after = self._read()
        self._is_over.set()
        self._thread.join()
        began, redis, workers, machine = (b - a for a, b in zip(self._before, after, strict=True))
        info = self._client.info("all")
        scripts = info.get("cmdstat_evalsha", {"usec_per_call": 0.0})
        self.used = Used(
            seconds=began,
            redis_cpu_s=redis,
            workers_cpu_s=workers,
            machine_cpu_s=machine,
            requests=info["total_reads_processed"] - self._looks,
            in_bytes=info["total_net_input_bytes"],
            out_bytes=info["total_net_output_bytes"],
            peak_bytes=self._peak,
            connections=info["connected_clients"],
            scripts_us=scripts["usec_per_call"],
        )

    def _read(self) -> tuple[float, float, float, float]:
        cpu = self._client.info("cpu")
        redis_s = cpu["used_cpu_sys"] + cpu["used_cpu_user"]
        workers_s = sum(map(cpu_s, self._fleet.worker_pids()))
        return time.monotonic(), redis_s, workers_s, _machine_cpu_s()

    def _watch(self) -> None:
        client = self._fleet.redis.client()
        while not self._is_over.wait(_SAMPLE_S):
            self._peak = max(self._peak, client.info("memory")["used_memory"])
            self._looks += 1


class Fleet:
    """Redis, `workers` workers and `processes` processes of clients while it is entered."""

    def __init__(self, workers: int, processes: int, lease_s: float, checkout: str) -> None:
        """`checkout`: the folder whose vox the clients and workers are."""
        self._count = workers
        self._processes = processes
        self._lease_s = lease_s
        self._checkout = checkout
        self._workers: list[subprocess.Popen[bytes]] = []
        self._clients: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Fleet:
        self._home = tempfile.mkdtemp(prefix="vox-bench-", dir="/tmp")
        try:
            self.redis = RedisServer()
            for _ in range(self._processes):
                self._clients.append(self._start_clients())
            for number in range(1, self._count + 1):
                self._workers.append(self._start_worker(f"worker{number}"))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        everybody: Sequence[subprocess.Popen[Any]] = [*self._clients, *self._workers]
        for process in everybody:
            process.terminate()
        for process in everybody:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for client in self._clients:
            assert client.stdin is not None and client.stdout is not None
            client.stdin.close()
            client.stdout.close()
        self.redis.close()
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def _environ(self) -> dict[str, str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("VOX_")}
        # The fleet of that checkout, whatever this one's; the benchmark itself is this one's.
        path = [self._checkout, str(SCRIPTED_PLUGIN), CHECKOUT, environ.get("PYTHONPATH", "")]
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        return environ | {"VOX_HOME": self._home, "SCRIPTED_DIR": self._home}

    def _start_clients(self) -> subprocess.Popen[str]:
        program = os.path.join(CHECKOUT, "bench", "fleet_clients.py")
        return subprocess.Popen(
            [sys.executable, program, self.redis.url, str(self._lease_s)],
            env=self._environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _start_worker(self, name: str) -> subprocess.Popen[bytes]:
        log_path = os.path.join(self._home, f"{name}.log")
        with open(log_path, "wb") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "vox", "worker", self.redis.url),
                    *("--backends", "scripted", "--name", name),
                ],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def worker_pids(self) -> list[int]:
        """The workers' and their hosts'."""
        found = [worker.pid for worker in self._workers]
        for pid in list(found):
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                    found += map(int, file.read().split())
        return sorted(set(found))

    def have_clients(self, count: int) -> None:
        """So many clients have a session."""
        names = [f"client{number}" for number in range(count)]
        self._ask_all("have", [{"names": part} for part in self._parts(names)])

    def warm_up(self) -> None:
        """All workers have their model loaded."""
        self.have_clients(self._processes)
        deadline = time.monotonic() + START_S
        while not self._ask(self._clients[0], "is_warm", workers=self._count)["is_warm"]:
            if time.monotonic() > deadline:
                raise RuntimeError("the workers do not load their model")
            # A worker takes what is meant for a warm one once it has waited: so ask for plenty.
            text = "[wait 0.5] warm"
            until = time.monotonic() + 4.0
            self._ask(self._clients[0], "warm", count=2 * self._count, text=text, until=until)

    def go(self, mode: str, count: int, text: str, seconds: float, **options: float) -> Went:
        """`count` clients do so for a while (see `fleet_clients.Client`)."""
        until = time.monotonic() + seconds
        shares = [len(part) for part in self._parts(range(count))]
        commands = [
            {"mode": mode, "count": share, "text": text, "until": until, **options}
            for share in shares
        ]
        return self._measured("go", commands)

    def overheads(self, chunks: int, requests: int) -> dict[str, Any]:
        """See `fleet_clients.Clients.overheads`."""
        return self._ask(self._clients[0], "overheads", chunks=chunks, requests=requests)

    def rest(self, seconds: float) -> Went:
        """Nobody does anything for a while."""
        until = time.monotonic() + seconds
        return self._measured("rest", [{"until": until}] * self._processes)

    def _measured(self, do: str, commands: Sequence[Mapping[str, Any]]) -> Went:
        with Meter(self) as meter:
            answers = self._ask_all(do, commands)
        clients = [client for answer in answers for client in answer.get("clients", ())]
        return Went(meter.used, clients, sum(answer["cpu_s"] for answer in answers))

    def _parts(self, everything: Sequence[Any]) -> list[Sequence[Any]]:
        return [everything[at :: self._processes] for at in range(self._processes)]

    def _ask_all(self, do: str, commands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        for process, command in zip(self._clients, commands, strict=True):
            self._send(process, do, command)
        return [self._read(process) for process in self._clients]

    def _ask(self, process: subprocess.Popen[str], do: str, **command: Any) -> dict[str, Any]:
        self._send(process, do, command)
        return self._read(process)

    def _send(self, process: subprocess.Popen[str], do: str, command: Mapping[str, Any]) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps({"do": do, **command}) + "\n")
        process.stdin.flush()

    def _read(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the clients have ended")
        found: dict[str, Any] = json.loads(line)
        return found


@dataclass
class Went:
    """How a while went."""

    used: Used
    clients: list[dict[str, Any]]
    """As `fleet_clients.Heard`, one for each."""
    clients_cpu_s: float

    @property
    def audio_s(self) -> float:
        return sum(float(client["audio_s"]) for client in self.clients)


def _machine_cpu_s() -> float:
    """Processor time that everything on this machine has used."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _iowait, irq, softirq = map(int, file.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
