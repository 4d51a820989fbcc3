"""A service manager as systemd is one: it keeps the sockets, and starts the daemon when asked."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

from tests.running import Vox
from vox.files import make_private_dir

LAUNCH = """
import fcntl, os, sys
fds = [int(fd) for fd in sys.argv[1:]]
spare = [fcntl.fcntl(fd, fcntl.F_DUPFD, 50) for fd in fds]
for number, fd in enumerate(spare):
    os.dup2(fd, 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES="vox")
os.execv(sys.executable, [sys.executable, "-m", "vox.daemon"])
"""
POLL_S = 0.05


class ServiceManager:
    """Listens on the control socket, and on TCP if a port is given."""

    def __init__(self, vox: Vox, port: int | None = None) -> None:
        self._vox = vox
        path = vox.paths.socket_path
        make_private_dir(os.path.dirname(path))
        control = socket.socket(socket.AF_UNIX)
        control.bind(path)
        os.chmod(path, 0o600)
        self._sockets = [control]
        if port is not None:
            tcp = socket.socket()
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind(("127.0.0.1", port))
            self._sockets.append(tcp)
        for listener in self._sockets:
            listener.listen()
        self.started: list[int] = []
        """The PIDs of the daemons that it started."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._closing.is_set():
            asked, _, _ = select.select(self._sockets, [], [], POLL_S)
            if asked:
                with self._popen() as daemon:
                    self.started.append(daemon.pid)
                    while daemon.poll() is None and not self._closing.wait(POLL_S):
                        pass
                    daemon.terminate()

    def _popen(self) -> subprocess.Popen[bytes]:
        fds = [listener.fileno() for listener in self._sockets]
        return subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *map(str, fds)],
            env={**os.environ, **self._vox.environ, "VOX_HOME": str(self._vox.home)},
            pass_fds=fds,
        )

    def close(self) -> None:
        self._closing.set()
        self._thread.join()
        for listener in self._sockets:
            listener.close()

    def start(self) -> None:
        self._thread.start()


@contextlib.contextmanager
def service_manager(vox: Vox, port: int | None = None) -> Iterator[ServiceManager]:
    manager = ServiceManager(vox, port)
    manager.start()
    try:
        yield manager
    finally:
        manager.close()
