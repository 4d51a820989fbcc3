"""Whoever may write to the server may write anything: workers refuse it and go on."""

from __future__ import annotations

import json
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from tests.redis_server import RedisServer
from tests.workers import wait_until, wav
from vox.errors import WorkerLost
from vox.fleet import keys
from vox.fleet.clones import MOST_S, digest_of
from vox.fleet.requests import CloneRef, Request
from vox.fleet.server import Server
from vox.fleet.session import Session
from vox.fleet.storage import TASK
from vox.paths import get_paths

from .conftest import Heard, MakeWorker, hear, request

Say = Callable[..., Heard]
DEEP = 10_000


class Evil:
    """Unpickled, it ends the process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


def message(name: str = TASK, huey: tuple[Any, ...] = (None, 0, 0, None), **fields: Any) -> str:
    """Of the request "bad", but for these fields."""
    made = Request("bad", "anna", "s", "scripted", "scripted", text="secret words").to_dict()
    return json.dumps(["1", name, *huey, [{**made, **fields}], {}])


def said(**fields: Any) -> str:
    return message(said=fields)


NONE = "does not understand the request"
NO_RECORDING = {"digest": "0" * 64, "transcript": None, "lang": None}
THEN = ["2", TASK, None, 0, 0, None, [{"id": "x"}], {}]
RUBBISH: dict[str, tuple[str | bytes, str]] = {
    "a pickle": (pickle.dumps(Evil()), NONE),
    "bytes": (bytes(range(256)) * 10, NONE),
    "nothing": (b"", NONE),
    "half of it": (message()[:-40], NONE),
    "deep": ("[" * DEEP + "]" * DEEP, NONE),
    "deep options": (said(options="@").replace('"@"', '{"a":' * 900 + "1" + "}" * 900), NONE),
    "deeper options": (said(options="@").replace('"@"', '{"a":' * DEEP + "1" + "}" * DEEP), NONE),
    "huge": (message(text="x" * 10_000_000), NONE),
    "long": (message(text="x" * 200_000), NONE),
    "an endless number": (message(priority=10**300), NONE),
    "too many digits": (message().replace('"priority": 0', '"priority": ' + "9" * 5000), NONE),
    "a list": ("[1, 2]", NONE),
    "a text for a list": (message(avoid="all"), NONE),
    "another task": (message(name="os.system"), NONE),
    "no arguments": (json.dumps(["1", TASK, None, 0, 0, None, [], {}]), NONE),
    "the id of another": (message(id="anna:1.1"), NONE),
    "a field that is not known": (message(command="rm"), NONE),
    "no session": (message(session=None), NONE),
    "speed": (said(speed=1e9), NONE),
    "a negative speed": (said(speed=-1), NONE),
    "no number": (said(speed=float("nan")), NONE),
    "no end": (said(speed=float("inf")), NONE),
    "a path for a digest": (message(clone={**NO_RECORDING, "digest": "../../x"}), NONE),
    "a path for a clone": (message(clone={"path": "/etc/passwd"}), NONE),
    "a voice that is a path": (said(voice="../../../etc/passwd"), "no voice called"),
    "another backend": (message(backend="kokoro"), "does not serve"),
    "a model that is a path": (message(model="/etc/passwd"), "does not serve"),
    # What Huey could be told to do: wait, try again, do something else afterwards.
    "later": (message(huey=("2100-01-01T00:00:00", 9, 0, None)), ""),
    "a chain": (message()[:-1] + f", {json.dumps(THEN)}, {json.dumps(THEN)}]", ""),
    "options that are not known": (said(options={"path": "/etc/passwd", "x": [1, 2]}), ""),
    "half a character": (message(text="one \ud800 two"), NONE),
    "half a character in an option": (said(options={"x": ["\udfff"]}), NONE),
    "a zero": (message(text="one \0 two"), ""),
}


def put(server: Server, session: Session, data: str | bytes, request_id: str = "bad") -> None:
    """As a client does, but whatever it likes."""
    ring = keys.ring(0, "scripted")
    server.run(
        "submit",
        [keys.task(request_id), f"{ring}:anna", ring, keys.SERVED, keys.SEQ,
         keys.wake("scripted"), keys.session(session.id)],
        [request_id, "anna", 0, 1, 60_000, keys.answers("test"), data, keys.message(request_id),
         "", ""],
    )  # fmt: skip


def answer(client: redis.Redis) -> dict[str, Any]:
    """The last one to what was put."""
    found: list[dict[str, Any]] = []

    def is_ended() -> bool:
        found[:] = [json.loads(each[b"h"]) for _, each in client.xrange(keys.answers("test"))]
        return bool(found) and found[-1]["event"] in ("end", "error", "need-clone")

    wait_until(is_ended, "it is answered")
    client.delete(keys.answers("test"))
    return found[-1]


def test_whatever_is_in_the_queue_is_refused_and_the_next_request_is_made(
    make_worker: MakeWorker, say: Say, session: Session, server: Server, redis_server: RedisServer,
    scripted_dir: Path, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    make_worker()
    assert say("[say 0.05s]").error == ""
    client = redis_server.client()
    before = set(scripted_dir.iterdir())
    for name, (data, why) in RUBBISH.items():
        put(server, session, data)
        told = answer(client)
        assert why in told.get("error", {"message": ""})["message"], name
        assert (told["event"] == "error") == bool(why), name
        assert say("[say 0.05s]").error == "", name
    assert set(scripted_dir.iterdir()) == before
    assert not os.path.exists(get_paths().clones_dir)
    assert not client.keys("huey*") and not client.exists(keys.LEASES)
    assert "secret words" not in caplog.text and "Traceback" not in caplog.text
    assert [each for each in caplog.records if each.levelno > logging.WARNING] == []


def test_rubbish_leaves_no_memory_behind(
    make_worker: MakeWorker, say: Say, session: Session, server: Server, redis_server: RedisServer
) -> None:
    make_worker()
    client = redis_server.client()

    def grown_mb() -> float:
        for _ in range(10):
            put(server, session, message(text="x" * 3_000_000))
            answer(client)
        return psutil.Process().memory_info().rss / 1e6

    grown_mb()
    first_mb = grown_mb()
    assert grown_mb() < first_mb + 20  # they had 30


# -- keys that are not what they should be ----------------------------------------------------

POISON: dict[str, Callable[[redis.Redis], object]] = {
    "a request that is a text": lambda client: client.set(keys.task("bad"), "x"),
    "a message that is a list": lambda client: (
        client.delete(keys.message("bad")), client.lpush(keys.message("bad"), "x"),
    ),
    "a message that is missing": lambda client: client.delete(keys.message("bad")),
    "no session": lambda client: client.hdel(keys.task("bad"), "session", "avoid", "cost"),
    "times that are none": lambda client: client.hset(
        keys.task("bad"), mapping={"at": "nan", "cost": "1e999"}
    ),
    "a time to come": lambda client: client.hset(keys.task("bad"), "at", "9e18"),
    "a queue that is a text": lambda client: client.set(f"{keys.ring(0, 'scripted')}:anna", "x"),
    "a ring that is a text": lambda client: client.set(keys.ring(0, "scripted"), "x"),
    "leases that are a text": lambda client: client.set(keys.LEASES, "x"),
    "a lease on a text": lambda client: (
        client.zadd(keys.LEASES, {"odd": 1}), client.set(keys.task("odd"), "x"),
    ),
    "a lease of nobody": lambda client: (
        client.zadd(keys.LEASES, {"odd": 1}), client.hset(keys.task("odd"), "out", "x"),
    ),
    "a count that is a text": lambda client: client.set(keys.SEQ, "x"),
    "a count that is a list": lambda client: (client.delete(keys.SEQ), client.lpush(keys.SEQ, "x")),
    "times served that are a text": lambda client: client.set(keys.SERVED, "x"),
    "times served that are none": lambda client: client.hset(keys.SERVED, "", "x"),
    "times served that are no number": lambda client: (
        client.delete(keys.ring(0, "scripted")),
        client.hset(keys.SERVED, mapping={"": "nan", "anna": "inf"}),
    ),
    "answers to a worker": lambda client: client.hset(keys.task("bad"), "out", "vox:workers"),
    "answers to a text": lambda client: client.set(keys.answers("test"), "x"),
}  # fmt: skip


@pytest.mark.parametrize("poison", POISON)
def test_no_key_stops_the_queue(
    make_worker: MakeWorker, session: Session, server: Server, redis_server: RedisServer,
    poison: str,
) -> None:  # fmt: skip
    client = redis_server.client()
    put(server, session, message())
    POISON[poison](client)
    make_worker()
    wait_until(lambda: session.workers, "the worker is announced")
    assert hear(session.ask(request("[say 0.05s]"))).error == ""
    wait_until(lambda: not client.exists(keys.LEASES), "no lease is left")


# -- recordings -------------------------------------------------------------------------------


BAD_RECORDINGS = {
    "no sound": b"RIFF" + bytes(1000),
    "too long": wav(MOST_S + 1),
    "a gigabyte that it says it has": wav(1, claimed=1_000_000_000),
    "of no length": wav(0),
    "a compressed one": b"fLaC" + bytes(1000),
}


@pytest.mark.parametrize("kind", BAD_RECORDINGS)
def test_a_recording_that_is_none_is_neither_kept_nor_given_to_a_backend(
    make_worker: MakeWorker, say: Say, session: Session, home: Path, kind: str
) -> None:
    make_worker()
    path = home / "bad.wav"
    path.write_bytes(BAD_RECORDINGS[kind])
    clone = CloneRef(digest_of(str(path)))
    asked = session.ask(request("one", clone=clone), str(path))
    with pytest.raises(WorkerLost, match="not a WAV file of at most 60 s"):
        hear(asked)
    assert not os.path.exists(get_paths().clones_dir)
    assert say("[say 0.05s]").error == ""


def test_a_recording_with_another_digest_is_asked_for_again(
    make_worker: MakeWorker, session: Session, server: Server, redis_server: RedisServer
) -> None:
    make_worker()
    client = redis_server.client()
    client.set(keys.clone("0" * 64), wav(1))
    put(server, session, message(clone=NO_RECORDING))
    assert answer(client)["event"] == "need-clone"
    assert not client.exists(keys.clone("0" * 64))
    assert not os.path.exists(get_paths().clones_dir)
