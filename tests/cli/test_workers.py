"""What users see of the workers: `vox workers`, `status`, `daemon status`, `/health` and `doctor`.

The Redis server is real. Who announces itself there is the test, as workers do.
"""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.cells import cell_len

from tests.redis_server import RedisServer
from tests.running import Vox, read_terminal
from vox.cli.workers import HEADER
from vox.client.status import line_of_workers
from vox.errors import WorkersAway
from vox.fleet import keys
from vox.fleet.server import Server
from vox.fleet.summary import summary
from vox.fleet.workers import Announced, Workers
from vox.redis_url import no_package, parse

HERE = Announced(
    "gpu#1", "gpu", keys.PROTOCOL, device="cuda:0", concurrency=2, busy=1,
    lanes=("qwen", "qwen/1.7b", "voxtream"), warm=("qwen", "qwen/1.7b"), load_s={"qwen/1.7b": 2.0},
    requests=12, audio_s=30.0, synthesis_s=10.0, failing=("voxtream",),
)  # fmt: skip
OLD = Announced("old#1", "old", 0)
NEW = Announced("new#1", "new", keys.PROTOCOL + 1)
NO_REDIS = (
    "import sys; sys.modules['redis'] = None; from vox.cli import run; sys.exit(run(sys.argv[1:]))"
)


@pytest.fixture(scope="module")
def module_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def redis(module_redis: RedisServer) -> RedisServer:
    module_redis.start()
    module_redis.client().flushall()
    return module_redis


@pytest.fixture
def fleet(redis: RedisServer) -> Iterator[Workers]:
    server = Server(parse(redis.url), lambda: None)
    yield Workers(server)
    server.close()


def set_workers(vox: Vox, url: str) -> None:
    Path(vox.paths.config_path).write_text(f'workers = "{url}"\n')


def announce(fleet: Workers, *workers: Announced) -> None:
    for worker in workers:
        fleet.announce(worker, 600.0)


def on_terminal(vox: Vox, *args: str, columns: int = 80) -> str:
    """What is shown of that command on a terminal of so many columns."""
    control, terminal = pty.openpty()
    environ = {**os.environ, **vox.environ, "COLUMNS": str(columns), "TERM": "dumb"}
    with subprocess.Popen([*vox.command, *args], env=environ, stdout=terminal) as command:
        os.close(terminal)
        shown = read_terminal(control).decode()
    assert command.returncode in (0, 1), shown
    return shown.replace("\r\n", "\n")


def test_without_the_setting_one_line_says_what_to_do(vox: Vox) -> None:
    told = vox("workers")
    assert (told.code, told.out) == (2, "")
    assert told.err == (
        "vox: no workers are set; to set their server: vox config set workers redis://HOST\n"
    )


def test_without_a_daemon_it_looks_itself(vox: Vox, fleet: Workers, redis: RedisServer) -> None:
    set_workers(vox, redis.url)
    assert vox.ok("workers") == ""
    assert on_terminal(vox, "workers").startswith("no worker is at 127.0.0.1:")
    announce(fleet, HERE, OLD, NEW)
    gpu, new, old = vox.ok("workers").splitlines()
    assert gpu.split("\t")[:7] == [
        "gpu", "qwen, voxtream", "cuda:0", "qwen/1.7b", "1/2", "3.0x", "12",
    ]  # fmt: skip
    assert gpu.endswith("\tcould not load voxtream: see its log")
    assert new.endswith("\tupdate vox here (protocol 2)")
    assert old.endswith("\tupdate vox there (protocol 0)")
    told = json.loads(vox.ok("workers", "--json"))
    assert [(each["name"], each["compatible"]) for each in told] == [
        ("gpu", True), ("new", False), ("old", False),
    ]  # fmt: skip
    assert told[0]["x_realtime"] == 3.0
    assert told[0]["backends"] == ["qwen", "voxtream"]
    assert not Path(vox.paths.socket_path).exists()  # it started no daemon
    shown = on_terminal(vox, "workers").splitlines()
    assert shown[0].split() == [*HEADER]
    assert shown[1].split()[:8] == "gpu qwen, voxtream cuda:0 qwen/1.7b 1/2 3.0x 12".split()
    assert shown[-1] == "old: update vox there (protocol 0)"
    assert max(map(len, shown)) <= 80


