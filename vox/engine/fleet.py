"""The daemon's link to the workers on other machines, as the settings have it now.

Nothing of `vox.fleet` that needs Redis is imported until the setting `workers` is there.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..errors import VoxError, WorkersAway
from ..fleet.summary import summary

if TYPE_CHECKING:
    from ..fleet.session import Session

log = logging.getLogger(__name__)

_LOOK_S = 2.0
"""How long the first request waits for a first look at the server."""


class Fleet:
    """Any thread may use it."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self.on_change: Callable[[], None] = lambda: None
        """Called when workers, or their server, come or go."""
        self._config = config
        self._lock = threading.Lock()
        self._made_for: tuple[object, ...] = ()
        self._session: Session | None = None
        self._trouble: VoxError | None = None
        self._is_closed = False

    @property
    def is_set(self) -> bool:
        """There are workers, as far as the settings go."""
        return self._config()["workers"] is not None

    @property
    def session(self) -> Session | None:
        """The session at the server of the settings, begun if need be; None: there is none."""
        wanted = self._wanted
        if wanted == self._made_for:
            return self._session
        with self._lock:
            if wanted != self._made_for and not self._is_closed:
                self._begin(*wanted)
                self._made_for = wanted
            return self._session

    @property
    def _wanted(self) -> tuple[Any, ...]:
        config = self._config()
        return tuple(config[key] for key in ("workers", "workers_password_file", "lease_s"))

    @property
    def is_behind(self) -> bool:
        """The settings have changed since the session was begun: `follow` them."""
        return self._wanted != self._made_for

    def follow(self) -> None:
        """Begin the session that the settings want, and end another one. This may take a while."""
        _ = self.session

    def _begin(self, url: str | None, password_file: str | None, lease_s: float) -> None:
        old, self._session, self._trouble = self._session, None, None
        if old is not None:
            old.close()
        if url is None:
            return
        from ..redis_url import parse, password

        try:
            from ..fleet.server import Server

            server = Server(parse(url), lambda: password(password_file))
            from ..fleet.session import Session
        except VoxError as exc:
            log.warning("%s", exc.line)
            self._trouble = exc
            return
        session = Session(server, platform.node() or "vox", lease_s, self._tell)
        session.start()
        self._session = session

    def _tell(self) -> None:
        self.on_change()

    def trouble(self) -> VoxError | None:
        """Why no worker can be used now; None: some may be there."""
        session = self.session
        if session is None:
            return self._trouble or WorkersAway("no workers are set", "vox config set workers URL")
        session.wait_looked(_LOOK_S)
        return session.away

    def serves(self, lane: str) -> bool:
        """Whether a worker is there that takes requests from that lane."""
        session = self.session
        return session is not None and self.trouble() is None and session.serves(lane)

    def describe(self) -> dict[str, Any]:
        """See `fleet.summary`: as of the last look at the server. Quick."""
        url = self._config()["workers"]
        if url is None:
            return summary(None)
        from ..redis_url import parse

        address, session, trouble = parse(url), self._session, self._trouble
        if self.is_behind:
            session = trouble = None
        away = session.away if session else trouble or WorkersAway(f"{address} was not asked yet")
        return summary(str(address), session.workers if session else (), away)

    def look(self) -> dict[str, Any]:
        """As `describe`, once it is known whether the server is there."""
        if self.is_set:
            self.trouble()
        return self.describe()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            session, self._session = self._session, None
        if session is not None:
            with contextlib.suppress(VoxError):
                session.close()
