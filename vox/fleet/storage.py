"""Huey on Redis: a task is a request to synthesize one utterance.

Huey's own storage pops a task and forgets it: one that a worker dies on is gone, and so is one that
is sent to a worker whose network died while it waited. Ours claims a task with a lease, and an idle
worker waits for a token that is worth nothing. Nothing of Huey's is kept in Redis but its messages.
"""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import huey
import huey.consumer
import huey.storage
import redis

from ..errors import VoxError
from ..queue.broker import JsonSerializer
from . import keys
from .requests import TIERS, NotOurs, Request
from .server import BLOCK_S, Server

log = logging.getLogger(__name__)

TTL_MS = 3_600_000
"""Lifetime of a request that nobody takes: its client sent it again long ago."""
MAX_ANSWERS = 1024
"""Rough limit of the entries in a client's stream: at most 64 MB."""
ANSWERS_TTL_MS = 60_000
"""Lifetime of a client's unread answers."""
MAX_WAIT_S = 2.0
"""Longest pause between two tries while the server is unreachable."""
QUEUE = "vox"
TASK = "vox.synthesize"


# Huey was imported without it: see `queue.broker`.
huey.storage.ConnectionPool, huey.storage.Redis = redis.ConnectionPool, redis.Redis
huey.storage.ConnectionError = redis.ConnectionError
huey.storage.TimeoutError = redis.TimeoutError


def reap(server: Server, *given_back: str) -> None:
    """Tell the clients of requests whose workers are lost. Anyone may do it.

    `given_back`: a request's id and its worker's: that one is given back. Raises WorkersAway.
    """
    limits = (MAX_ANSWERS, ANSWERS_TTL_MS)
    server.run("reap", [keys.LEASES], [keys.PREFIX, *limits, *given_back])


class Claimed(NamedTuple):
    request_id: str
    message: bytes
    """What was sent, whatever it is; b"": it was too long."""


class Lane:
    """Where a worker takes requests from. `min_age_s`: it leaves younger ones to others."""

    __slots__ = ("min_age_s", "name")

    def __init__(self, name: str, min_age_s: float = 0.0) -> None:
        self.name = name
        self.min_age_s = min_age_s


def unknown(server: Server, request_ids: Sequence[str]) -> list[str]:
    """Those of these requests that the server does not know. Raises WorkersAway."""
    tasks = [keys.task(each) for each in request_ids]
    if not tasks or server.call("exists", *tasks) == len(tasks):
        return []
    return [each for each in request_ids if not server.call("exists", keys.task(each))]


class FleetStorage(huey.storage.PriorityRedisStorage):  # type: ignore[misc]  # Huey has no types
    """The queue in Redis. A client's `worker_id` is "": it takes nothing."""

    redis_client = redis.Redis

    def __init__(
        self,
        name: str,
        server: Server,
        worker_id: str = "",
        lease_s: float = 0.0,
        lanes: Callable[[], Sequence[Lane]] = tuple,
        on_away: Callable[[VoxError | None], None] = lambda _error: None,
    ) -> None:
        super().__init__(name, connection_pool=server.pool)
        self.server = server
        self.is_stopped = threading.Event()
        self._worker_id = worker_id
        self._lease_ms = round(1000 * lease_s)
        self._lanes = lanes
        self._on_away = on_away
        self._failures = 0

    # -- the client's side -------------------------------------------------------------------

    def enqueue(self, data: bytes, priority: float | None = None) -> int:
        """Returns the request's place in its client's queue; 0: it was there already.

        Raises WorkersAway, and LookupError if the client's session is not known any more.
        """
        request = Request.of(json.loads(data)[6][0])
        ring = keys.ring(request.tier, request.lane)
        answer = self.server.run(
            "submit",
            [
                keys.task(request.id),
                keys.queue(request.tier, request.lane, request.client),
                ring,
                keys.SERVED,
                keys.SEQ,
                keys.wake(request.lane),
                keys.session(request.session),
            ],
            [
                request.id,
                request.client,
                round(priority or 0),
                request.cost,
                TTL_MS,
                keys.answers(request.session),
                data,
                keys.message(request.id),
                "" if request.seq is None else request.seq,
                " ".join(request.avoid),
            ],
        )
        if int(answer) < 0:
            raise LookupError(request.session)
        return int(answer)

    # -- the worker's side -------------------------------------------------------------------

    def dequeue(self) -> bytes | None:
        """A task for the next request, leased to this worker; None: there is none yet.

        What was sent is in it as a text: whoever sent it may not use Huey's schedules and retries,
        nor tasks that follow.
        """
        try:
            lanes = list(self._lanes())
            claimed = self.claim(lanes)
            if claimed is None and not self.is_stopped.is_set():
                self._wait(lanes)
                claimed = self.claim(lanes)
        except VoxError as exc:
            self._failures += 1
            if not self.is_stopped.is_set():  # `stop` may end the connection
                self._on_away(exc)
            pause_s = min(MAX_WAIT_S, 0.1 * 2 ** min(self._failures, 10))
            self.is_stopped.wait(pause_s * random.uniform(0.5, 1.0))
            return None
        self._failures = 0
        self._on_away(None)
        if claimed is None:
            return None
        args = [claimed.request_id, claimed.message.decode("utf-8", "replace")]
        return json.dumps([claimed.request_id, TASK, None, 0, 0, None, args, {}]).encode()

    def claim(self, lanes: Sequence[Lane]) -> Claimed | None:
        """The next request of these lanes, without waiting for one. Raises WorkersAway."""
        if not lanes or self.is_stopped.is_set():
            return None
        rings = [keys.ring(tier, lane.name) for tier in range(TIERS) for lane in lanes]
        ages = [round(1000 * lane.min_age_s) for lane in lanes]
        found = self.server.run(
            "claim",
            [keys.LEASES, keys.SERVED, *rings],
            [keys.PREFIX, self._worker_id, self._lease_ms, MAX_ANSWERS, ANSWERS_TTL_MS, *ages],
        )
        return Claimed(found[0].decode("utf-8", "replace"), found[1]) if found else None

    def _wait(self, lanes: Sequence[Lane]) -> None:
        """Wait until there may be a request in one of the lanes, or for `stop`."""
        own = keys.wake(f"@{self._worker_id}")
        # Requests too young for us must wake the workers that they are left to, so we look.
        lists = [own, *(keys.wake(lane.name) for lane in lanes if not lane.min_age_s)]
        block_s = min([BLOCK_S, *(lane.min_age_s / 2 for lane in lanes if lane.min_age_s)])
        self.server.call("blpop", lists, timeout=max(0.2, block_s))

    def stop(self) -> None:
        """Take no more requests, and end the wait."""
        self.is_stopped.set()
        try:
            own = keys.wake(f"@{self._worker_id}")
            self.server.call("lpush", own, *["1"] * 64)
            self.server.call("pexpire", own, 10_000)
        except VoxError:
            self.server.close()

    # -- what Huey also asks for; not needed ------------------------------------------

    def peek_many(self, _keys: Sequence[str]) -> dict[str, bytes]:
        return {}

    def delete_data(self, _key: str) -> bool:
        return False

    def read_schedule(self, _timestamp: Any) -> list[bytes]:
        return []


