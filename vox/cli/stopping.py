"""Stopping the daemon, and knowing when it is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from ..client.remote import Client, NoDaemon
from ..errors import DaemonUnavailable
from ..files import is_locked
from ..paths import Paths

POLL_S = 0.02
PATIENCE_S = 2.0
"""After this long the user is told what is being waited for."""
ANSWER_S = 5.0
"""A daemon that does not answer for so long hangs."""
GRACE_S = 10.0
"""How long `--now` may take before the process is killed."""
TERM_S = 2.0
"""How long SIGTERM may take before SIGKILL."""


def stop(client: Client, now: bool, tell: Callable[[str], None]) -> bool:
    """Stop the daemon and wait until it is gone; False if none was there.

    With `now` one that does not answer is killed. Raises DaemonUnavailable.
    """
    try:
        client.call("POST", "/stop", {"now": now}, timeout_s=ANSWER_S)
    except NoDaemon:
        if not is_there(client.paths):
            return False
    except DaemonUnavailable as exc:
        if not now:
            raise DaemonUnavailable(exc.message, "try: vox daemon stop --now") from exc
        _kill(client.paths)
    if now:
        if not _gone_after(client.paths, GRACE_S):
            _kill(client.paths)
    elif not _gone_after(client.paths, PATIENCE_S):
        tell("finishing what is being spoken (vox daemon stop --now cuts it off) ...")
        _gone_after(client.paths, None)
    return True


def is_there(paths: Paths) -> bool:
    """True if a daemon holds the lock: it is up, starting or leaving."""
    return is_locked(paths.lock_path)


def pid_of(paths: Paths) -> int | None:
    """The PID in the PID file, None if there is none."""
    try:
        with open(paths.pid_path, encoding="ascii") as file:
            return int(file.readline())
    except (OSError, ValueError):
        return None


def _gone_after(paths: Paths, limit_s: float | None) -> bool:
    """Wait until the daemon that is there now has gone, or another has taken its place."""
    pid = pid_of(paths)
    deadline = None if limit_s is None else time.monotonic() + limit_s
    # One that leaves takes its PID file away while it still holds the lock.
    while is_there(paths) and pid_of(paths) in (pid, None):
        if deadline is not None and time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _kill(paths: Paths) -> None:
    """End a daemon that neither answers nor leaves. Raises DaemonUnavailable."""
    pid = pid_of(paths)
    if pid is None or not is_there(paths):
        return
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
        if _gone_after(paths, TERM_S):
            return
    raise DaemonUnavailable(f"the daemon, PID {pid}, cannot be stopped", f"try: kill -9 {pid}")