def test_a_table_fits_whatever_workers_are_called(
    vox: Vox, fleet: Workers, redis: RedisServer
) -> None:
    lanes = ("qwen-native", "qwen-native/1.7b", "voxtream", "chatterbox", "kokoro", "hibari")
    announce(
        fleet,
        Announced(
            "x" * 60 + "#1", "a-rather-long-name-of-a-server-cuda0", keys.PROTOCOL, lanes=lanes,
            warm=lanes[:3], device="cuda:0", requests=123_456, audio_s=1.0, synthesis_s=0.001,
        ),
        OLD,
    )  # fmt: skip
    # A stranger may write there what is no worker's.
    redis.client().zadd(keys.WORKERS, {"\x1b[31mred\x07#1": time.time()})
    redis.client().set("vox:w:\x1b[31mred\x07#1", json.dumps({"protocol": 1, "name": "\x1b[2J"}))
    set_workers(vox, redis.url)
    shown = on_terminal(vox, "workers")
    assert max(map(len, shown.splitlines())) <= 80
    assert "(protocol 0)" in shown
    assert shown.replace("\n", "").isprintable()
    assert vox.ok("workers", "--json").replace("\n", "").isprintable()
    fleet.leave("x" * 60 + "#1")
    announce(fleet, replace(HERE, name="studio-cuda0", lanes=lanes, warm=lanes))
    header, *_ = on_terminal(vox, "workers").split("\n")
    assert header.split() == "worker backends device warm busy speed seen".split()


NAMES = (*("x" * 60, "漢字" * 100, "x" * 200, "e\u0301" * 90, "%s{0}", "ا" * 200, "\x1b[2J", 5),)
DAY_S = 86_400


def crowd(redis: RedisServer, count: int) -> None:
    """So many workers are there, as whoever can write to the server could make them up."""
    client = redis.client()
    seconds, _ = client.time()
    with client.pipeline() as pipe:
        for number in range(count):
            name = NAMES[number % len(NAMES)]
            lanes = [f"{name}/{lane}"[:200] for lane in range(15)]
            numbers = (10**400, -1, 1e308, 2**53, float("nan"), 0)[number % 6]
            told = {
                "protocol": (1, 1, 0, 999)[number % 4], "name": name, "device": name,
                "version": name, "machine": name, "lanes": lanes, "warm": lanes, "failing": lanes,
                "busy": numbers, "concurrency": numbers, "requests": numbers, "audio_s": numbers,
                "synthesis_s": 1e-300, "load_s": {str(name): numbers},
            }  # fmt: skip
            if number % 5 == 0:
                told = {"protocol": 1}
            seen_at = seconds + (0, DAY_S, -DAY_S)[number % 3]
            pipe.zadd(keys.WORKERS, {f"w{number}#1": seen_at})
            pipe.set(keys.worker(f"w{number}#1"), json.dumps(told), ex=600)
        pipe.execute()


@pytest.mark.slow
def test_any_number_of_workers_that_say_anything_is_shown(vox: Vox, redis: RedisServer) -> None:
    def refuse(number: str) -> None:
        raise AssertionError(number)

    crowd(redis, 500)
    set_workers(vox, redis.url)
    vox.ok("daemon", "start")
    until(vox, " busy at ")
    for command in ("workers", "status", "daemon status", "doctor"):
        shown = on_terminal(vox, *command.split(), columns=40)
        assert "Traceback" not in shown and shown.replace("\n", "").isprintable()
        if command != "doctor":
            rows = [row for row in shown.splitlines() if ": " not in row]
            assert max(map(cell_len, rows)) <= 40, command
        assert len(shown) < 40_000, command
    told = json.loads(vox.ok("workers", "--json"), parse_constant=refuse)
    assert len(told) == 500
    assert all(1 <= each["concurrency"] <= 32 and each["busy"] <= 32 for each in told)
    assert {each["x_realtime"] for each in told} == {None}
    assert vox.client.call("GET", "/health")["workers"]["count"] > 200
    metrics = metrics_of(vox)
    assert 'vox_worker_busy{worker="other"}' in metrics
    assert not re.search(r"vox_worker.* -|vox_worker.*(nan|inf)", metrics, re.IGNORECASE)


