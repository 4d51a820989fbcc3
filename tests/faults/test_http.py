"""Hostile HTTP on both sockets: it is refused, and whoever behaves is served meanwhile."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import struct
from collections.abc import Iterator

import psutil
import pytest

from tests.api.conftest import free_port
from tests.sound import SoundServer

from .audit import audit
from .chance import Chance, tries
from .home import Home, wait_until

TIMEOUT_S = 20.0
PIPELINED = 50


Road = str
"""`socket`, `tcp` (with the token) or `stranger` (over TCP, without it)."""


class Server:
    """The daemon of a home, as whoever means it harm sees it."""

    def __init__(self, vox: Home) -> None:
        self._path = vox.paths.socket_path
        self._port = free_port()
        vox.ok("config", "set", "http", f"127.0.0.1:{self._port}")
        vox.ok("daemon", "start")
        self._token = vox.ok("daemon", "token")
        (daemon,) = vox.daemons()
        self.process: psutil.Process = daemon

    def connect(self, road: Road) -> socket.socket:
        family = socket.AF_UNIX if road == "socket" else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT_S)
        connection.connect(self._path if road == "socket" else ("127.0.0.1", self._port))
        return connection

    def head(self, road: Road, method: str, target: str, *headers: str) -> bytes:
        """A request's first lines, without the empty one that ends them."""
        token = [f"Authorization: Bearer {self._token}"] if road == "tcp" else []
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *token, *headers]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n"


def _bodies(chance: Chance) -> list[bytes]:
    """Bodies that are no request to speak."""
    return [
        b"", b"[", b"null", b"[]", b'{"text": 1}', b'{"text": NaN}', b'"text"', b"\xff\xfe{\x00",
        b'{"text": "\xff"}', b'{"text": "\\ud800"}', b'{"text": "' + b"\\u0000" * 50 + b'"}',
        b"[" * 100_000, b'{"a":' * 50_000, b'{"text": ' + b"9" * 100_000 + b"}",
        b"\x1f\x8b\x08" + chance.randbytes(100), chance.randbytes(chance.randint(1, 5000)),
        json.dumps({"text": "x", "output": "/dev/null/x.wav"}).encode(),
        json.dumps({"text": "x", "speed": 1e999, "voice": "\x1b]0;x\x07"}).encode(),
    ]  # fmt: skip


