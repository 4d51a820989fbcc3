"""The daemon's own files: its locks, PID file and control socket, which others find it by.

They may go while it runs: with a logout, a cleaner of temporary files, a moved home. So they are
known by their inodes, not by their paths. What has gone or was replaced is made again, and at the
end nothing is removed but what is its own: at the same paths may be those of a successor, and a
control socket that a service manager passed stays the manager's.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time

from .. import __version__, files
from ..client import http
from ..errors import DaemonUnavailable, StorageError
from ..files import cannot_write, make_private_dir
from ..paths import Paths
from .activation import Inherited, is_served
from .listener import bind_private

log = logging.getLogger(__name__)

BACKLOG = 2048
LOOK_S = 1.0
"""How often it looks after its files."""
LOCK_WAIT_S = 20.0
"""How long a starting daemon waits for one that is leaving."""
POLL_S = 0.05
ANSWER_S = 10.0
"""How long a daemon that listens may take to answer."""
ACTIVATION_S = 60.0
"""As `ANSWER_S`, for one that a service manager starts when it is asked."""
REFUSALS = 3
"""So many looks in a row another process has the lock: it is a daemon, named or not."""
FAILURES = 10
"""So many looks in a row what is gone cannot be made again: it stays gone."""


class Superseded(Exception):
    """Another daemon has the lock: it took this one's place while its files were gone."""


class OwnFiles:
    """The files of the daemon that has the lock. `acquire` it first, then `begin`."""

    def __init__(self, paths: Paths, lock: int, inherited: Inherited | None = None) -> None:
        self._paths = paths
        self._lock = lock
        self._inherited = inherited or Inherited([])
        self.is_activated = False
        """The control socket is a service manager's, which listens when we have left."""
        self._consumer_lock: int | None = None
        # Open as long as it is ours, so that nobody else's file can get its inode.
        self._pid_file: int | None = None
        self._socket: os.stat_result | None = None
        self._refusals = 0
        self._trouble: str | None = None
        """What was logged last of what cannot be made again."""
        self._failures = 0
        """Looks in a row at which something could not be made again."""

    @classmethod
    def acquire(
        cls, paths: Paths, wait_s: float = LOCK_WAIT_S, inherited: Inherited | None = None
    ) -> OwnFiles | None:
        """Become the daemon; None if another one is and listens.

        Waits for a daemon that is leaving: we are its successor. `inherited`: the sockets that a
        service manager passed. If it listens and passed none, the daemon is to be started by it.
        Raises DaemonUnavailable if the other daemon neither listens nor leaves.
        """
        deadline = time.monotonic() + wait_s
        if not inherited and _is_another_s(paths) and _wake(paths.socket_path, ACTIVATION_S):
            return None
        while (lock := _try_lock(paths)) is None:
            if _wake(paths.socket_path):
                return None
            if time.monotonic() > deadline:
                pid = files.holder(paths.lock_path)
                named = f", PID {pid}," if pid else ""
                raise DaemonUnavailable(
                    f"another daemon{named} neither answers nor exits",
                    "end it: vox daemon stop --now",
                )
            time.sleep(POLL_S)
        if _is_up_elsewhere(paths):
            os.close(lock)
            return None
        files.sign(lock)
        return cls(paths, lock, inherited)

    def begin(self) -> socket.socket:
        """Write the PID file and bind the control socket. Raises StorageError."""
        files.remove_parts(self._paths.runtime_dir, older_than_s=0.0)
        self._write_pid()
        return self._adopt() or self._bind()

    def _adopt(self) -> socket.socket | None:
        """The control socket that a service manager passed, if it still lies at its path."""
        path = self._paths.socket_path
        listener = self._inherited.take(socket.AF_UNIX, path)
        if listener is not None:
            with contextlib.suppress(OSError):
                self._socket = os.lstat(path)
                self.is_activated = True
                return listener
            listener.close()
        return None

    def lock_queue(self) -> None:
        """Wait for the lock of the one process that drains the queue. Raises StorageError."""
        from ..engine.consumer_lock import lock_queue

        self._consumer_lock = lock_queue(self._paths, listens_at=self._paths.socket_path)

    def look(self) -> socket.socket | None:
        """Make again what has gone or was replaced. Quick if there is nothing to do.

        Returns the listener that takes the place of the one before, if it was the socket. Raises
        Superseded.
        """
        try:
            listener = self._look()
            self._trouble, self._failures = None, 0
            return listener
        except StorageError as exc:
            self._failures += 1
            if self._trouble != exc.line:
                self._trouble = exc.line
                log.error("what others find this daemon by is gone: %s", exc.line)
        return None

    def _look(self) -> socket.socket | None:
        paths = self._paths
        listener = None
        if not files.is_at(self._lock, paths.lock_path):
            make_private_dir(paths.runtime_dir)
            if not self._has_lock_again():
                return None
        if self._pid_file is None or not files.is_at(self._pid_file, paths.pid_path):
            self._write_pid()
            log.warning("the PID file was made again")
        if not self._is_our_socket():
            listener = self._bind()
            log.warning("the control socket was made again")
        self._look_at_queue()
        return listener

    @property
    def are_lost(self) -> bool:
        """What is gone could not be made again for a while: the user has logged out, for example.
        Nobody finds this daemon."""
        return self._failures >= FAILURES

    def _has_lock_again(self) -> bool:
        lock = files.lock(self._paths.lock_path, blocking=False)
        if lock is None:
            # Or only somebody who looks whether it is locked.
            self._refusals += 1
            if files.holder(self._paths.lock_path) or self._refusals >= REFUSALS:
                raise Superseded
            return False
        files.sign(lock)
        os.close(self._lock)
        self._lock, self._refusals = lock, 0
        log.warning("the daemon's lock was made again")
        return True

    def _look_at_queue(self) -> None:
        mine, path = self._consumer_lock, self._paths.consumer_lock_path
        if mine is None or files.is_at(mine, path) or not os.path.isdir(self._paths.data_dir):
            return
        from ..engine.consumer_lock import lock_queue

        again = lock_queue(self._paths, blocking=False, listens_at=self._paths.socket_path)
        if again is not None:
            self._consumer_lock = again
            os.close(mine)
            log.warning("the queue's lock was made again")

    def _write_pid(self) -> None:
        """The PID file: our PID, and on the second line our version."""
        path = self._paths.pid_path
        try:
            # Not durable: nobody needs it after a power cut.
            with files.replacing(path, durable=False) as file:
                file.write(f"{os.getpid()}\n{__version__}\n".encode())
                again = os.dup(file.fileno())
        except OSError as exc:
            raise cannot_write(path, exc) from exc
        if self._pid_file is not None:
            os.close(self._pid_file)
        self._pid_file = again

    def _is_our_socket(self) -> bool:
        try:
            return self._socket is not None and os.path.samestat(
                self._socket, os.lstat(self._paths.socket_path)
            )
        except OSError:
            return False

    def _bind(self) -> socket.socket:
        """The listening control socket, 0600 in a 0700 folder."""
        listener, self._socket = bind_private(self._paths.socket_path, BACKLOG)
        self.is_activated = False
        return listener

    def remove_socket(self) -> None:
        """While its listener is open: once that is closed, another file may get the inode."""
        if self._is_our_socket() and not self.is_activated:
            with contextlib.suppress(OSError):
                os.unlink(self._paths.socket_path)
        self._socket = None

    def remove(self) -> None:
        """Remove what is ours. The locks are held until the process ends."""
        self.remove_socket()
        if self._pid_file is not None and files.is_at(self._pid_file, self._paths.pid_path):
            with contextlib.suppress(OSError):
                os.unlink(self._paths.pid_path)