@pytest.mark.parametrize(
    ("busy", "others", "expected"),
    [
        ((1, 0, 2), (), "2 of 3 busy at gpu:6379"),
        ((), (), "none at gpu:6379; jobs for them wait"),
        ((0,), (OLD,), "0 of 1 busy at gpu:6379; 1 of another version"),
    ],
)
def test_the_line_of_the_status(
    busy: tuple[int, ...], others: tuple[Announced, ...], expected: str
) -> None:
    workers = [Announced(str(n), str(n), keys.PROTOCOL, busy=many) for n, many in enumerate(busy)]
    assert line_of_workers(summary("gpu:6379", [*workers, *others])) == expected


def test_the_line_of_the_status_says_why_workers_cannot_be_used() -> None:
    away = WorkersAway("the Redis server gpu:6379 does not answer", "vox keeps trying")
    found = summary("gpu:6379", [HERE], away)
    short = "jobs for them wait: the Redis server gpu:6379 does not answer"
    assert line_of_workers(found, is_short=True) == short
    assert line_of_workers(found) == f"{short}; vox keeps trying"
    assert (found["count"], found["workers"]) == (0, [])


def until(vox: Vox, words: str) -> str:
    """The status's line on workers, once it has these words."""
    deadline = time.monotonic() + 60
    while True:
        shown = vox.ok("status")
        if words in shown:
            return next(each for each in shown.splitlines() if words in each)
        assert time.monotonic() < deadline, shown
        time.sleep(0.05)


def metrics_of(vox: Vox) -> str:
    transport = httpx.HTTPTransport(uds=vox.paths.socket_path)
    with httpx.Client(transport=transport, base_url="http://localhost") as http:
        return http.get("/metrics").text


@pytest.mark.slow
def test_a_daemon_tells_of_them_everywhere(vox: Vox, fleet: Workers, redis: RedisServer) -> None:
    vox.ok("daemon", "start")
    assert "workers" not in vox.ok("status")
    assert "workers" not in vox.ok("daemon", "status")
    announce(fleet, HERE, OLD)
    vox.ok("config", "set", "workers", redis.url)
    where = f"127.0.0.1:{redis.port}"
    assert until(vox, "1 of 1") == f"workers 1 of 1 busy at {where}; 1 of another version"
    assert f"1 of 1 busy at {where}" in vox.ok("daemon", "status")
    assert [row.split("\t")[0] for row in vox.ok("workers").splitlines()] == ["gpu", "old"]
    told = vox.client.call("GET", "/health")["workers"]
    assert told == {
        "server": where, "reachable": True, "reason": None, "protocol": keys.PROTOCOL,
        "count": 1, "busy": 1, "incompatible": 1,
    }  # fmt: skip
    assert vox.client.call("GET", "/workers")["workers"][0]["name"] == "gpu"
    metrics = metrics_of(vox)
    assert "vox_workers_reachable 1.0" in metrics
    assert 'vox_worker_requests_total{worker="gpu"} 12.0' in metrics
    redis.kill()
    shown = until(vox, "cannot be reached")
    assert shown.startswith("workers jobs for them wait: the Redis server ")
    told = vox("workers")
    assert (told.code, told.out) == (1, "")
    assert told.err.startswith(f"vox: the Redis server {where} cannot be reached: ")
    vox.ok("config", "set", "workers", "off")
    assert vox.client.call("GET", "/health")["workers"]["server"] is None
    assert vox("workers").code == 2


