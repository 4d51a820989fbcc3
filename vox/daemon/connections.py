"""How many connections over TCP there may be, and how long each may keep us waiting.

Until a connection has shown the token it is a stranger's: there are few of these, the newest take
the place of the oldest, and each has a moment to show the token. So whoever holds connections open
can neither take the files that everything else needs nor keep out who has the token. Connections
of servers (`api.remote_hosts`) have the same limits: a request that may be answered is their token.
Those over the control socket are the user's own and have none.
"""

from __future__ import annotations

import asyncio
import functools
import resource
from dataclasses import dataclass, field
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..api.security import is_control


@dataclass(frozen=True, slots=True)
class Limits:
    """What connections over TCP may take."""

    known: int = 1024
    """Connections that have shown the token."""
    strangers: int = 256
    """Connections that have not."""
    token_s: float = 10.0
    """How long one may take to show the token, from its first moment."""
    head_s: float = 10.0
    """How long the head of a later request may take, from its first byte."""
    stall_s: float = 300.0
    """How long a reader may take nothing of what waits for it."""

    @classmethod
    def of_process(cls) -> Limits:
        """Limits that leave most of the process's files to everything else."""
        usual = cls()
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if files == resource.RLIM_INFINITY:
            return usual
        return cls(min(usual.known, files // 8), min(usual.strangers, files // 16))


@dataclass(slots=True)
class Connections:
    """The open connections over TCP. Only used from the loop's thread."""

    limits: Limits
    known: set[LimitedProtocol] = field(default_factory=set)
    strangers: dict[LimitedProtocol, None] = field(default_factory=dict)
    """In the order in which they came."""

    def add(self, protocol: LimitedProtocol) -> None:
        if len(self.strangers) >= self.limits.strangers:
            oldest = next(iter(self.strangers))
            del self.strangers[oldest]
            oldest.transport.abort()
        self.strangers[protocol] = None

    def admit(self, protocol: LimitedProtocol) -> bool:
        """Note that it has shown the token; False if there are too many already."""
        if protocol in self.known:
            return True
        if len(self.known) >= self.limits.known:
            return False
        self.strangers.pop(protocol, None)
        self.known.add(protocol)
        return True

    def remove(self, protocol: LimitedProtocol) -> None:
        self.strangers.pop(protocol, None)
        self.known.discard(protocol)


def protocol_class(limits: Limits) -> type[asyncio.Protocol]:
    """What uvicorn makes for each connection."""
    made = functools.partial(LimitedProtocol, connections=Connections(limits))
    return cast("type[asyncio.Protocol]", made)


def web_socket(**options: Any) -> asyncio.Protocol:
    """What uvicorn makes for each web socket."""
    from .web_socket import CountedWebSocket

    return CountedWebSocket(**options)


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP on one connection, with limits if it is one over TCP."""

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open = connections
        self._is_limited = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._is_limited = not is_control(self.server)
        if self._is_limited:
            self._open.add(self)
            self.app_state = {**self.app_state, "admit": self._admit}
            self._start_head_timer(self._open.limits.token_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()
        super().connection_lost(exc)

    def _admit(self) -> bool:
        """The token was shown: see `Connections.admit`."""
        is_admitted = self._open.admit(self)
        if is_admitted:
            self._stop_head_timer()
        return is_admitted

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self.app_state = {**self.app_state, "lost": self._lost}
        super().handle_websocket_upgrade(event)

    def _lost(self) -> None:
        """The connection, which a web socket had taken over, has ended."""
        self._open.remove(self)
        self._stop_head_timer()
        self._stop_stall_timer()

    # -- a head that does not come to its end ------------------------------------------------

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self in self._open.known:
            if self.conn.their_state is not h11.IDLE:
                self._stop_head_timer()
            elif self._head_timer is None:
                self._start_head_timer(self._open.limits.head_s)

    def _start_head_timer(self, seconds: float) -> None:
        self._head_timer = self.loop.call_later(seconds, self._on_no_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_no_head(self) -> None:
        self._head_timer = None
        if self.conn.our_state is not h11.IDLE or self.transport.is_closing():
            self.transport.abort()  # a stranger goes on sending what was refused long ago
            return
        headers = [("connection", "close"), ("content-length", "0")]
        answer = h11.Response(status_code=408, headers=headers, reason=b"Request Timeout")
        self.transport.write(self.conn.send(answer) or b"")
        self.transport.close()

    # -- a request that breaks off into nonsense ---------------------------------------------

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP. Nothing that is under way is answered besides: uvicorn would
        try, and log a traceback, so that one without the token could fill the log."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    # -- a reader that takes nothing ---------------------------------------------------------

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._is_limited and self._stall_timer is None:
            stall_s = self._open.limits.stall_s
            self._stall_timer = self.loop.call_later(stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_stall_timer()

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
