"""The daemon's process from outside: its status, starting it, stopping it."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import DaemonUnavailable, StorageError, VoxError
from ..files import holder, is_locked, locked
from ..paths import Paths
from .jobs import ANSWER_TIMEOUT_S, NoDaemon, OnEvent
from .remote import Remote
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
TERM_S = 3.0
"""How long SIGTERM may take before SIGKILL."""
SILENT_S = 20.0
"""How long a daemon may be silent, because it starts or leaves, before it counts as hung."""
START_TRIES = 5
"""How often a daemon is started that leaves at once."""
BIND_S = 3.0
"""How long one that runs may take to bind a socket that was removed."""


def health(paths: Paths, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, Any] | None:
    """The daemon's answer to `GET /health`; None if none is up.

    Waits a moment for one that is there without a socket. Raises DaemonUnavailable.
    """
    if _would_start(paths):
        return None
    deadline = time.monotonic() + BIND_S
    while True:
        try:
            return _health(paths, timeout_s)
        except NoDaemon:
            if not is_there(paths):
                return None
        if time.monotonic() > deadline:
            raise DaemonUnavailable("the daemon is starting or exiting", "try again in a moment")
        time.sleep(POLL_S)


def _health(paths: Paths, timeout_s: float = ANSWER_TIMEOUT_S) -> dict[str, Any]:
    answer: dict[str, Any] = Remote(paths).call("GET", "/health", timeout_s=timeout_s)
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
    """Whether a daemon listens. Never raises, and starts none."""
    return is_there(paths) and Remote(paths).is_up()


def start(paths: Paths) -> tuple[list[str], dict[str, Any]]:
    """Start a daemon unless one is up, and wait until it listens.

    Returns notes for the user, and the daemon's `/health`. Raises DaemonUnavailable, StorageError.
    """
    for _ in range(START_TRIES):
        notes = spawn_daemon(paths, wait=True)
        with contextlib.suppress(NoDaemon):  # it was just leaving
            return notes, _health(paths)
    raise DaemonUnavailable("the daemon exited as soon as it started", "see: vox daemon logs")


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
    raise DaemonUnavailable(f"the daemon died or exited while it loaded {wanted['backend']}")


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
    `on_note`: called with a sentence about what takes so long. Raises DaemonUnavailable if the
    daemon is still there.
    """
    if _would_start(paths):
        return False
    try:
        if not _tell_to_stop(paths, now, on_note):
            return False
    except DaemonUnavailable as exc:
        if not now:
            raise DaemonUnavailable(exc.message, "end it: vox daemon stop --now") from exc
        _kill(paths, _standing(paths))
        return True
    standing = _standing(paths)
    if now:
        # One whose place was taken has no socket, so it was not told.
        _send(signal.SIGTERM, [lock for lock in standing if lock.pid != standing[0].pid])
        if not _gone_after(standing, GRACE_S):
            _kill(paths, standing)
    elif not _gone_after(standing, PATIENCE_S):
        on_note("finishing what is being spoken (vox daemon stop --now cuts it off) ...")
        _wait_for_end(paths, standing)
    return True


def _would_start(paths: Paths) -> bool:
    """Whether none is there, and who asks for one has the service start it."""
    if is_there(paths):
        return False
    from ..service.choice import owns_socket

    return owns_socket(paths)


def is_there(paths: Paths) -> bool:
    """True if a daemon holds a lock: it is up, starting or leaving."""
    return is_locked(paths.lock_path) or holder(paths.consumer_lock_path) is not None


