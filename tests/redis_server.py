"""A Redis server of the tests' own, and a network between it and who uses it that can be bad."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import redis

PROGRAM = "redis-server"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


class RedisServer:
    """A `redis-server` on loopback that keeps nothing on disk."""

    def __init__(self, *options: str) -> None:
        """`options`: of its command line, for example "--requirepass", "secret"."""
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="redis-", dir="/tmp"))
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty, unless it runs. One that a failed test has left frozen goes on."""
        if self._process is not None:
            self.thaw()
            return
        usual = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", "."]
        self._process = subprocess.Popen(
            [PROGRAM, "--port", str(self.port), *usual, "--logfile", "log", *self.options],
            cwd=self.folder,
        )
        deadline = time.monotonic() + 30
        while not self._answers():
            log = self.folder / "log"
            assert self._process.poll() is None, log.read_text() if log.exists() else ""
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as conn:
                conn.sendall(b"PING\r\n")
                return bool(conn.recv(100))
        except OSError:
            return False

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """End it; what it had is gone."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(signum)
            self._process.wait(30)
            self._process = None

    def freeze(self) -> None:
        """It answers nothing from now on, though its connections stay."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self, **options: Any) -> redis.Redis:
        """For the tests to look with."""
        return redis.Redis(port=self.port, protocol=2, **options)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Proxy:
    """A TCP proxy to a port: slow, stalled or cut, as the network of one machine may be."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.delay_s = 0.0
        """Added to all that passes, in each direction."""
        self.bytes_per_s: float | None = None
        self._passes = threading.Event()
        self._passes.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def stall(self) -> None:
        """Let nothing pass, and close nothing: as a network that is gone."""
        self._passes.clear()

    def resume(self) -> None:
        self._passes.set()

    def cut(self) -> None:
        """Reset all connections."""
        pairs, self._pairs = self._pairs, []
        for end in (end for pair in pairs for end in pair):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._server.close()
        self.resume()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                near.close()
                continue
            self._pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                with contextlib.suppress(OSError):  # it was cut already
                    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(16384):
                pause_s = self.delay_s
                if self.bytes_per_s:
                    pause_s += len(data) / self.bytes_per_s
                time.sleep(pause_s)
                self._passes.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
