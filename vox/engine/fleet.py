"""The daemon's link to the workers on other machines, as the settings have it now.

Nothing of `vox.fleet` that needs Redis is imported until the setting `workers` is there.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from .. import files
from ..config import Config
from ..errors import StorageError, VoxError, WorkersAway
from ..fleet.summary import summary

if TYPE_CHECKING:
    from ..fleet.workers import Announced
    from ..hosts import remote

    class Session(remote.Session, Protocol):
        """See `fleet.session.Session`."""

        @property
        def away(self) -> VoxError | None: ...
        @property
        def workers(self) -> Sequence[Announced]: ...
        @property
        def concurrency(self) -> int: ...
        def expect_use(self) -> None: ...
        def wait_looked(self, timeout_s: float) -> bool: ...
        def serves(self, lane: str) -> bool: ...
        def close(self) -> None: ...


log = logging.getLogger(__name__)

_MAX_ID = 200
_LOOK_S = 2.0
"""How long the first request waits for a first look at the server."""
DISTRUST_S = 1.0
"""How long workers are not used after a request failed for lack of them."""


Connect = Callable[[str, str | None, float, Callable[[], None]], "Session"]
"""Begins a session, given the settings `workers`, `workers_password_file` and `lease_s`, and what
to call when workers come or go. Raises BadConfig."""


def connect(
    session_path: str,
    url: str,
    password_file: str | None,
    lease_s: float,
    on_change: Callable[[], None],
) -> Session:
    """`session_path`: the file that keeps the session's id. The others: see `Connect`."""
    from ..fleet.server import Server
    from ..redis_url import parse, password

    server = Server(parse(url), lambda: password(password_file))
    from ..fleet import session

    made = session.Session(server, platform.node() or "vox", lease_s, on_change)
    made.predecessor = _replaced(session_path, made.id)
    made.start()
    return made


def _replaced(path: str, text: str) -> str | None:
    """Write the text into the file; returns what it was before, if there was one."""
    before = None
    with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
        before = file.read(_MAX_ID)
    with contextlib.suppress(StorageError):  # then this session, if it is cut off, expires
        files.write(path, text, mode=0o600)
    return before


class Fleet:
    """Any thread may use it."""

    def __init__(self, config: Callable[[], Config], connect: Connect | None) -> None:
        """`connect`: None: this process leaves it to the daemon to use workers."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when workers, or their server, come or go."""
        self._config = config
        self._connect = connect
        self._lock = threading.Lock()
        self._made_for: tuple[str, str | None, float] | None = None
        self._session: Session | None = None
        self._trouble: VoxError | None = None
        self._distrusted: VoxError | None = None
        self._distrusted_until = 0.0
        self._is_closed = False

    @property
    def is_set(self) -> bool:
        """Whether the settings name workers."""
        return self._config()["workers"] is not None

    @property
    def session(self) -> Session | None:
        """The session at the server of the settings, begun if need be; None: there is none."""
        wanted = self._wanted
        if wanted == self._made_for:
            return self._session
        with self._lock:
            if wanted != self._made_for and not self._is_closed:
                self._end()
                self._trouble = self._distrusted = None
                if self._connect is not None and wanted is not None:
                    self._begin(self._connect, *wanted)
                self._made_for = wanted
                self._tell()  # waiting jobs may be made here now, or by other workers
            return self._session

    @property
    def _wanted(self) -> tuple[str, str | None, float] | None:
        """The session that the settings ask for; None: none."""
        config = self._config()
        if self._connect is None or config["workers"] is None:
            return None
        return config["workers"], config["workers_password_file"], float(config["lease_s"])

    @property
    def is_behind(self) -> bool:
        """The settings have changed since the session was begun."""
        return self._wanted != self._made_for

    def tick(self) -> None:
        """Begin the session before it is needed, and another one once the settings are others.

        To be called every second or so.
        """
        _ = self.session
        if self._trouble is not None:
            self._begin_again()
        if self._distrusted is not None and time.monotonic() >= self._distrusted_until:
            self._distrusted = None
            self._tell()

    def _begin(self, connect: Connect, url: str, password_file: str | None, lease_s: float) -> None:
        try:
            self._session = connect(url, password_file, lease_s, self._tell)
            self._trouble = None
        except VoxError as exc:
            if self._trouble is None:
                log.warning("%s", exc.line)
            self._trouble = exc

    def _begin_again(self) -> None:
        """The package may have been installed meanwhile."""
        with self._lock:
            wanted = self._wanted
            is_due = self._trouble is not None and wanted == self._made_for and not self._is_closed
            if is_due and self._connect is not None and wanted is not None:
                self._begin(self._connect, *wanted)
                if self._session is not None:
                    self._tell()

    def _end(self) -> None:
        """In a thread: it takes its time if the server does not answer."""
        old, self._session = self._session, None
        if old is not None:
            threading.Thread(target=old.close, name="fleet-close", daemon=True).start()

    def _tell(self) -> None:
        self.on_change()

    def expect_job(self) -> None:
        """Look at the workers while a job is taken in, if the last look was long ago."""
        session = self._session
        if session is not None and self._config()["placement"] != "local":
            session.expect_use()

    def trouble(self) -> VoxError | None:
        """Why no worker can be used now; None: some may be there."""
        if self._connect is None:
            return WorkersAway("only the daemon uses workers", "run: vox daemon start")
        session = self.session
        if session is None:
            return self._trouble or WorkersAway(
                "no workers are set", "to set their server: vox config set workers redis://HOST"
            )
        if self._distrusted is not None and time.monotonic() < self._distrusted_until:
            return self._distrusted
        session.wait_looked(_LOOK_S)
        return session.away

    def distrust(self, error: VoxError) -> None:
        """A request has just failed with that error, although workers seemed to be there."""
        self._distrusted_until = time.monotonic() + DISTRUST_S
        self._distrusted = error

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
        away = (
            session.away
            if session
            else trouble or WorkersAway(f"the Redis server {address} has not been reached yet")
        )
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
