"""The leases of the requests that this worker makes, and their answers to the clients.

A lease is renewed while the request is worked at. Once it is lost, or the request was cancelled,
nothing of it reaches the client any more, and its host is stopped.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import VoxError, WorkersAway
from ..fleet import keys
from ..fleet.lease_times import LeaseTimes
from ..fleet.requests import MAX_PCM, Request
from ..fleet.server import BLOCK_S, Server
from ..fleet.storage import ANSWERS_TTL_MS, MAX_ANSWERS, reap

log = logging.getLogger(__name__)

_PAUSE_S = 0.05
"""Pause before the first retry of an answer."""


class Revoked(Exception):
    """The request is no longer wanted. This is not an error."""


class Lease:
    """The lease of one request. Its thread sends; any thread may call `revoke` and `renew`."""

    def __init__(self, server: Server, worker_id: str, times: LeaseTimes, request: Request) -> None:
        self.request = request
        self._server = server
        self._worker_id = worker_id
        self._times = times
        self._seq = 1  # 0 is "begun", which the claim told
        self._renewed_at = time.monotonic()
        self._revoked = threading.Event()
        self._on_revoked: Callable[[], None] | None = None
        self._lock = threading.Lock()

    @property
    def is_revoked(self) -> bool:
        return self._revoked.is_set()

    def check(self) -> None:
        """Raises Revoked if the request is no longer wanted."""
        if self._revoked.is_set():
            raise Revoked

    def revoke(self) -> None:
        # Under this lease's own lock: afterwards the host makes another request.
        with self._lock:
            self._revoked.set()
            if self._on_revoked is not None:
                self._on_revoked()

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop` if the lease is revoked within the block."""
        with self._lock:
            self._on_revoked = stop
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._on_revoked = None

    def send(self, header: dict[str, Any], pcm: bytes = b"") -> None:
        """Answer the client. Raises Revoked, also if the server was away for too long."""
        parts = [pcm[at : at + MAX_PCM] for at in range(0, len(pcm), MAX_PCM)] or [b""]
        for part in parts:
            self._send(header, part)
            self._seq += 1

    def _send(self, header: dict[str, Any], pcm: bytes) -> None:
        pause_s = _PAUSE_S
        while True:
            self.check()
            try:
                # If the failed call arrived after all, the client drops the second copy.
                is_ours = self._append(json.dumps(header), pcm, header["event"] in ENDS)
                break
            except WorkersAway as exc:
                self._give_up_if_lost(exc)
            self._revoked.wait(pause_s)
            pause_s = min(1.0, 2 * pause_s)
        if not is_ours:
            self.revoke()
            raise Revoked

    def _append(self, header: str, pcm: bytes, is_end: bool) -> bool:
        request_id = self.request.id
        answer = self._server.run(
            "append",
            [keys.task(request_id), keys.LEASES],
            [
                request_id,
                self._worker_id,
                round(1000 * self._times.held_s),
                header,
                pcm,
                self._seq,
                MAX_ANSWERS,
                ANSWERS_TTL_MS,
                int(is_end),
                keys.message(request_id),
            ],
        )
        self._renewed_at = time.monotonic()
        return bool(answer)

    def renew(self) -> None:
        if self._revoked.is_set():
            return
        try:
            if not self._append("", b"", is_end=False):
                self.revoke()
        except WorkersAway as exc:
            self._give_up_if_lost(exc)

    def _give_up_if_lost(self, why: WorkersAway) -> None:
        """Give up after `lease_s`: by then the client has sent the request again."""
        if time.monotonic() - self._renewed_at > self._times.lease_s:
            log.warning("request %s: %s", self.request.id, why.message)
            self.revoke()

    def give_back(self) -> None:
        """Have another worker make it: this one leaves. Raises WorkersAway."""
        self._revoked.set()
        reap(self._server, self.request.id, self._worker_id)


ENDS = ("end", "error", "need-clone")
"""The events after which a request is over."""


class Leases:
    """Holds and renews the leases of one worker. Any thread may use it."""

    def __init__(self, server: Server, worker_id: str, times: LeaseTimes) -> None:
        self._server = server
        self._worker_id = worker_id
        self._times = times
        self._held: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._is_closed = threading.Event()
        self._threads = [
            threading.Thread(target=self._renew, name="leases", daemon=True),
            threading.Thread(target=self._listen, name="cancels", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def count(self) -> int:
        return len(self._held)

    @contextlib.contextmanager
    def holding(self, request: Request) -> Iterator[Lease]:
        """The lease of a request that was claimed, renewed within the block."""
        lease = Lease(self._server, self._worker_id, self._times, request)
        with self._lock:
            self._held[request.id] = lease
        try:
            yield lease
        finally:
            with self._lock:
                self._held.pop(request.id, None)

    def close(self) -> None:
        """Give back what is still being made."""
        self._is_closed.set()
        for lease in self._all():
            with contextlib.suppress(VoxError):
                lease.give_back()
            lease.revoke()

    def _all(self) -> list[Lease]:
        with self._lock:
            return list(self._held.values())

    def _renew(self) -> None:
        while not self._is_closed.wait(self._times.beat_s):
            try:
                for lease in self._all():
                    lease.renew()
                reap(self._server)
            except VoxError as exc:
                log.debug("%s", exc.message)
            except Exception:  # without this thread all leases run out
                log.exception("leases could not be renewed")

    def _listen(self) -> None:
        """Stop at once what is cancelled. If a message is lost, the next answer finds it out."""
        while not self._is_closed.is_set():
            try:
                with self._server.translated(), self._server.client.pubsub() as channel:
                    channel.subscribe(keys.control(self._worker_id))
                    self._listen_on(channel)
            except VoxError as exc:
                log.debug("%s", exc.message)
            self._is_closed.wait(1.0)

    def _listen_on(self, channel: Any) -> None:
        """Return when we are closed, or when the server does not answer a ping."""
        is_asked = False
        while not self._is_closed.is_set():
            message = channel.get_message(timeout=BLOCK_S)
            if message is not None:
                is_asked = False
                if message["type"] == "message":
                    self._cancel(message["data"])
            elif is_asked:
                return
            else:  # a dead connection is as silent as an idle one
                channel.ping()
                is_asked = True

    def _cancel(self, data: bytes) -> None:
        with self._lock:
            lease = self._held.get(data.decode("utf-8", "replace"))
        if lease is not None:
            lease.revoke()
