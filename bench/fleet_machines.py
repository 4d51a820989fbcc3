"""The machines of a fleet, as processes of this one, for `bench.fleet`, and what they use.

They are a Redis server, workers whose model is a script with the speed of a card, and processes
that are full of clients.
"""

from __future__ import annotations

import contextlib
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
from typing import Any

import psutil

from tests.redis_server import RedisServer
from tests.running import SCRIPTED_PLUGIN

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
class Went:
    """How a while went, and what it cost."""

    seconds: float
    redis_cpu_s: float
    workers_cpu_s: float
    clients_cpu_s: float
    machine_cpu_s: float
    requests: int
    """That Redis got; several commands may come in one, and a script calls further ones."""
    in_bytes: int
    out_bytes: int
    peak_bytes: int
    connections: int
    scripts_us: float
    """The server's time for one call of a script."""
    clients: list[dict[str, Any]]
    """As `fleet_clients.Heard`, one for each."""

    @property
    def audio_s(self) -> float:
        return sum(float(client["audio_s"]) for client in self.clients)


class Fleet:
    """Redis, `workers` workers and `processes` processes of clients while it is entered."""

    def __init__(self, workers: int, processes: int, lease_s: float) -> None:
        self._count = workers
        self._processes = processes
        self._lease_s = lease_s
        self._workers: list[subprocess.Popen[str]] = []
        self._clients: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Fleet:
        with contextlib.ExitStack() as stack:
            home = tempfile.mkdtemp(prefix="vox-bench-", dir="/tmp")
            stack.callback(shutil.rmtree, home, ignore_errors=True)
            self._redis = RedisServer()
            stack.callback(self._redis.close)
            clients = [os.path.join(CHECKOUT, "bench", "fleet_clients.py"), self._redis.url]
            for _ in range(self._processes):
                self._clients.append(self._start(stack, home, *clients, str(self._lease_s)))
            worker = ["-m", "vox", "worker", self._redis.url, "--backends", "scripted", "--name"]
            for number in range(self._count):
                self._workers.append(self._start(stack, home, *worker, f"worker{number + 1}"))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(
        self, stack: contextlib.ExitStack, home: str, *command: str
    ) -> subprocess.Popen[str]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("VOX_")}
        path = [CHECKOUT, str(SCRIPTED_PLUGIN), environ.get("PYTHONPATH", "")]
        environ |= {"PYTHONPATH": os.pathsep.join(path), "VOX_HOME": home, "SCRIPTED_DIR": home}
        with open(os.path.join(home, "log"), "ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                env=environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        stack.enter_context(process)  # waits for its end
        stack.callback(process.kill)  # hosts end with their worker
        return process

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

    def first_sounds(self, count: int) -> dict[str, list[float]]:
        """See `fleet_clients.Clients.first_sounds`."""
        return self._ask(self._clients[0], "first_sounds", count=count)

    def rest(self, seconds: float) -> Went:
        """Nobody does anything for a while."""
        until = time.monotonic() + seconds
        return self._measured("rest", [{"until": until}] * self._processes)

    def _measured(self, do: str, commands: Sequence[Mapping[str, Any]]) -> Went:
        client = self._redis.client()
        client.config_resetstat()
        before = self._used_s()
        is_over, memory = threading.Event(), list[int]()
        watch = threading.Thread(target=self._watch, args=(is_over, memory))
        watch.start()
        answers = self._ask_all(do, commands)
        after = self._used_s()
        is_over.set()
        watch.join()
        seconds, redis, workers, machine = (b - a for a, b in zip(before, after, strict=True))
        info = client.info("all")
        return Went(
            seconds=seconds,
            redis_cpu_s=redis,
            workers_cpu_s=workers,
            clients_cpu_s=sum(answer["cpu_s"] for answer in answers),
            machine_cpu_s=machine,
            requests=info["total_reads_processed"] - len(memory),
            in_bytes=info["total_net_input_bytes"],
            out_bytes=info["total_net_output_bytes"],
            peak_bytes=max(memory, default=0),
            connections=info["connected_clients"],
            scripts_us=info.get("cmdstat_evalsha", {"usec_per_call": 0.0})["usec_per_call"],
            clients=[client for answer in answers for client in answer.get("clients", ())],
        )

    def _used_s(self) -> tuple[float, float, float, float]:
        """The time, and processor time of Redis, of the workers and of everything."""
        redis = self._redis.client().info("cpu")
        own = [psutil.Process(worker.pid) for worker in self._workers]
        workers = [*own, *(host for each in own for host in each.children(recursive=True))]
        workers_s = sum(sum(each.cpu_times()[:2]) for each in workers)
        machine = psutil.cpu_times()
        machine_s = machine.user + machine.nice + machine.system + machine.irq + machine.softirq
        redis_s = redis["used_cpu_sys"] + redis["used_cpu_user"]
        return time.monotonic(), redis_s, workers_s, machine_s

    def _watch(self, is_over: threading.Event, memory: list[int]) -> None:
        client = self._redis.client()
        while not is_over.wait(_SAMPLE_S):
            memory.append(client.info("memory")["used_memory"])

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