def _attacks(server: Server, road: Road, chance: Chance) -> list[bytes]:
    """What is sent in one go. Each is refused, or waited for until its sender goes."""

    def post(*headers: str, body: bytes = b"") -> bytes:
        kind = "Content-Type: application/json"
        return server.head(road, "POST", "/speak", kind, *headers) + b"\r\n" + body

    body = chance.choice(_bodies(chance))
    get = server.head(road, "GET", "/ping")
    return [
        get[: chance.randint(1, len(get) - 1)],
        post("Content-Length: 1000", body=b'{"text":'),
        post(f"Content-Length: {len(body)}", body=body),
        post(f"Content-Length: {len(body)}", "Content-Encoding: gzip", body=body),
        post("Content-Length: 2", body=b"{}" + chance.randbytes(500)),
        *(
            post(f"Content-Length: {wrong}", body=b"{}")
            for wrong in ("-1", "2x", "9" * 40, "", "2, 3")
        ),
        post("Content-Length: 2", "Content-Length: 3", body=b"{}"),
        post("Content-Length: 999999999", body=b"x" * 10_000),
        post("Content-Length: 2", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        *(
            post("Transfer-Encoding: chunked", body=chunks)
            for chunks in (b"zz\r\n", b"-1\r\n", b"F" * 30 + b"\r\nx", b"5\r\nabc", b"\r\n" * 100,
                           b"1;" + b"a" * 50_000, b"1\r\nx\r\n" * 5_000)
        ),
        post("Transfer-Encoding: gzip, identity", body=body),
        server.head(road, "GET", "/ping", "X: " + "a" * 100_000) + b"\r\n",
        server.head(road, "GET", "/ping", *(f"X{n}: a" for n in range(5_000))) + b"\r\n",
        server.head(road, "GET", "/" + "a" * 100_000) + b"\r\n",
        server.head(road, "GET", "/jobs/%2e%2e%2f%00%ff?limit=-1&state=x&before=%f0") + b"\r\n",
        *(server.head(road, method, "/speak") + b"\r\n" for method in ("BREW", "get", "A" * 5_000)),
        server.head(road, "GET", "/ping", "Upgrade: websocket", "Connection: upgrade") + b"\r\n",
        server.head(road, "POST", "/speak", "Expect: 100-continue", "Content-Length: 5") + b"\r\n",
        b"GET /ping HTTP/9.9\r\n\r\n", b"GET /ping\r\n\r\n", b"\r\n" * 5_000, b"\x00" * 10_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(500),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", chance.randbytes(chance.randint(1, 20_000)),
        (get + b"\r\n") * PIPELINED,
    ]  # fmt: skip


def _send(connection: socket.socket, data: bytes, chance: Chance) -> bytes:
    """Send it, whole or in pieces; what came back at once, if the other side still listens."""
    with contextlib.suppress(OSError):
        piece = chance.choice([len(data), len(data) // 3 + 1])
        for start in range(0, len(data), piece):
            connection.sendall(data[start : start + piece])
        connection.settimeout(0.05)
        return connection.recv(1_000_000)
    return b""


def _leave(connection: socket.socket, chance: Chance) -> None:
    """Close it, half or whole, in the middle of everything or with a reset."""
    with contextlib.suppress(OSError):
        if chance.random() < 0.3:
            connection.shutdown(socket.SHUT_WR)
        elif chance.random() < 0.5:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("road", ["socket", "tcp", "stranger"])
def test_hostile_requests_are_refused_and_others_served(
    vox: Home, chance: Chance, sound: SoundServer, road: Road
) -> None:
    server = Server(vox)
    with contextlib.ExitStack() as held:
        for _ in range(tries(1, 20)):
            attacks = _attacks(server, road, chance)
            chance.shuffle(attacks)
            for attack in attacks:
                connection = held.enter_context(server.connect(road))
                answer = _send(connection, attack, chance)
                assert not answer.startswith(b"HTTP/1.1 5"), (attack[:300], answer)
                assert road != "stranger" or not answer.startswith(b"HTTP/1.1 2"), answer
                if chance.random() < 0.7:
                    _leave(connection, chance)
            assert vox.post(file=True).is_accepted
            assert vox.health()["status"] == "ok"
    assert "Traceback" not in vox.log()
    if road != "stranger":
        _pipelined(server, road)
    audit(vox)


def _pipelined(server: Server, road: Road) -> None:
    """Requests that are sent in one go are answered one after the other."""
    with server.connect(road) as connection:
        connection.sendall((server.head(road, "GET", "/ping") + b"\r\n") * PIPELINED)
        answers = b""
        while answers.count(b"HTTP/1.1 204") < PIPELINED:
            data = connection.recv(100_000)
            assert data, answers
            answers += data


@contextlib.contextmanager
def _many_files() -> Iterator[int]:
    """Let this process open as many files as it may; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 20_000 if hard == resource.RLIM_INFINITY else min(hard, 20_000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    try:
        yield most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_connections_keep_nobody_out(
    vox: Home, chance: Chance, sound: SoundServer
) -> None:
    server = Server(vox)
    before = server.process.num_fds()
    with _many_files() as files, contextlib.ExitStack() as held:
        for number in range(min(tries(2_000, 10_000), files - 500)):
            connection = held.enter_context(server.connect("stranger"))
            half = b"GET / HTTP/1.1\r\nX: " if chance.random() < 0.8 else b""
            with contextlib.suppress(OSError):  # it had to make room already
                connection.sendall(half)
            if number % 500 == 0:
                assert vox.post(file=True).is_accepted
                with server.connect("tcp") as known:
                    known.sendall(server.head("tcp", "GET", "/ping") + b"\r\n")
                    assert known.recv(1000).startswith(b"HTTP/1.1 204")
        assert server.process.num_fds() < before + 1_000
        assert vox.say("-o", str(vox.outputs / "said.wav")).is_accepted
    wait_until(lambda: server.process.num_fds() < before + 50, "the connections are closed")
    audit(vox)


def _read_nothing(connection: socket.socket, sent: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(sent)


@pytest.mark.parametrize("road", ["socket", "tcp"])
def test_readers_that_take_nothing_cost_little_and_hold_up_nobody(
    vox: Home, chance: Chance, sound: SoundServer, road: Road
) -> None:
    server = Server(vox)
    speech = json.dumps({"model": "scripted", "input": "[say 60s]", "voice": "one",
                         "response_format": "wav"}).encode()  # fmt: skip
    assert vox.post(file=True).is_accepted  # a model is warm
    vox.drain()
    before_mb = server.process.memory_info().rss / 1e6
    with contextlib.ExitStack() as held:
        for _ in range(20):
            _read_nothing(
                held.enter_context(server.connect(road)),
                server.head(road, "GET", "/events") + b"\r\n",
            )
        listening = held.enter_context(server.connect(road))
        length = f"Content-Length: {len(speech)}"
        kind = "Content-Type: application/json"
        target = "/v1/audio/speech"
        _read_nothing(listening, server.head(road, "POST", target, kind, length) + b"\r\n" + speech)
        for number in range(tries(20, 300)):
            key = f"{number:03}".ljust(900, "x")  # it stands in every event
            assert vox.post(file=True, script="[say 0.05s]", replace=key).is_accepted
        vox.drain()
        grown_mb = server.process.memory_info().rss / 1e6 - before_mb
        assert grown_mb < 100, grown_mb
    audit(vox)
