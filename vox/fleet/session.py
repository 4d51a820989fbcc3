"""The client's side: sends requests, takes the answers, and sends again what is lost.

The daemon is the one that knows what it wants, so it alone decides what happens to a request: Redis
and the workers may forget all of it at any time. Knows Redis and workers, no jobs and no engine.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import random
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..errors import NotAvailable, VoxError, WorkerLost, WorkersAway
from . import keys
from .answers import Answers
from .asked import Asked
from .checks import is_name
from .clones import Clones
from .failures import error_of
from .lease_times import LeaseTimes
from .presence import Presence
from .requests import Answer, NotOurs, Request, answer_of
from .server import TIMEOUT_S, Server
from .storage import FleetQueue, reap, unknown
from .workers import Announced

log = logging.getLogger(__name__)

MAX_LOSSES = 3
"""A request fails after it lost this many workers."""
FORGOTTEN = WorkerLost("the Redis server lost the request")


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
        self.predecessor: str | None = None
        """The id of the client's session before, which may not have been closed. Set before
        `start`."""
        self._times = LeaseTimes(lease_s)
        self.clones = Clones(server)
        self._on_change = on_change
        self._queue = FleetQueue(server)
        self._asked: dict[str, Asked] = {}
        """The requests under way, by the id of the present attempt."""
        self._unwanted: set[str] = set()
        """Requests that the server may still have and nobody wants: the keeper withdraws them."""
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._is_closed = threading.Event()
        self._presence = Presence(server, self.id, self._times)
        self._unreadable: VoxError | None = None
        """Why answers cannot be read."""
        self._is_asked = threading.Event()
        """Answers may come."""
        self._answers = Answers(server, self.id)
        self._keeper = threading.Thread(target=self._keep, name="fleet-keeper", daemon=True)
        self._reader = threading.Thread(target=self._read, name="fleet-reader", daemon=True)

    def start(self) -> None:
        self._keeper.start()
        self._reader.start()

    def close(self) -> None:
        """End the session: its requests end, and the workers stop them."""
        with self._lock:
            self._is_closed.set()
            self._is_asked.set()
        self._presence.pace.end()
        for asked in list(self._asked.values()):
            self._end(asked, WorkersAway("the session with the workers has ended"))
        if self._keeper.is_alive() and self._keeper is not threading.current_thread():
            self._keeper.join(TIMEOUT_S)  # else it might say hello once more
        if self._presence.away is None:
            with contextlib.suppress(VoxError):
                self._forget_unwanted()
                self._remove(self.id)
        self.server.close()

    def _remove(self, session_id: str) -> None:
        """What that session asked for is nobody's from now on. Raises WorkersAway."""
        self.server.call("delete", keys.session(session_id), keys.answers(session_id))

    # -- what there is -----------------------------------------------------------------------

    @property
    def away(self) -> VoxError | None:
        """Why the server cannot be used now; None: it can."""
        return self._presence.away

    @property
    def workers(self) -> tuple[Announced, ...]:
        """All that are there as of the last look, also those of other versions."""
        return self._presence.workers

    @property
    def concurrency(self) -> int:
        """How many requests all workers make at once."""
        return self._presence.concurrency

    def expect_use(self) -> None:
        """Begin a look if the last one was long ago, and do not wait for it."""
        self._presence.pace.use()

    def wait_looked(self, timeout_s: float) -> bool:
        """Wait until it is known whether the server is there now, and who else."""
        return self._presence.wait_looked(timeout_s)

    def serves(self, lane: str) -> bool:
        """Whether a worker is there that takes requests from that lane."""
        return bool(self._presence.serving(lane))

    def is_warm(self, lane: str) -> bool:
        """Whether a worker has the model of that lane loaded."""
        return self._presence.is_warm(lane)

    def width(self, lane: str) -> int:
        """How many requests of that lane the workers make at once."""
        return self._presence.width(lane)

    # -- asking ------------------------------------------------------------------------------

    def ask(self, request: Request, recording: str | None = None) -> Asked:
        """Send a request. Its id, client and session are the session's business.

        `recording`: the path of its clone's recording. Raises WorkersAway, UnknownVoice if the
        recording cannot be read, and NotAvailable if workers cannot take the request.
        """
        request = replace(
            request,
            id=f"{self.id}:{next(self._numbers)}",
            client=self.client,
            session=self.id,
        )
        self._presence.pace.use()
        asked = Asked(request, recording, self.cancel, self._give_up)
        self._send(asked)
        return asked

    def cancel(self, asked: Asked) -> None:
        self._end(asked, None)

    def _end(self, asked: Asked, why: VoxError | None) -> None:
        """There will be no more answers. `why`: None: nobody wants them. Does not wait."""
        with self._lock:
            is_known = self._asked.pop(asked.request.id, None) is not None
            asked.end(why)
        if is_known:
            self._forget(asked.request.id)

    def _forget(self, request_id: str) -> None:
        """Have the server and the worker forget a request, as soon as that is possible."""
        with self._lock:
            self._unwanted.add(request_id)
        if self._presence.away is None:
            self._presence.pace.hurry()

    def _withdraw(self, request_id: str) -> str:
        """Have the server and the worker forget a request now.

        Returns the worker's id, as far as it is known. Raises WorkersAway.
        """
        told: bytes = self.server.run(
            "cancel", [keys.task(request_id), keys.LEASES], [keys.PREFIX, request_id]
        )
        worker = told.decode("utf-8", "replace")
        return worker if is_name(worker) and "#" in worker else ""  # or it is still "queued"

    def _send(self, asked: Asked) -> None:
        """Send the request as its present attempt. Raises what `ask` does."""
        with self._lock:
            if self._is_closed.is_set():
                raise WorkersAway("the session with the workers has ended")
            if asked.is_ended:
                return
            request = asked.begin(self._presence.serving(asked.request.lane))
            self._asked[request.id] = asked
            self._is_asked.set()
        try:
            seq = self._put(request, asked.recording)
        except BaseException:
            with self._lock:
                self._asked.pop(request.id, None)
                self._unwanted.add(request.id)  # it may have got there all the same
            raise
        with self._lock:
            is_wanted = self._asked.get(request.id) is asked
            if is_wanted:
                asked.heard_at = time.monotonic()
                asked.request = replace(request, seq=seq or request.seq)
        if not is_wanted:  # it was cancelled before the server knew it
            self._forget(request.id)

    def _put(self, request: Request, recording: str | None) -> int:
        """Into the queue. Returns its place there."""
        for _ in range(2):
            if recording is not None and request.clone is not None:
                self.clones.offer(request.clone.digest, recording)
            try:
                return self._queue.send(request)
            except LookupError:
                self._presence.meet()
            except NotOurs as exc:
                raise NotAvailable(f"workers cannot take the request: {exc}") from exc
        raise WorkersAway(
            f"the Redis server {self.server.address} does not keep what is written to it"
        )

    def _again(self, request_id: str, why: VoxError, lost_by: str | None = None) -> None:
        """That attempt is over: send the request once more, or give it up.

        `lost_by`: the id of the worker that failed, "": it is not known; None: none did.
        """
        with self._lock:
            asked = self._asked.pop(request_id, None)
            if asked is None:
                return  # it has ended, or another thread was first
            asked.attempt += 1
            if lost_by is not None:
                asked.losses += 1
                asked.lost_by |= {lost_by} - {""}
        log.warning("request %s: %s", request_id, why.message)
        try:
            if asked.losses >= MAX_LOSSES:
                raise why
            self._send(asked)
        except VoxError as exc:
            with self._lock:
                asked.end(exc)

    # -- its threads -------------------------------------------------------------------------

    def _keep(self) -> None:
        """Say that the client is there, look who else is, and find what is lost."""
        while not self._is_closed.is_set():
            before = self._presence.state
            try:
                self._presence.look(self._settle)
                self._look_for_silence()
                if before != self._presence.state:
                    self._on_change()
            except Exception:  # without this thread nothing is ever lost or found
                log.exception("a look at the workers failed")
            self._presence.pace.wait(bool(self._asked or self._unwanted or self._presence.away))

    def _settle(self) -> None:
        """What the server missed. Raises WorkersAway."""
        before, self.predecessor = self.predecessor, None
        if before:
            with contextlib.suppress(VoxError):  # else it expires
                self._remove(before)
        if self._presence.is_forgotten:
            self._presence.is_forgotten = False
            self._send_all_again()
        self._forget_unwanted()
        if self._unreadable is not None:
            raise self._unreadable

    def _send_all_again(self) -> None:
        self.clones.forget_all()
        self._answers.restart()
        sent = [each for each in list(self._asked.values()) if each.heard_at < math.inf]
        for request_id in self._unknown(sent):
            self._again(request_id, FORGOTTEN)

    def _forget_unwanted(self) -> None:
        """Raises WorkersAway."""
        for request_id in list(self._unwanted):
            self._withdraw(request_id)
            with self._lock:
                self._unwanted.discard(request_id)

    def _look_for_silence(self) -> None:
        """End requests that nobody will answer. After an outage, workers get time to answer."""
        long_ago = time.monotonic() - self._times.held_s
        silent = [
            each
            for each in list(self._asked.values())
            if max(each.heard_at, self._presence.changed_at) < long_ago
        ]
        if not silent:
            return
        if self._presence.away is not None:
            for asked in silent:
                self._end(asked, self._presence.away)
            return
        missing = self._unknown(silent)
        for asked in silent:
            if asked.request.id in missing:
                # It may have been made, and its answers are on their way to the reader.
                if self._answers.handled_at > asked.missing_since:
                    self._again(asked.request.id, FORGOTTEN)
                asked.missing_since = min(asked.missing_since, time.monotonic())
            elif asked.worker is None and not self.serves(asked.request.lane):
                self._end(asked, WorkersAway(f"no worker serves {asked.request.lane}"))
        with contextlib.suppress(VoxError):
            reap(self.server)  # their workers may be lost

    def _unknown(self, asked: Sequence[Asked]) -> list[str]:
        """The ids of those that the server does not know."""
        try:
            return unknown(self.server, [each.request.id for each in asked])
        except VoxError:
            return []

    def _read(self) -> None:
        """Hand the answers to those who asked."""
        failures = 0
        while not self._is_closed.is_set():
            try:
                self._read_some()
                failures, self._unreadable = 0, None
                continue
            except VoxError as exc:
                failures += 1
                # A connection that was cut is there again at the second try, and why the server
                # is away is known without it.
                is_why = failures > 2 and self._presence.away in (None, self._unreadable)
                self._unreadable = (self._unreadable or exc) if is_why else None
            except Exception:  # without this thread nothing is ever heard
                log.exception("answers could not be read")
                failures = 10
            self._is_closed.wait(min(2.0, 0.05 * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0))

    def _read_some(self) -> None:
        with self._lock:
            if not (self._asked or self._unreadable or self._is_closed.is_set()):
                self._is_asked.clear()
        if not self._is_asked.is_set():
            self._answers.forget_read()
            self._is_asked.wait()
        for fields in self._answers.next():
            self._take(fields)

    def _take(self, fields: dict[bytes, bytes]) -> None:
        request_id = fields.get(b"u", b"").decode("utf-8", "replace")
        with self._lock:
            asked = self._asked.get(request_id)
        if asked is None:
            return  # it was cancelled, or another attempt is under way
        try:
            self._judge(asked, answer_of(fields))
        except NotOurs as exc:
            self._give_up(asked, request_id, f"sent {exc}")

    def _give_up(self, asked: Asked, request_id: str, what: str) -> None:
        """Have another worker make it, if that is still the present attempt."""
        with self._lock:
            if asked.request.id != request_id:
                return
            worker_id, name = asked.worker_id or "", asked.worker
        try:
            # After its end the server no longer knows who made the request.
            worker_id = self._withdraw(request_id) or worker_id
        except VoxError:
            self._forget(request_id)
        why = WorkerLost(f"the worker {name or _name(worker_id)} {what}")
        self._again(request_id, why, worker_id)

    def _judge(self, asked: Asked, answer: Answer) -> None:
        """Raises NotOurs."""
        name = answer.header.get("worker")
        if answer.event in ("lost", "back"):
            if answer.seq >= 0:
                raise NotOurs("an answer that only the server may send")
            is_loss = answer.event == "lost" and not self._presence.is_troubled
            what = "was stopped" if answer.event == "back" else "was lost"
            why = WorkerLost(f"the worker {_name(name)} {what}")
            self._again(answer.request_id, why, str(name) if is_loss else None)
            return
        with self._lock:
            is_next = asked.is_next(answer)
        if is_next:
            if answer.event == "need-clone":
                if asked.request.clone is None:
                    raise NotOurs("a question for a recording that there is not")
                self.clones.forget(asked.request.clone.digest)
                why = WorkerLost("the Redis server no longer has the recording of the voice")
                self._again(answer.request_id, why, "")
                return
            if answer.event == "error":
                error = error_of(_name(name), answer.header["error"])
                if isinstance(error, WorkerLost):
                    self._again(answer.request_id, error, str(name))
                    return
            with self._lock:
                if self._asked.get(answer.request_id) is not asked:
                    return
                if isinstance(name, str):
                    asked.worker, asked.worker_id = _name(name), name
                if answer.event in ("end", "error"):
                    asked.is_ended = True
                    del self._asked[answer.request_id]
                asked.answers.put(answer)


def _name(worker_id: Any) -> str:
    """A worker's name, without the suffix of its id."""
    return keys.named(str(worker_id).partition("#")[0])
