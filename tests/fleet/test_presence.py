"""What a client is told of a server that it cannot use: one line."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.redis_server import RedisServer, free_port
from vox.errors import WorkersAway
from vox.fleet.session import Session

from .conftest import MakeSession, Taker, request, until

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


REFUSALS = {
    "full": (("--maxmemory", "1mb"), "is full; raise its maxmemory"),
    "a replica": (("--replicaof", "127.0.0.1", "1"), "is a read-only replica; name its primary"),
    "its disk is gone": (("--save", "1 1"), "cannot save to its disk, so it takes nothing; free"),
    "a cluster": (("--cluster-enabled", "yes"), "is part of a cluster; vox needs a single server"),
    "no scripts": (("--rename-command", "EVALSHA", ""), "lacks a command that vox needs: evalsha;"),
    "no SET": (("--rename-command", "SET", ""), "lacks a command that vox needs; vox needs"),
}


@pytest.mark.parametrize("state", REFUSALS)
def test_what_a_server_refuses_is_told_in_one_line(
    make_session: MakeSession, others: Others, caplog: pytest.LogCaptureFixture, state: str
) -> None:
    options, words = REFUSALS[state]
    server = others(*options, "--enable-debug-command", "yes")
    client = server.client()
    if state == "full":
        client.execute_command("debug", "populate", 2000, "full", 1000)
    if state == "its disk is gone":
        shutil.rmtree(server.folder)
        client.set("what", "ever")
        until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
    if state == "a cluster":
        client.execute_command("cluster", "addslotsrange", 0, 16383)
        until(lambda: b"cluster_state:ok" in client.execute_command("cluster", "info"))
    told(make_session(server.url), words, caplog)


def test_a_server_that_loads_its_data_is_waited_for(
    make_session: MakeSession, others: Others, caplog: pytest.LogCaptureFixture
) -> None:
    server = others()
    client = server.client()
    for number in range(1000):
        client.set(f"key-{number}", "x" * 100)
    client.save()
    server.kill()
    server.options = (*server.options, "--key-load-delay", "2000")
    server.options = (*server.options, "--loading-process-events-interval-bytes", "1024")
    server.start()
    session = make_session(server.url)
    told(session, "is loading its data; vox keeps trying", caplog)
    until(lambda: session.away is None)


@pytest.mark.parametrize("command", ["evalsha", "set", "mget", "xread", "zrevrange"])
def test_a_user_who_may_not_do_one_thing_is_told_and_it_goes_on_once_he_may(
    redis_server: RedisServer, worker: Taker, make_session: MakeSession, command: str
) -> None:
    """Also if nothing fails but to read what workers answer."""
    admin = redis_server.client()
    admin.execute_command(*f"acl setuser guest on nopass ~* &* +@all -{command}".split())
    try:
        session = make_session(f"redis://guest@127.0.0.1:{redis_server.port}")
        with pytest.raises(WorkersAway, match="denies its user what vox needs"):
            heard_of(session)
        assert session.away is not None
        admin.execute_command("acl", "setuser", "guest", f"+{command}")
        until(lambda: session.away is None)
        session.ask(request())
        until(worker.claim)
    finally:
        admin.execute_command("acl", "deluser", "guest")


def heard_of(session: Session) -> None:
    """All that is answered to a request."""
    asked = session.ask(request())
    while True:
        asked.next(30)


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
