"""The daemon's process from outside: its status, starting it, stopping it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from ..errors import DaemonUnavailable
from ..files import is_locked
from ..paths import Paths
from .jobs import ANSWER_TIMEOUT_S, NoDaemon, OnEvent
from .remote import Remote, read_pid_file
from .spawn import spawn_daemon

POLL_S = 0.02
PATIENCE_S = 2.0
"""How long `stop` waits before it says what it waits for."""
ANSWER_S = 5.0
"""How long the daemon may take to answer before it counts as hung."""
WARM_TRIES = 4
"""How often a daemon is asked, and started again, for one model."""
GRACE_S = 10.0
"""How long `--now` may take before the process is killed."""
TERM_S = 2.0
"""How long SIGTERM may take before SIGKILL."""


def health(paths: Paths, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, Any] | None:
    """The daemon's answer to `GET /health`; None if none is up. Raises DaemonUnavailable."""
    try:
        answer: dict[str, Any] = Remote(paths).call("GET", "/health", timeout_s=timeout_s)
    except NoDaemon:
        return None
    return answer


def sound(paths: Paths, timeout_s: float = ANSWER_TIMEOUT_S) -> str | None:
    """Whether the daemon can play: "ok", or a line that says why not; None if none is up.

    Raises DaemonUnavailable.
    """
    try:
        return Remote(paths).readiness(timeout_s).get("audio")
    except NoDaemon:
        return None


def is_up(paths: Paths) -> bool:
    """Whether a daemon listens. Never raises."""
    return Remote(paths).is_up()


def start(paths: Paths) -> list[str]:
    """Start a daemon unless one is up, and wait until it listens.

    Returns notes for the user. Raises DaemonUnavailable, StorageError.
    """
    return spawn_daemon(paths, wait=True)


def warm(paths: Paths, wanted: dict[str, Any], on_event: OnEvent) -> dict[str, Any]:
    """Have a daemon, started if need be, load a model; see `Remote.warm`.

    `on_event` is called with `starting` before a daemon is started. Raises DaemonUnavailable too.
    """
    for _ in range(WARM_TRIES):
        try:
            return Remote(paths).warm(wanted, on_event)
        except NoDaemon:
            on_event("starting", {})
            spawn_daemon(paths, wait=True)
    raise DaemonUnavailable(f"the daemon dies or leaves while it loads {wanted['backend']}")


def unload(paths: Paths, backend: str | None) -> dict[str, Any] | None:
    """Unload the models of a backend, None: all; None if no daemon is up.

    Returns the answer of `POST /unload`. Raises UnknownBackend, DaemonUnavailable.
    """
    try:
        answer: dict[str, Any] = Remote(paths).call("POST", "/unload", {"backend": backend})
    except NoDaemon:
        return None
    return answer


def stop(paths: Paths, now: bool, on_note: Callable[[str], None]) -> bool:
    """Stop the daemon and wait until it is gone; False if none was there.

    With `now` what is being spoken is cut off, and a daemon that does not answer is killed.
    `on_note`: called with a sentence about what takes so long. Raises DaemonUnavailable.
    """
    try:
        Remote(paths).call("POST", "/stop", {"now": now}, timeout_s=ANSWER_S)
    except NoDaemon:
        if not is_there(paths):
            return False
    except DaemonUnavailable as exc:
        if not now:
            raise DaemonUnavailable(exc.message, "try: vox daemon stop --now") from exc
        _kill(paths)
    if now:
        if not _gone_after(paths, GRACE_S):
            _kill(paths)
    elif not _gone_after(paths, PATIENCE_S):
        on_note("finishing what is being spoken (vox daemon stop --now cuts it off) ...")
        _gone_after(paths, None)
    return True


def is_there(paths: Paths) -> bool:
    """True if a daemon holds the lock: it is up, starting or leaving."""
    return is_locked(paths.lock_path)


def _gone_after(paths: Paths, limit_s: float | None) -> bool:
    """Wait until the daemon that is there now has gone, or another has taken its place."""
    pid, _ = read_pid_file(paths)
    deadline = None if limit_s is None else time.monotonic() + limit_s
    # One that leaves takes its PID file away while it still holds the lock.
    while is_there(paths) and read_pid_file(paths)[0] in (pid, None):
        if deadline is not None and time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _kill(paths: Paths) -> None:
    """End a daemon that neither answers nor leaves. Raises DaemonUnavailable."""
    pid, _ = read_pid_file(paths)
    if pid is None or not is_there(paths):
        return
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
        if _gone_after(paths, TERM_S):
            return
    raise DaemonUnavailable(f"the daemon, PID {pid}, cannot be stopped", f"try: kill -9 {pid}")
