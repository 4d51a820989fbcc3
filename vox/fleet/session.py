"""A client's side: sends requests to workers, takes their answers, sends again what is lost.

The daemon is the one that knows what it wants, so it alone decides what happens to a request: Redis
and the workers may forget all of it at any time. Knows Redis and workers, no jobs and no engine.
"""

from __future__ import annotations

import itertools
import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..errors import VoxError, WorkerLost, WorkersAway
from . import keys
from .clones import Clones
from .lease_times import LeaseTimes
from .requests import Answer, NotOurs, Request, answer_of, check
from .server import BLOCK_S, Server
from .storage import FleetQueue, reap
from .workers import Announced, Workers

log = logging.getLogger(__name__)

MAX_LOSSES = 3
"""So many workers may be lost on a request before it fails."""
_READ_AT_ONCE = 64
_TRIM_BYTES = 1_000_000
"""What was read is deleted from the stream once it is so much."""


class Asked:
    """A request under way. The thread that asked reads it; the session's threads fill it."""

    def __init__(self, session: Session, request: Request, recording: str | None) -> None:
        self.request = request
        self.recording = recording
        """The path of the clone's recording."""
        self.number = request.id
        self.attempt = 1
        self.losses = 0
        self.worker: str | None = None
        """Who makes it, once somebody does."""
        self.sent_at = time.monotonic()
        self.heard_at = self.sent_at
        """When a worker last said something of it."""
        self.is_ended = False
        """No more answers will come."""
        self.is_cancelled = False
        self.next_seq = 0
        self._session = session
        self._begun_id: str | None = None
        """The attempt of which sound was read."""
        self._unread: Answer | None = None
        self.answers: queue.SimpleQueue[Answer | VoxError | None] = queue.SimpleQueue()

    def next(self, timeout_s: float) -> Answer | None:
        """The next answer: "loading", "begun", "chunk", "end" or "error".

        None: there was none in time, or it was cancelled. Raises WorkersAway or WorkerLost if it
        has failed. WorkerLost also if it begins anew after sound of it was read: then
        `is_going_on`, and the next answers are those of the new attempt, from its beginning.
        """
        found, self._unread = self._unread, None
        if found is None:
            try:
                got = self.answers.get(timeout=timeout_s)
            except queue.Empty:
                return None
            if isinstance(got, VoxError):
                raise got
            if got is None:
                return None
            found = got
        if found.event in ("chunk", "end"):
            if self._begun_id not in (None, found.request_id):
                self._begun_id, self._unread = None, found
                raise WorkerLost("the worker was lost in the middle of an utterance")
            self._begun_id = found.request_id
        return found

    @property
    def is_going_on(self) -> bool:
        """There are answers to come, or to read."""
        return self._unread is not None or not self.is_ended

    def cancel(self) -> None:
        """It is not wanted any more. May be called from any thread, and more than once."""
        self._session.cancel(self)


