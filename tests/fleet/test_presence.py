"""What a client is told of a server that it cannot use: one line."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.redis_server import RedisServer, free_port
from vox.errors import WorkersAway
from vox.fleet.session import Session

from .conftest import (
    MakeSession,
    request,
)

SECRET = "a s3cret/of#ours"
Others = Callable[..., RedisServer]


@pytest.fixture
def others() -> Iterator[Others]:
    """Starts servers with options of their own."""
    with contextlib.ExitStack() as stack:

        def start(*options: str) -> RedisServer:
            made = RedisServer(*options)
            stack.callback(made.close)
            return made

        yield start


def test_a_wrong_or_missing_password_is_told_in_one_line(
    make_session: MakeSession, others: Others, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    locked = others("--requirepass", "the right one")
    for secret, words in ((SECRET, "refuses the password"), (None, "requires a password")):
        session = make_session(locked.url, secret)
        told(session, words, caplog)
        with pytest.raises(WorkersAway) as error:
            session.ask(request())
        assert SECRET not in error.value.line + repr(error.value)
    assert make_session(locked.url, "the right one").away is None


def told(session: Session, words: str, caplog: pytest.LogCaptureFixture) -> None:
    """It says so, on a line of its own in the log too; the password is nowhere."""
    away = session.away
    assert away is not None
    assert words in away.line and "\n" not in away.line
    ours = [record.getMessage() for record in caplog.records if record.name == "vox.fleet.presence"]
    assert ours[-1] == away.line
    server = session.server
    shown = f"{away.line} {away!r} {caplog.text} {server.client!r} {server.pool!r} {server!r}"
    assert SECRET not in shown


def test_a_user_who_may_not_do_it_is_told_in_one_line(
    redis_server: RedisServer, make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.client().execute_command(
        *f"ACL SETUSER guest on >{SECRET.replace(' ', '')} +ping +exists +set ~*".split()
    )
    port = redis_server.port
    session = make_session(f"redis://guest@127.0.0.1:{port}", SECRET.replace(" ", ""))
    told(session, "denies its user what vox needs", caplog)
    told(make_session(f"redis://guest@127.0.0.1:{port}", SECRET), "refuses the password", caplog)
    redis_server.client().execute_command("ACL", "DELUSER", "guest")


def test_a_full_server_is_told_in_one_line(
    make_session: MakeSession, others: Others, caplog: pytest.LogCaptureFixture
) -> None:
    full = others("--maxmemory", "1mb", "--enable-debug-command", "yes")
    full.client().execute_command("debug", "populate", 2000, "full", 1000)
    told(make_session(full.url), "is full; raise its maxmemory", caplog)


def test_a_server_that_is_none_is_told_in_one_line(
    make_session: MakeSession, caplog: pytest.LogCaptureFixture
) -> None:
    told(make_session(f"redis://127.0.0.1:{free_port()}"), "Connection refused", caplog)
    told(make_session("redis://no-such-host.invalid"), "cannot be reached", caplog)
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff\x15\x03", b"+OK\r\n", b""):
        with Peer(answer) as peer:
            told(make_session(f"redis://127.0.0.1:{peer.port}"), "127.0.0.1", caplog)
            assert "Bad Request" not in caplog.text
    told(make_session("unix:///no/such/socket"), "No such file or directory", caplog)


class Peer:
    """It says one thing to everybody, and is no Redis."""

    def __init__(self, answer: bytes) -> None:
        import socket

        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                conn, _ = self._server.accept()
                with conn:
                    conn.settimeout(5)
                    conn.recv(1000)
                    conn.sendall(self._answer)
            except OSError:
                if self._server.fileno() < 0:
                    return

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_exc: object) -> None:
        import socket

        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
