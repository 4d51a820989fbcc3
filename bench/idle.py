"""What a daemon costs that has nothing to do, and how many jobs a second it takes in.

    python -m bench.idle [-n ROUNDS] [--idle-s S] [--checkout FOLDER ...] [--json FILE]

Every round starts each checkout's daemon once (default: this checkout alone), so that other load on
the machine affects all alike. Beside the rate of jobs stands the floor of this machine: a bare
uvicorn whose every answer waits for one commit on the disk. Linux only; needs PulseAudio.
"""

from __future__ import annotations

import argparse
import inspect
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.sound import SoundServer

from .instance import CHECKOUT, Instance, machine, markdown

TEXT = "The build is finished."
JOBS = 500
"""Jobs that are submitted in a round."""
AFTER_SOUND_S = 14.0
"""Less than the stream is kept open after a sound."""
SETTLE_S = 3.0
"""What a start leaves behind ends in this time."""
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_MB = 1e6

IMPORTS = (
    "numpy sqlite3 asyncio,ssl pydantic fastapi uvicorn,h11 huey,huey.consumer watchdog.observers "
    "prometheus_client sounddevice soundfile vox.engine.engine vox.inbox.inbox vox.api.app "
    "vox.daemon.daemon"
).split()
"""Modules in the order in which their memory is counted: each is what it adds to those before."""

_COUNT_IMPORTS = """
import importlib, json, os, sys
{memory_mb}
now = memory_mb(os.getpid())
added = dict(Python=now)
def count(name):
    global now
    last, now = now, memory_mb(os.getpid())
    added[name] = {{key: now[key] - last[key] for key in now}}
for names in sys.argv[1:]:
    for name in names.split(","):
        importlib.import_module(name)
    count(names)
from vox.audio.device import Loudspeaker
Loudspeaker().probe()
count("looking for a sound device")
print(json.dumps(added))
"""

_FLOOR = """
import asyncio, sqlite3, sys
import uvicorn
conn = sqlite3.connect(sys.argv[2], check_same_thread=False, isolation_level=None)
conn.execute("pragma journal_mode = wal")
conn.execute("pragma synchronous = full")
conn.execute("create table job (text)")
def add(body):
    conn.execute("insert into job values (?)", (body,))
async def app(scope, receive, send):
    body = (await receive())["body"]
    if scope["path"] == "/commit":
        await asyncio.to_thread(add, body)
    headers = [(b"content-length", b"2"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
uvicorn.run(app, uds=sys.argv[1], http="h11", lifespan="off", access_log=False, log_level="error")
"""


def memory_mb(pid: int) -> dict[str, float]:
    """The process's resident, proportional, private and private dirty memory, in MB."""
    found: dict[str, float] = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            name, _, rest = line.partition(":")
            found[name] = float(rest.split()[0]) * 1024 / _MB
    return {
        "rss": found["Rss"],
        "pss": found["Pss"],
        "private": found["Private_Clean"] + found["Private_Dirty"],
        "dirty": found["Private_Dirty"],
    }