class Session:
    """One client's. Any thread may use it. `start` it before use."""

    def __init__(
        self,
        server: Server,
        client: str,
        lease_s: float,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_change` is called when workers or the server come or go."""
        self.server = server
        self.client = keys.named(client)
        self.id = f"{self.client}.{secrets.token_hex(4)}"
        self._lease = LeaseTimes(lease_s)
        self.clones = Clones(server)
        self._workers = Workers(server)
        self._on_change = on_change
        self._queue = FleetQueue(server)
        self._asked: dict[str, Asked] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._is_closed = threading.Event()
        self._away: VoxError | None = WorkersAway(f"{server.address} was not asked yet")
        self._all: tuple[Announced, ...] = ()
        self._known: tuple[Announced, ...] = ()
        """Those of them that understand our requests."""
        self._has_looked = threading.Event()
        self._last: bytes | str = "0"
        """The entry of the stream that was read last."""
        self._threads = [
            threading.Thread(target=self._keep, name="fleet-keeper", daemon=True),
            threading.Thread(target=self._read, name="fleet-reader", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Leave: what was asked for ends, and the workers stop it."""
        for asked in list(self._asked.values()):
            self.cancel(asked)
        self._is_closed.set()
        try:
            with self.server.translated():
                self.server.client.delete(keys.session(self.id), keys.answers(self.id))
        except VoxError as exc:
            log.debug("%s", exc.line)
        self.server.close()

    # -- what there is -----------------------------------------------------------------------

    @property
    def away(self) -> VoxError | None:
        """Why the server cannot be used now; None: it can."""
        return self._away

    @property
    def workers(self) -> tuple[Announced, ...]:
        """All that are there as of the last look, also those of other versions."""
        return self._all

    def wait_looked(self, timeout_s: float) -> bool:
        """Wait until it is known whether the server is there, and who else."""
        return self._has_looked.wait(timeout_s)

    # -- asking ------------------------------------------------------------------------------

    def ask(self, request: Request, recording: str | None = None) -> Asked:
        """Send a request. Its id, client and session are the session's business.

        `recording`: the path of its clone's recording. Raises WorkersAway, and UnknownVoice if the
        recording cannot be read.
        """
        request = replace(
            request,
            id=f"{self.id}:{next(self._numbers)}",
            client=self.client,
            session=self.id,
        )
        asked = Asked(self, request, recording)
        self._send(asked)
        return asked

    def cancel(self, asked: Asked) -> None:
        self._end(asked, None)

    def _end(self, asked: Asked, why: VoxError | None) -> None:
        """There will be no more answers. `why`: None: nobody wants them."""
        with self._lock:
            asked.is_ended = True
            asked.is_cancelled = asked.is_cancelled or why is None
            is_known = self._asked.pop(asked.request.id, None) is not None
        asked.answers.put(why)
        if is_known:
            self._withdraw(asked.request.id)

    def _withdraw(self, request_id: str) -> None:
        try:
            self.server.run(
                "cancel", [keys.task(request_id), keys.LEASES], [keys.PREFIX, request_id]
            )
        except VoxError as exc:
            # The worker finds out at its next answer, or by the end of the session.
            log.debug("a request could not be cancelled: %s", exc.line)

    def _send(self, asked: Asked) -> None:
        """Send the request as its present attempt."""
        request = replace(asked.request, id=f"{asked.number}.{asked.attempt}")
        with self._lock:
            if asked.is_ended:
                return
            self._asked.pop(asked.request.id, None)
            asked.request = request
            asked.worker, asked.next_seq = None, 0
            asked.sent_at = asked.heard_at = time.monotonic()
            self._asked[request.id] = asked
        try:
            if asked.recording is not None and request.clone is not None:
                self.clones.offer(request.clone.digest, asked.recording)
            try:
                seq = self._queue.send(request)
            except LookupError:
                self._say_hello()
                seq = self._queue.send(request)
        except BaseException:
            with self._lock:
                self._asked.pop(request.id, None)
            raise
        if seq:
            asked.request = replace(request, seq=seq)

    def _again(self, asked: Asked, why: VoxError, is_loss: bool = True) -> None:
        """The present attempt is over: send the request once more, or give it up."""
        log.warning("request %s: %s", asked.request.id, why.message)
        with self._lock:
            if asked.is_ended or self._asked.pop(asked.request.id, None) is None:
                return
        asked.attempt += 1
        asked.losses += is_loss
        if asked.losses >= MAX_LOSSES:
            asked.is_ended = True
            asked.answers.put(why)
            return
        try:
            self._send(asked)
        except VoxError as exc:
            asked.is_ended = True
            asked.answers.put(exc)

    # -- its threads -------------------------------------------------------------------------

    def _keep(self) -> None:
        """Say that the client is there, look who else is, and find what is lost."""
        while not self._is_closed.is_set():
            before = self._state
            try:
                if self._say_hello():
                    self._send_all_again()
                reap(self.server)
                self._all = tuple(self._workers.look())
                self._known = tuple(worker for worker in self._all if worker.is_ours)
                self._away = None
            except VoxError as exc:
                if self._away is None or self._away.message != exc.message:
                    log.warning("%s", exc.line)
                self._away = exc
            self._has_looked.set()
            self._look_for_silence()
            if before != self._state:
                self._on_change()
            self._is_closed.wait(min(1.0, self._lease.beat_s))

    @property
    def _state(self) -> tuple[Any, ...]:
        """What decides where requests go."""
        return self._away is None, [(each.id, each.lanes, each.warm) for each in self._known]

    def _say_hello(self) -> bool:
        """Keep the session alive. True if the server did not know it (any more)."""
        ttl_ms = round(1000 * max(30.0, 3 * self._lease.lease_s))
        return self.server.call("set", keys.session(self.id), "1", px=ttl_ms, get=True) is None

    def _send_all_again(self) -> None:
        self.clones.forget_all()
        self._last = "0"  # an emptied server whose clock went back would give lower ids
        for asked in list(self._asked.values()):
            self._again(asked, WorkerLost("the Redis server forgot it"), is_loss=False)

    def _look_for_silence(self) -> None:
        """End what nobody will answer."""
        now = time.monotonic()
        for asked in list(self._asked.values()):
            if now - asked.heard_at <= self._lease.held_s:
                continue
            if self._away is not None:
                self._end(asked, self._away)
            elif not self._is_known(asked):
                self._again(asked, WorkerLost("the Redis server forgot it"), is_loss=False)
            elif asked.worker is None and not self.serves(asked.request.lane):
                self._end(asked, WorkersAway(f"no worker serves {asked.request.lane}"))

    def _is_known(self, asked: Asked) -> bool:
        try:
            return bool(self.server.call("exists", keys.task(asked.request.id)))
        except VoxError:
            return True

    def serves(self, lane: str) -> bool:
        """Whether a worker is there that takes requests from that lane."""
        return any(lane in worker.lanes for worker in self._known)

    def is_warm(self, lane: str) -> bool:
        """Whether a worker has the model of that lane loaded."""
        return any(lane in worker.warm for worker in self._known)

    @property
    def concurrency(self) -> int:
        """How many requests all workers make at once."""
        return sum(worker.concurrency for worker in self._known)

    def width(self, lane: str) -> int:
        """How many requests of that lane the workers make at once."""
        return sum(worker.concurrency for worker in self._known if lane in worker.lanes)

    def _read(self) -> None:
        """Hand the answers to those who asked."""
        key, read, failures = keys.answers(self.id), 0, 0
        while not self._is_closed.is_set():
            try:
                found = self.server.call(
                    "xread", {key: self._last}, count=_READ_AT_ONCE, block=round(1000 * BLOCK_S)
                )
                for entry_id, fields in found[0][1] if found else ():
                    self._last = entry_id
                    read += sum(map(len, fields.values()))
                    self._take(fields)
                if read > _TRIM_BYTES:
                    self.server.call("xtrim", key, minid=self._last, approximate=False)
                    read = 0
                failures = 0
            except VoxError:
                failures += 1
                self._is_closed.wait(min(2.0, 0.05 * 2 ** min(failures, 10)))

    def _take(self, fields: Any) -> None:
        try:
            answer = answer_of(fields)
        except NotOurs as exc:
            log.warning("from a worker: %s", exc)
            return
        with self._lock:
            asked = self._asked.get(answer.request_id)
        if asked is None:
            return  # it was cancelled, or another attempt is under way
        try:
            check(answer)
            self._judge(asked, answer)
        except NotOurs as exc:
            name = asked.worker or "a worker"
            self._withdraw(asked.request.id)
            self._again(asked, WorkerLost(f"the worker {name} answered {exc}"))

    def _judge(self, asked: Asked, answer: Answer) -> None:
        """Raises NotOurs."""
        asked.heard_at = time.monotonic()
        name = answer.header.get("worker")
        if answer.event in ("lost", "back"):
            is_loss = answer.event == "lost"
            what = "was lost" if is_loss else "was stopped"
            self._again(asked, WorkerLost(f"the worker {_name(name)} {what}"), is_loss)
            return
        if answer.seq < asked.next_seq:
            return  # it was sent twice, since the worker did not learn that it had come
        if answer.seq > asked.next_seq:
            raise NotOurs("with a gap")
        asked.next_seq += 1
        if isinstance(name, str):
            asked.worker = _name(name)
        if answer.event == "need-clone":
            if asked.request.clone is not None:
                self.clones.forget(asked.request.clone.digest)
            self._again(asked, WorkerLost("the recording of the voice was not there"))
            return
        if answer.event in ("end", "error"):
            with self._lock:
                asked.is_ended = True
                self._asked.pop(asked.request.id, None)
        asked.answers.put(answer)


def _name(worker_id: Any) -> str:
    """What a worker is called, without what tells it from others of its name."""
    return str(worker_id).partition("#")[0] or "unnamed"
