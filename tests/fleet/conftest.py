"""A Redis server for these tests, empty at the start of each, and both of its sides."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from tests.redis_server import RedisServer
from vox.fleet import keys
from vox.fleet.asked import Asked
from vox.fleet.requests import Answer, Request
from vox.fleet.server import Server
from vox.fleet.session import Session
from vox.fleet.storage import FleetQueue, FleetStorage, Lane, reap
from vox.fleet.workers import Announced, Workers
from vox.redis_url import parse


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.close()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    shared_redis.start()
    shared_redis.client().flushall()
    return shared_redis


@pytest.fixture
def server(redis_server: RedisServer) -> Iterator[Server]:
    """A connection to it."""
    made = Server(parse(redis_server.url), lambda: None)
    yield made
    made.close()


class Client:
    """Who sends requests, without a session's threads."""

    def __init__(self, server: Server, name: str) -> None:
        self.name = name
        self.session = f"{name}.1"
        self.server = server
        self._queue = FleetQueue(server)
        server.call("set", keys.session(self.session), "1", px=60_000)

    def send(
        self,
        request_id: str,
        text: str = "x",
        lane: str = "scripted",
        tier: int = 0,
        priority: int = 0,
        seq: int | None = None,
        avoid: Sequence[str] = (),
    ) -> int:
        """Returns its seq; 0 if it was known. Raises LookupError without a session."""
        request = Request(
            id=request_id,
            client=self.name,
            session=self.session,
            lane=lane,
            backend=lane.partition("/")[0],
            text=text,
            tier=tier,
            priority=priority,
            seq=seq,
            avoid=avoid,
        )
        return self._queue.send(request)

    def cancel(self, request_id: str) -> str:
        found = self.server.run(
            "cancel", [keys.task(request_id), keys.LEASES], [keys.PREFIX, request_id]
        )
        return str(found.decode())

    def leave(self) -> None:
        """Its session ends."""
        self.server.call("delete", keys.session(self.session), keys.answers(self.session))

    def answers(self) -> list[Answer]:
        found = self.server.call("xrange", keys.answers(self.session))
        return [
            Answer(each[b"u"].decode(), int(each[b"s"]), json.loads(each[b"h"]), each[b"d"])
            for _, each in found
        ]

    def events(self) -> list[str]:
        return [f"{answer.request_id} {answer.event}" for answer in self.answers()]


class Taker:
    """Who takes requests, without a worker's threads."""

    def __init__(self, server: Server, worker_id: str = "w#1", lease_s: float = 60.0) -> None:
        self.id = worker_id
        self.lease_ms = round(1000 * lease_s)
        self.server = server
        self._storage = FleetStorage("vox", server, worker_id, lease_s)

    def claim(self, *lanes: str | Lane) -> Request | None:
        taken: Sequence[Lane] = [
            each if isinstance(each, Lane) else Lane(each) for each in lanes or ("scripted",)
        ]
        found = self._storage.claim(taken)
        return None if found is None else Request.of(json.loads(found.message)[6][0])

    def claim_ids(self, count: int, *lanes: str | Lane) -> str:
        """The ids of so many, or of all that there are."""
        found = []
        while len(found) < count and (request := self.claim(*lanes)):
            found.append(request.id)
        return " ".join(found)

    def answer(
        self, request_id: str, event: str = "", seq: int = 0, is_end: bool = False, pcm: bytes = b""
    ) -> bool:
        """Send an answer, "": only renew the lease. False if it is no longer this one's."""
        header = json.dumps({"event": event}) if event else ""
        answer = self.server.run(
            "append",
            [keys.task(request_id), keys.LEASES],
            [
                *(request_id, self.id, self.lease_ms, header, pcm, seq, 1000, 60_000),
                *(int(is_end), keys.message(request_id)),
            ],
        )
        return bool(answer)

    def give_back(self, request_id: str) -> None:
        reap(self.server, request_id, self.id)


@pytest.fixture
def anna(server: Server) -> Client:
    return Client(server, "anna")


@pytest.fixture
def taker(server: Server) -> Taker:
    return Taker(server)


def until(is_so: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


# -- sessions, and workers that do what the test says ----------------------------------------


SOUND = np.zeros(100, "<f4").tobytes()
MakeSession = Callable[..., Session]


@pytest.fixture
def make_session(redis_server: RedisServer) -> Iterator[MakeSession]:
    made: list[Session] = []

    def make(url: str = "", secret: str | None = None, lease_s: float = 1.0) -> Session:
        server = Server(parse(url or redis_server.url), lambda: secret)
        made.append(Session(server, "anna's laptop", lease_s))
        made[-1].start()
        assert made[-1].wait_looked(60)
        return made[-1]

    yield make
    for session in made:
        session.close()


@pytest.fixture
def worker(server: Server) -> Taker:
    """It is announced, and does what the test says."""
    announce(server)
    return Taker(server)


def announce(server: Server, worker_id: str = "w#1") -> None:
    name = worker_id.partition("#")[0]
    there = Announced(id=worker_id, name=name, protocol=keys.PROTOCOL, lanes=("scripted",))
    Workers(server).announce(there, 600)


@pytest.fixture
def session(worker: Taker, make_session: MakeSession) -> Session:
    return make_session()


def request(text: str | None = "one", **fields: object) -> Request:
    wanted = {"id": "", "client": "", "session": "", "lane": "scripted", "backend": "scripted"}
    return Request(**{**wanted, "text": text, **fields})  # type: ignore[arg-type]


def claimed(worker: Taker, *lanes: str) -> str:
    """The id of the next request, waited for."""
    found: list[Request] = []

    def claim() -> bool:
        got = worker.claim(*lanes)
        found.extend([got] if got else [])
        return bool(found)

    until(claim)
    return found[0].id


def send(
    worker: Taker, request_id: str, seq: int, header: object, pcm: bytes = b"", is_end: bool = False
) -> bool:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    args = [request_id, worker.id, worker.lease_ms, raw, pcm, seq, 1000, 60_000, int(is_end)]
    task = [keys.task(request_id), keys.LEASES]
    return bool(worker.server.run("append", task, [*args, keys.message(request_id)]))


CHUNK = {"event": "chunk", "sample_rate": 24_000}
END = {"event": "end", "worker": "w#1", "cut_off": False, "notes": []}


def events(asked: Asked) -> list[str]:
    """What is heard until the end."""
    found: list[str] = []
    while not found or found[-1] not in ("end", "error"):
        answer = asked.next(30)
        assert answer is not None
        found.append(answer.event)
    return found


def make_it(worker: Taker, request_id: str) -> None:
    assert send(worker, request_id, 1, CHUNK, SOUND)
    assert send(worker, request_id, 2, END, is_end=True)
