"""Whoever holds connections open without the token keeps nobody out, on either socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.sync.client import connect

from vox.api.security import Guard
from vox.config import load
from vox.daemon.connections import Limits, protocol_class, web_socket
from vox.daemon.listener import AT_ONCE, Listener
from vox.paths import get_paths
from vox.tokens import ensure_token

TIMEOUT_S = 10.0
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-"


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body, then answers; `/endless` goes on until the caller goes, a web socket too."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    while (await receive()).get("more_body"):
        pass
    is_endless = scope["path"] == "/endless"
    headers = [] if is_endless else [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if is_endless:
        gone = asyncio.ensure_future(receive())
        while not gone.done():
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
            await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"ok"})


@dataclass
class Served:
    port: int
    socket_path: str
    token: str

    def connect(self, sent: bytes = b"", rcvbuf: int | None = None) -> socket.socket:
        connection = socket.socket()
        if rcvbuf:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        connection.settimeout(TIMEOUT_S)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(sent)
        return connection

    def head(self, path: str = "/", more: str = "") -> bytes:
        token = f"Authorization: Bearer {self.token}\r\n"
        return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}{more}\r\n".encode()

    def status(self, connection: socket.socket, path: str = "/") -> bytes:
        connection.sendall(self.head(path))
        answer = b""
        while not answer.endswith((b"ok", b"}")):
            data = connection.recv(10_000)
            assert data, answer
            answer += data
        return answer.split()[1]

    def status_over_control_socket(self) -> bytes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_S)
            connection.connect(self.socket_path)
            return self.status(connection)


Serve = Callable[[Limits], Served]


@pytest.fixture
def serve(home: Path) -> Iterator[Serve]:
    """Serve with these limits, on TCP and on a control socket, until the test ends."""
    paths = get_paths({"VOX_HOME": str(home)})
    token = ensure_token(paths)
    guard = Guard(_app, paths, lambda: load(paths.config_path, {}))
    socket_path = str(home / "vox.sock")
    with contextlib.ExitStack() as stack:

        def start(limits: Limits) -> Served:
            tcp, control = Listener(), Listener(socket.AF_UNIX, socket.SOCK_STREAM)
            for listener, address in ((tcp, ("127.0.0.1", 0)), (control, socket_path)):
                stack.callback(listener.close)
                listener.bind(address)
                listener.listen(1000)
                listener.setblocking(False)
            http = protocol_class(limits)
            config = uvicorn.Config(
                guard,
                http=http,
                ws=cast("type[asyncio.Protocol]", web_socket),
                lifespan="off",
                log_config=None,
                timeout_graceful_shutdown=1,
            )
            server = uvicorn.Server(config)
            serving = threading.Thread(
                target=lambda: asyncio.run(server.serve(sockets=[tcp, control]))
            )
            serving.start()
            stack.callback(serving.join)
            stack.callback(setattr, server, "should_exit", True)
            return Served(tcp.getsockname()[1], socket_path, token)

        yield start


def _is_over(connection: socket.socket) -> bool:
    """Whether the server ends the connection within the time limit of the test."""
    try:
        while connection.recv(1_000_000):
            pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        pass
    return True


def test_half_sent_heads_keep_nobody_out(serve: Serve) -> None:
    served = serve(Limits(strangers=20))
    with contextlib.ExitStack() as held:
        strangers = [held.enter_context(served.connect(HALF)) for _ in range(200)]
        with served.connect() as known:
            assert served.status(known) == b"200"
        assert served.status_over_control_socket() == b"200"
        assert all(_is_over(stranger) for stranger in strangers[:180])


def test_a_head_that_does_not_come_is_answered_with_408(serve: Serve) -> None:
    served = serve(Limits(token_s=0.1))
    with served.connect(HALF) as half, served.connect() as silent:
        for connection in (half, silent):
            assert connection.recv(1000).split()[1] == b"408"
            assert _is_over(connection)


@pytest.mark.parametrize("authorization", ["", "Authorization: Bearer wrong\r\n"])
def test_without_the_token_a_slow_body_is_cut_off(serve: Serve, authorization: str) -> None:
    served = serve(Limits(token_s=0.3))
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Length: 1000000\r\n\r\n"
    with served.connect(head.encode()) as slow:
        assert slow.recv(1000).split()[1] == b"401"
        stopped = threading.Event()

        def trickle() -> None:
            with contextlib.suppress(OSError):
                while not stopped.wait(0.02):
                    slow.sendall(b"x")

        trickling = threading.Thread(target=trickle)
        trickling.start()
        try:
            assert _is_over(slow)
        finally:
            stopped.set()
            trickling.join()


def test_with_the_token_a_slow_body_and_a_slow_answer_are_waited_for(serve: Serve) -> None:
    served = serve(Limits(token_s=0.1, head_s=0.1))
    head = served.head(more="Content-Length: 3\r\n").replace(b"GET", b"POST")
    with served.connect(head) as slow:
        time.sleep(0.3)  # three times as long as a stranger has
        slow.sendall(b"abc")
        assert slow.recv(1000).split()[1] == b"200"


def test_the_head_of_a_second_request_is_not_waited_for_forever(serve: Serve) -> None:
    served = serve(Limits(head_s=0.1))
    with served.connect() as known:
        assert served.status(known) == b"200"
        known.sendall(HALF)
        assert known.recv(1000).split()[1] == b"408"
        assert _is_over(known)


def test_connections_that_have_the_token_are_limited_too(serve: Serve) -> None:
    served = serve(Limits(known=2))
    with served.connect() as first, served.connect() as second, served.connect() as third:
        assert [served.status(each) for each in (first, second, third)] == [b"200", b"200", b"503"]
        assert served.status(first) == b"200"
        assert served.status_over_control_socket() == b"200"
    with served.connect() as fourth:
        assert served.status(fourth) == b"200"


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Bearer right"])
def test_a_body_that_becomes_nonsense_fills_no_log(
    serve: Serve, authorization: str, caplog: pytest.LogCaptureFixture
) -> None:
    served = serve(Limits())
    token = authorization.replace("right", served.token)
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n"
    bad = f"{head}Transfer-Encoding: chunked\r\n\r\nnonsense\r\n".encode()
    for pieces in ([bad], [bad[:-10], bad[-10:]]):
        with served.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.05)
            assert connection.recv(1000).split()[1] in (b"400", b"401")
            assert _is_over(connection)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_reader_that_takes_nothing_is_cut_off(serve: Serve) -> None:
    served = serve(Limits(stall_s=0.2))
    with served.connect(served.head("/endless"), rcvbuf=10_000) as stalled:
        time.sleep(0.5)
        assert _is_over(stalled)


def test_a_reader_that_is_slow_is_not_cut_off(serve: Serve) -> None:
    served = serve(Limits(stall_s=0.5))
    with served.connect(served.head("/endless"), rcvbuf=100_000) as slow:
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            assert slow.recv(1_000_000)
            time.sleep(0.01)


def test_the_control_socket_has_no_limits(serve: Serve) -> None:
    served = serve(Limits(known=1, strangers=1, token_s=0.05, head_s=0.05, stall_s=0.05))
    with contextlib.ExitStack() as held:
        half = [held.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(5)]
        for connection in half:
            connection.settimeout(TIMEOUT_S)
            connection.connect(served.socket_path)
            connection.sendall(HALF)
        time.sleep(0.3)
        for connection in half:
            connection.sendall(b"A: b\r\n\r\n")
            assert connection.recv(1000).split()[1] == b"200"


def test_few_connections_are_taken_in_a_row_and_a_lack_of_files_is_said_once() -> None:
    with Listener() as listener, contextlib.ExitStack() as opened:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1000)
        listener.setblocking(False)
        for _ in range(AT_ONCE + 3):
            opened.enter_context(socket.create_connection(listener.getsockname()))
        for _ in range(AT_ONCE):
            opened.enter_context(listener.accept()[0])
        with pytest.raises(BlockingIOError):
            listener.accept()
        opened.enter_context(listener.accept()[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/dev/fd"))
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
            for _ in range(highest):  # what is free below the highest
                with contextlib.suppress(OSError):
                    opened.callback(os.close, os.dup(0))
            with pytest.raises(OSError) as lack:
                listener.accept()
            assert lack.value.errno == errno.EMFILE
            with pytest.raises(BlockingIOError):
                listener.accept()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        opened.enter_context(listener.accept()[0])


def test_a_process_with_few_files_leaves_fewer_to_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        few = Limits.of_process()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (few.known, few.strangers) == (32, 16)


def test_a_web_socket_counts_as_a_connection_until_it_is_closed(serve: Serve) -> None:
    served = serve(Limits(known=2, strangers=10, token_s=1.0))

    def opened() -> connect:
        return connect(
            f"ws://localhost:{served.port}/",
            sock=socket.create_connection(("127.0.0.1", served.port)),
            additional_headers={"Authorization": f"Bearer {served.token}"},
        )

    for _ in range(3):
        with opened(), opened():
            assert not _is_served(served)
        deadline = time.monotonic() + TIMEOUT_S
        while not _is_served(served):
            assert time.monotonic() < deadline


def _is_served(served: Served) -> bool:
    with served.connect() as connection:
        return served.status(connection) == b"200"


def test_a_web_socket_lives_on_after_the_time_to_show_the_token(serve: Serve) -> None:
    served = serve(Limits(token_s=0.2, head_s=0.2))
    with connect(
        f"ws://localhost:{served.port}/",
        sock=socket.create_connection(("127.0.0.1", served.port)),
        additional_headers={"Authorization": f"Bearer {served.token}"},
    ) as web:
        with pytest.raises(TimeoutError):
            web.recv(timeout=0.6)
        assert web.ping().wait(TIMEOUT_S)