class Consumer(huey.consumer.Consumer):  # type: ignore[misc]  # Huey has no types
    def _set_signal_handlers(self) -> None:
        """Set none: the worker handles signals."""


class FleetQueue:
    """The queue of requests, as one side sees it."""

    def __init__(
        self,
        server: Server,
        serve: Callable[[Request], None] | None = None,
        refuse: Callable[[str, str], None] | None = None,
        **worker: Any,
    ) -> None:
        """`worker`: what FleetStorage needs of one. `serve` is called in a thread of Huey's.

        So is `refuse`, with the id of what is no request, and why.
        """
        self._huey = huey.Huey(
            QUEUE,
            results=False,
            serializer=JsonSerializer(),
            storage_class=FleetStorage,
            server=server,
            **worker,
        )
        self.storage: FleetStorage = self._huey.storage
        self._consumer: Consumer | None = None

        def synthesize(request_id: str, message: str) -> None:
            try:
                request = _request_of(request_id, message)
            except NotOurs as exc:
                if refuse is not None:
                    refuse(request_id, str(exc))
            else:
                if serve is not None:
                    serve(request)

        synthesize.__module__, name = TASK.split(".")
        self._task = self._huey.task(name=name)(synthesize)

    def send(self, request: Request) -> int:
        """See `FleetStorage.enqueue`."""
        task = self._task.s(request.to_dict(), priority=request.priority)
        return self.storage.enqueue(self._huey.serialize_task(task), request.priority)

    def start(self, concurrency: int) -> None:
        """Serve so many requests at once, each in a thread."""
        self._consumer = Consumer(
            self._huey,
            workers=concurrency,
            worker_type="thread",
            periodic=False,
            scheduler_interval=60,
            check_worker_health=False,
        )
        self._consumer.start()

    @property
    def _threads(self) -> list[threading.Thread]:
        return [thread for _, thread in self._consumer.worker_threads] if self._consumer else []

    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def has_ended(self) -> bool:
        """Whether all that was taken before `stop` is done."""
        return not any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Take no more requests. Those under way are finished."""
        if self._consumer is not None:
            self._consumer.stop_flag.set()
            self.storage.stop()


def _request_of(request_id: str, message: str) -> Request:
    """The request that was claimed under that id. Raises NotOurs."""
    try:
        fields = json.loads(message)
        name, (found, *_) = fields[1], fields[6]
        request = Request.of(found)
    except NotOurs:
        raise
    except (ValueError, LookupError, TypeError, RecursionError) as exc:
        raise NotOurs("something that is not a request") from exc
    if name != TASK:
        raise NotOurs("another task")
    if request.id != request_id:  # its answers would go to whoever has that id
        raise NotOurs("the id of another request")
    return request
