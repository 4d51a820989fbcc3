"""What workers announce of themselves, and what others may have written there."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from tests.redis_server import RedisServer
from vox.fleet import keys
from vox.fleet.server import Server
from vox.fleet.workers import FORGOTTEN_S, Announced, Workers
from vox.redis_url import parse

GPU = Announced(
    "gpu#1", "gpu", keys.PROTOCOL, lanes=("qwen", "qwen/1.7b"), warm=("qwen",), requests=2,
    audio_s=3.0, synthesis_s=1.5, load_s={"qwen": 2.0},
)  # fmt: skip


def names(workers: Workers) -> list[str]:
    return [each.name for each in workers.look()]


def test_what_is_announced_is_seen_until_it_leaves_or_is_silent(
    server: Server, redis_server: RedisServer
) -> None:
    workers = Workers(server)
    assert workers.look() == []
    workers.announce(replace(GPU, id="b#1", name="b"), 60)
    workers.announce(GPU, 60)
    first, second = workers.look()
    assert (first.name, second.name) == ("b", "gpu")
    assert second == replace(GPU, seen_s=second.seen_s)
    assert (second.x_realtime, second.backends) == (2.0, ("qwen",))
    redis_server.client().delete(keys.worker("b#1"))  # as if its time had run out
    assert names(workers) == ["gpu"]
    workers.leave("gpu#1")
    assert names(workers) == []


def test_the_names_of_those_that_are_gone_do_not_stay_for_ever(
    server: Server, redis_server: RedisServer
) -> None:
    client = redis_server.client()
    seconds, _ = client.time()
    client.zadd(keys.WORKERS, {"old#1": seconds - FORGOTTEN_S - 60, "asleep#1": seconds - 60})
    Workers(server).announce(GPU, 60)
    assert client.zrange(keys.WORKERS, 0, -1) == [b"asleep#1", b"gpu#1"]


def test_who_may_only_read_can_look(server: Server, redis_server: RedisServer) -> None:
    Workers(server).announce(GPU, 60)
    client = redis_server.client()
    client.zadd(keys.WORKERS, {"gone#1": client.time()[0]})
    rights = "+@read +@connection +time +evalsha +script|load"
    client.execute_command(*f"ACL SETUSER anna on >pw allkeys -@all {rights}".split())
    reader = Server(parse(redis_server.url.replace("//", "//anna@")), lambda: "pw")
    try:
        assert names(Workers(reader)) == ["gpu"]
    finally:
        reader.close()
        client.execute_command("ACL", "DELUSER", "anna")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{}", "[" * 60_000, "x" * 70_000, "\udcff", '{"name": "x"}']
    + [json.dumps({"protocol": value}) for value in (True, None, "1", 1.5, -1, 1000)],
)
def test_what_is_no_announcement_is_left_out(
    server: Server, redis_server: RedisServer, text: str
) -> None:
    workers = Workers(server)
    workers.announce(GPU, 60)
    write(redis_server, "x#1", text)
    assert names(workers) == ["gpu"]


@pytest.mark.parametrize(
    "field",
    [
        {"name": "\x1b[2J"}, {"name": "x" * 201}, {"name": 1}, {"busy": -1}, {"busy": True},
        {"concurrency": "2"}, {"audio_s": float("inf")}, {"audio_s": -1}, {"lanes": "qwen"},
        {"lanes": [1]}, {"warm": {"qwen": 1}}, {"load_s": {"qwen": "1"}}, {"load_s": {"\ud800": 1}},
        {"seen_s": -5}, {"name": ""}, {"name": "a b"}, {"name": "漢字"}, {"name": "\ud800"},
        {"device": "cuda\n0"}, {"machine": "\x9b2J"}, {"lanes": [""]}, {"warm": ["\x1b[2J"]},
        {"busy": 33}, {"busy": 1e9}, {"concurrency": 0}, {"concurrency": 10**9},
        {"requests": 10**400}, {"audio_s": 10**400}, {"synthesis_s": float("nan")},
        {"load_s": {"qwen": 10**400}}, {"load_s": {"qwen": -1}}, {"load_s": {"": 1}},
        {"id": "other#1"}, {"unknown": 1},
    ],
)  # fmt: skip
def test_of_an_announcement_only_what_makes_sense_is_taken(
    server: Server, redis_server: RedisServer, field: dict[str, Any]
) -> None:
    write(redis_server, "x#1", json.dumps({"protocol": 7, **field}))
    (found,) = Workers(server).look()
    assert found == replace(Announced("x#1", "x-1", 7), seen_s=found.seen_s)
    assert not found.is_ours


@pytest.mark.parametrize("score", [-math.inf, 0, math.inf])
def test_when_it_was_seen_is_a_number_whatever_stands_there(
    server: Server, redis_server: RedisServer, score: float
) -> None:
    write(redis_server, "x#1", json.dumps({"protocol": 1}))
    redis_server.client().zadd(keys.WORKERS, {"x#1": score})
    (found,) = Workers(server).look()
    assert 0 <= found.to_dict()["seen_s"] <= FORGOTTEN_S


@pytest.mark.parametrize(
    ("audio_s", "synthesis_s"),
    [(0.0, 1.0), (1.0, 0.0), (9e15, 5e-324), (5e-324, 9e15), (9e15, 1.0), (1.0, 9e15)],
)
def test_a_speed_that_was_not_measured_is_not_known(audio_s: float, synthesis_s: float) -> None:
    found = replace(GPU, audio_s=audio_s, synthesis_s=synthesis_s)
    assert found.x_realtime is None and found.to_dict()["x_realtime"] is None


@pytest.mark.parametrize("worker_id", ["", "\x1b[2J", "a\nb", "x" * 201, "\u202e"])
def test_who_has_no_name_is_no_worker(
    server: Server, redis_server: RedisServer, worker_id: str
) -> None:
    write(redis_server, worker_id, json.dumps({"protocol": keys.PROTOCOL}))
    assert Workers(server).look() == []


def write(redis_server: RedisServer, worker_id: str, text: str) -> None:
    client = redis_server.client()
    client.zadd(keys.WORKERS, {worker_id: client.time()[0]})
    client.set(keys.worker(worker_id), text.encode("utf-8", "surrogateescape"))