def _tell_to_stop(paths: Paths, now: bool, on_note: Callable[[str], None]) -> bool:
    """Reach the daemon, also one whose socket is not there yet or was removed; False if none is
    there. Raises DaemonUnavailable if it neither answers nor ends."""
    began = time.monotonic()
    limit_s, answer_s = (GRACE_S, ANSWER_S) if now else (SILENT_S, SILENT_S)
    # Nobody removes the queue's lock: with all other files it went under a daemon, or for none.
    is_lost = os.path.exists(paths.db_path) and not os.path.exists(paths.consumer_lock_path)
    was_there = was_noted = False
    while True:
        try:
            Remote(paths).call("POST", "/stop", {"now": now}, timeout_s=answer_s)
            return True
        except NoDaemon:
            passed_s = time.monotonic() - began
        if is_there(paths):
            was_there = True
        elif was_there or not is_lost or passed_s > BIND_S:
            return was_there
        if passed_s > limit_s and (standing := _standing(paths)):
            raise _hung(standing, "try: vox daemon stop --now")
        if passed_s > PATIENCE_S and not (was_noted or now):
            was_noted = True
            on_note("waiting for the daemon, which is starting or exiting ...")
        time.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class _Lock:
    """A lock that a daemon holds, and its PID; None: it has not signed the lock yet."""

    path: str
    pid: int | None

    @property
    def is_held(self) -> bool:
        """Whether that daemon still has it."""
        pid = holder(self.path)
        # One that ends is not named any more a moment before its lock is free.
        return is_locked(self.path) if pid is None else pid == self.pid


def _standing(paths: Paths) -> list[_Lock]:
    """The locks that daemons hold now; the system says whose they are.

    There may be two daemons: the second lock's finishes what it speaks, and the first lock's has
    taken its place while its files were gone.
    """
    first = _Lock(paths.lock_path, holder(paths.lock_path))
    second = _Lock(paths.consumer_lock_path, holder(paths.consumer_lock_path))
    # A light call holds the second one too, and does not sign it.
    return [lock for lock in (first, second) if lock.is_held and (lock is first or lock.pid)]


def _gone_after(standing: list[_Lock], limit_s: float) -> bool:
    """Wait until those daemons have gone, whoever has taken their place."""
    deadline = time.monotonic() + limit_s
    while any(lock.is_held for lock in standing):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _wait_for_end(paths: Paths, standing: list[_Lock]) -> None:
    """Wait for a daemon that finishes what is being spoken, which may take an hour.

    Raises DaemonUnavailable if it neither answers nor ends.
    """
    answered_at = time.monotonic()
    while not _gone_after(standing, PATIENCE_S):
        if _answers(paths):
            answered_at = time.monotonic()
        elif time.monotonic() - answered_at > SILENT_S:
            raise _hung(standing, "try: vox daemon stop --now")


def _answers(paths: Paths) -> bool:
    try:
        Remote(paths).call("GET", "/ping", timeout_s=ANSWER_S)
    except (NoDaemon, VoxError):
        return False
    return True


def _kill(paths: Paths, standing: list[_Lock]) -> None:
    """End daemons that neither answer nor leave. Raises DaemonUnavailable."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        _send(signum, standing)
        if _gone_after(standing, TERM_S):
            _clean_up(paths)
            return
    left = [lock for lock in standing if lock.is_held]
    raise _hung(left, f"try: kill -9 {_named(left)}")


def _send(signum: signal.Signals, standing: list[_Lock]) -> None:
    for pid in {lock.pid for lock in standing if lock.is_held and lock.pid is not None}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
            os.kill(pid, signal.SIGCONT)  # one that is suspended heeds nothing else


def _clean_up(paths: Paths) -> None:
    """Remove what a daemon that was killed left, unless another one is there."""
    with contextlib.suppress(StorageError, OSError), locked(paths.lock_path, wait_s=TERM_S) as lock:
        if lock is not None:
            for path in (paths.socket_path, paths.pid_path):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)


def _hung(standing: list[_Lock], hint: str) -> DaemonUnavailable:
    if named := _named(standing):
        return DaemonUnavailable(f"the daemon, PID {named}, neither answers nor ends", hint)
    held = " ".join(lock.path for lock in standing)
    return DaemonUnavailable("an unknown process holds the daemon's lock", f"find it: lsof {held}")


def _named(standing: list[_Lock]) -> str:
    return " ".join(map(str, sorted({lock.pid for lock in standing if lock.pid is not None})))