def cpu_s(pid: int) -> float:
    """Seconds of processor time that all threads of the process have used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    fine_s = 0.0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                fine_s += int(file.read().split()[0]) / 1e9
    except OSError:  # a kernel without it; the clock's ticks of 10 ms are coarse
        return (int(fields[11]) + int(fields[12])) * _TICK_S
    return fine_s


def switches(pid: int) -> int:
    """How often threads of the process have gone to sleep."""
    count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
            count += sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt"))
    return count


class Connection:
    """One connection that is kept open, with one request at a time on it."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._stream = self._socket.makefile("rb")

    def post(self, target: str, body: Mapping[str, Any]) -> bytes:
        """The answer's body. Raises RuntimeError unless it is a success."""
        data = json.dumps(body).encode()
        head = (
            f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + data)
        status = self._stream.readline()
        length = 0
        while (line := self._stream.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        answer = self._stream.read(length)
        if status.split()[1][:1] != b"2":
            raise RuntimeError(answer.decode())
        return answer

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def rate(path: str, target: str, body: Mapping[str, Any], count: int = JOBS) -> float:
    """Requests a second over one connection, each sent after the answer to the one before."""
    connection = Connection(path)
    try:
        began = time.monotonic()
        for _ in range(count):
            connection.post(target, body)
        return count / (time.monotonic() - began)
    finally:
        connection.close()


@dataclass
class Case:
    """One checkout, and what was measured of it: a list for each figure."""

    name: str
    checkout: str
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        self.figures.setdefault(name, []).append(value)

    def measure(self, idle_s: float) -> None:
        with Instance(os.environ, checkout=self.checkout) as vox:
            vox.checked("config", "set", "idle_timeout", "3600")
            vox.checked("daemon", "start")
            pid = int(vox.json("daemon", "status")["pid"])
            time.sleep(SETTLE_S)
            for name, value in memory_mb(pid).items():
                self.note(f"memory when idle, {name}, MB", value)
            self.note("threads", len(os.listdir(f"/proc/{pid}/task")))
            self._note_load(pid, "when idle", idle_s)
            self._submit(vox)
            self.note("memory after jobs were submitted, rss, MB", memory_mb(pid)["rss"])
            vox.checked(TEXT)  # from the utterance cache: no model
            self._note_load(pid, "after a sound", AFTER_SOUND_S)
            time.sleep(SETTLE_S)
            self.note("memory after a sound, rss, MB", memory_mb(pid)["rss"])

    def _note_load(self, pid: int, when: str, seconds: float) -> None:
        began, cpu, slept = time.monotonic(), cpu_s(pid), switches(pid)
        time.sleep(seconds)
        took_s = time.monotonic() - began
        self.note(f"processor {when}, % of a core", 100 * (cpu_s(pid) - cpu) / took_s)
        self.note(f"switches a second {when}", (switches(pid) - slept) / took_s)

    def _submit(self, vox: Instance) -> None:
        vox.checked("-o", os.path.join(vox.home, "said.wav"), TEXT)
        vox.checked("daemon", "unload")
        vox.checked("pause")
        path = os.path.join(vox.home, "run", "vox.sock")
        body = {"text": TEXT, "async": True}
        rate(path, "/speak", body, 20)
        time.sleep(0.5)
        self.note("jobs a second over one connection", rate(path, "/speak", body))
        vox.checked("cancel", "--all")
        vox.checked("resume")


def _wait_for_listener(path: str) -> None:
    while True:
        try:
            return Connection(path).close()
        except OSError:  # not there yet, or there and not listening
            time.sleep(0.05)


@contextmanager
def floor() -> Iterator[str]:
    """A bare server's socket: POST /echo answers at once, POST /commit after one commit."""
    with tempfile.TemporaryDirectory(prefix="vox-bench-", dir="/tmp") as folder:
        path = os.path.join(folder, "floor.sock")
        command = [sys.executable, "-c", _FLOOR, path, os.path.join(folder, "floor.db")]
        process = subprocess.Popen(command)
        try:
            _wait_for_listener(path)
            yield path
        finally:
            process.terminate()
            process.wait()


def imports_mb() -> dict[str, dict[str, float]]:
    """What each of IMPORTS adds to the figures of `memory_mb`, in a process of its own.

    The last is what the libraries of the sound system take.
    """
    code = _COUNT_IMPORTS.format(memory_mb=inspect.getsource(memory_mb))
    command = [sys.executable, "-c", f"_MB = {_MB}\n{code}", *IMPORTS]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def measure(
    cases: list[Case], rounds: int, idle_s: float
) -> tuple[Case, dict[str, dict[str, float]]]:
    """Fills in the cases; returns the floor, and what the imports take."""
    bare = Case("floor", "")
    server = SoundServer()
    server.start()
    os.environ.update(server.environ)
    try:
        with floor() as path:
            for number in range(1, rounds + 1):
                for case in cases:
                    print(f"round {number} of {rounds}: {case.name:40}", end="\r", file=sys.stderr)
                    case.measure(idle_s)
                    bare.note("bare answers a second", rate(path, "/echo", {"text": TEXT}))
                    bare.note(
                        "answers with one commit a second", rate(path, "/commit", {"text": TEXT})
                    )
        print(file=sys.stderr)
        return bare, imports_mb()
    finally:
        server.stop()


def table(cases: list[Case], bare: Case) -> str:
    def shown(case: Case, name: str) -> str:
        values = case.figures[name]
        return f"{statistics.median(values):,.2f} ({min(values):,.2f} to {max(values):,.2f})"

    rows = [[name, *(shown(case, name) for case in cases)] for name in cases[0].figures]
    rows += [[name, shown(bare, name), *[""] * (len(cases) - 1)] for name in bare.figures]
    return markdown(["median (from ... to)", *(case.name for case in cases)], rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("-n", "--rounds", type=int, default=3, help="default: 3")
    parser.add_argument("--idle-s", type=float, default=20.0, help="default: 20")
    parser.add_argument("--checkout", action="append", metavar="FOLDER", help="may be repeated")
    parser.add_argument("--json", metavar="FILE", help="write the single values there as well")
    options = parser.parse_args()
    folders = [os.path.abspath(folder) for folder in options.checkout or [CHECKOUT]]
    cases = [Case(os.path.basename(folder), folder) for folder in folders]
    bare, added = measure(cases, options.rounds, options.idle_s)
    print(table(cases, bare))
    rows = [[name, f"{mb['rss']:.1f}", f"{mb['private']:.1f}"] for name, mb in added.items()]
    print(markdown(["memory added by", "resident, MB", "private, MB"], rows))
    print(f"\n{machine()}; {options.rounds} rounds; {JOBS} jobs each")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            figures = {case.name: case.figures for case in (*cases, bare)}
            json.dump({"machine": machine(), "figures": figures, "imports_mb": added}, file)


if __name__ == "__main__":
    main()