def _try_lock(paths: Paths) -> int | None:
    make_private_dir(paths.runtime_dir)
    try:
        return files.lock(paths.lock_path, blocking=False)
    except StorageError:
        if os.path.isdir(paths.runtime_dir):
            raise
        return None  # it was removed between these lines


def _is_another_s(paths: Paths) -> bool:
    """Whether somebody listens on the control socket though there is no daemon."""
    return not files.is_locked(paths.lock_path) and is_served(paths.socket_path)


def _wake(socket_path: str, timeout_s: float = ANSWER_S) -> bool:
    """Make the other daemon check its queue; False if none listens."""
    try:
        http.request(socket_path, "POST", "/wake", body={}, timeout_s=timeout_s).close()
    except (http.Refused, http.Dropped):
        return False
    except TimeoutError:
        raise DaemonUnavailable(
            "a daemon is up but does not answer", "end it: vox daemon stop --now"
        ) from None
    return True


def _is_up_elsewhere(paths: Paths) -> bool:
    """Whether a daemon listens that was started under another XDG_RUNTIME_DIR. It is woken."""
    if files.holder(paths.consumer_lock_path) is None:
        return False
    try:
        with open(paths.consumer_lock_path, "rb") as file:
            listens_at = os.fsdecode(file.read())
    except OSError:
        return False
    return listens_at not in ("", paths.socket_path) and _wake(listens_at)