def test_a_server_that_is_away_is_one_line(vox: Vox, redis: RedisServer) -> None:
    set_workers(vox, redis.url)
    redis.kill()
    told = vox("workers", "--json")
    assert (told.code, told.out) == (1, "")
    where = f"127.0.0.1:{redis.port}"
    assert told.err == (
        f"vox: the Redis server {where} cannot be reached: Connection refused; vox keeps trying\n"
    )
    checked = vox("doctor").out
    assert f"FAIL  workers: the Redis server {where} cannot be reached" in checked


def without_redis(vox: Vox, *args: str) -> tuple[int, str]:
    environ = {**os.environ, **vox.environ}
    command = [sys.executable, "-c", NO_REDIS, *args]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_without_the_package_one_line_says_how_to_install_it(vox: Vox) -> None:
    set_workers(vox, "redis://gpu")
    told = f"{no_package().line}\n"
    assert told.endswith(" install 'voxqueue[redis]'\n")
    assert without_redis(vox, "workers") == (1, f"vox: {told}")
    assert without_redis(vox, "worker", "redis://gpu") == (2, f"vox: {told}")
    assert f"FAIL  workers: {told}" in without_redis(vox, "doctor")[1]
    code, out = without_redis(vox, "config", "set", "workers", "redis://other")
    assert (code, out) == (0, f"workers = redis://other\nvox: {told}")


def doctor(vox: Vox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(vox("doctor", "--json").out)
    return [each for each in found if each["name"].startswith("workers")]


def test_doctor_looks_at_the_server_and_who_is_there(
    vox: Vox, fleet: Workers, redis: RedisServer
) -> None:
    assert doctor(vox) == []
    secret = Path(vox.paths.config_dir, "secret")
    secret.write_text("secret")
    secret.chmod(0o644)
    Path(vox.paths.config_path).write_text(
        f'workers = "{redis.url}"\nworkers_password_file = "{secret}"\n'
    )
    readable, refused = doctor(vox)
    assert (readable["level"], readable["hint"]) == ("note", f"run: chmod 600 {secret}")
    assert refused["text"].endswith("has no password, but one was given")
    set_workers(vox, redis.url)
    answers, none = doctor(vox)
    assert answers["level"] == "ok"
    assert f" at 127.0.0.1:{redis.port} answers in " in answers["text"]
    assert answers["text"].startswith("Redis ")
    assert (none["level"], none["text"]) == ("note", "none is available")
    redis.client().config_set("maxmemory", "1")
    try:
        (full,) = doctor(vox)
    finally:
        redis.client().config_set("maxmemory", "0")
    assert (full["level"], full["hint"]) == ("fail", "raise its maxmemory")
    announce(fleet, HERE, OLD)
    redis.client().config_set("maxmemory-policy", "allkeys-lru")
    redis.client().config_set("maxmemory", "100mb")
    try:
        _, evicts, there, others = doctor(vox)
    finally:
        redis.client().config_set("maxmemory", "0")
    assert evicts["text"].endswith("forgets requests when it is full (allkeys-lru)")
    assert there["text"] == "1 available: gpu"
    assert others["text"].startswith("1 of another version of vox")


@pytest.mark.slow
def test_doctor_says_when_a_call_would_have_to_wait(
    vox: Vox, fleet: Workers, redis: RedisServer
) -> None:
    Path(vox.paths.config_path).write_text(
        f'workers = "{redis.url}"\nbackend = "qwen-native"\nidle_timeout = 60\n'
    )
    announce(fleet, replace(HERE, lanes=("hibari",)))
    *_, there, unserved = doctor(vox)
    assert (there["text"], unserved["level"]) == ("1 available: gpu", "fail")
    assert unserved["text"] == "none serves qwen-native, and it is not installed here"
    announce(fleet, replace(HERE, lanes=("qwen-native",)))
    assert doctor(vox)[-1] == there
    # The daemon has no password, for example: here its server is another one.
    vox.ok("daemon", "start", env={"VOX_WORKERS": "redis://127.0.0.1:1"})
    until(vox, "cannot be reached")
    (failed,) = [each for each in doctor(vox) if each["level"] == "fail"]
    assert failed["text"].startswith(
        "the daemon cannot use them: the Redis server 127.0.0.1:1 cannot be reached"
    )
