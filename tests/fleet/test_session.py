"""A client's session: what it hears, what it sends again, and what it says of the server."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.redis_server import Proxy, RedisServer, free_port
from vox.errors import LoadFailed, NotAvailable, UnknownVoice, VoxError, WorkerLost, WorkersAway
from vox.fleet import keys
from vox.fleet.asked import Asked
from vox.fleet.clones import digest_of
from vox.fleet.requests import CloneRef, Request
from vox.fleet.server import Server
from vox.fleet.session import MAX_LOSSES, Session
from vox.fleet.workers import Announced, Workers
from vox.redis_url import parse

from .conftest import Taker, until

SOUND = np.zeros(100, "<f4").tobytes()
MakeSession = Callable[..., Session]


@pytest.fixture
def make_session(redis_server: RedisServer) -> Iterator[MakeSession]:
    made: list[Session] = []

    def make(url: str = "", secret: str | None = None, lease_s: float = 1.0) -> Session:
        server = Server(parse(url or redis_server.url), lambda: secret)
        made.append(Session(server, "anna's laptop", lease_s))
        made[-1].start()
        assert made[-1].wait_looked(60)
        return made[-1]

    yield make
    for session in made:
        session.close()


@pytest.fixture
def worker(server: Server) -> Taker:
    """It is announced, and does what the test says."""
    announce(server)
    return Taker(server)


def announce(server: Server, worker_id: str = "w#1") -> None:
    name = worker_id.partition("#")[0]
    there = Announced(id=worker_id, name=name, protocol=keys.PROTOCOL, lanes=("scripted",))
    Workers(server).announce(there, 600)


@pytest.fixture
def session(worker: Taker, make_session: MakeSession) -> Session:
    return make_session()


def request(text: str | None = "one", **fields: object) -> Request:
    wanted = {"id": "", "client": "", "session": "", "lane": "scripted", "backend": "scripted"}
    return Request(**{**wanted, "text": text, **fields})  # type: ignore[arg-type]


def claimed(worker: Taker, *lanes: str) -> str:
    """The id of the next request, waited for."""
    found: list[Request] = []

    def claim() -> bool:
        got = worker.claim(*lanes)
        found.extend([got] if got else [])
        return bool(found)

    until(claim)
    return found[0].id


def send(
    worker: Taker, request_id: str, seq: int, header: object, pcm: bytes = b"", is_end: bool = False
) -> bool:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    args = [request_id, worker.id, worker.lease_ms, raw, pcm, seq, 1000, 60_000, int(is_end)]
    task = [keys.task(request_id), keys.LEASES]
    return bool(worker.server.run("append", task, [*args, keys.message(request_id)]))


BEGUN = {"event": "begun", "worker": "w#1"}
CHUNK = {"event": "chunk", "sample_rate": 24_000}
END = {"event": "end", "worker": "w#1", "cut_off": False, "notes": []}


def events(asked: Asked) -> list[str]:
    """What is heard until the end."""
    found: list[str] = []
    while not found or found[-1] not in ("end", "error"):
        answer = asked.next(30)
        assert answer is not None
        found.append(answer.event)
    return found


def make_it(worker: Taker, request_id: str) -> None:
    for seq, (header, pcm) in enumerate(((BEGUN, b""), (CHUNK, SOUND), (END, b""))):
        assert send(worker, request_id, seq, header, pcm, is_end=header is END)


# -- answers ----------------------------------------------------------------------------------


def test_answers_are_heard_in_order_and_doubles_are_dropped(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    got = claimed(worker)
    send(worker, got, 0, BEGUN)
    for seq in (1, 1, 2, 1, 3):
        sound = np.full(10, seq / 10, "<f4").tobytes()
        send(worker, got, seq, CHUNK, sound)
    send(worker, got, 4, END, is_end=True)
    first = asked.next(30)
    assert first is not None and first.event == "begun"
    assert asked.worker == "w"
    heard = []
    while (answer := asked.next(30)) and answer.event == "chunk":
        heard.append(round(float(np.frombuffer(answer.pcm, "<f4")[0]), 1))
    assert heard == [0.1, 0.2, 0.3]
    assert answer is not None and answer.event == "end"
    assert not asked.is_going_on


def test_an_answer_of_an_old_attempt_or_of_nobodys_request_is_dropped(
    session: Session, worker: Taker, server: Server
) -> None:
    asked = session.ask(request())
    old = claimed(worker)
    worker.give_back(old)
    new = claimed(worker)
    assert new != old
    for request_id in (old, "nobody:1.1", "\udcff"):
        fields = {"u": request_id.encode("utf-8", "surrogateescape"), "s": 0, "h": json.dumps(END)}
        server.call("xadd", keys.answers(session.id), {**fields, "d": b""})
    server.call("xadd", keys.answers(session.id), {"what": "else"})
    make_it(worker, new)
    assert events(asked) == ["begun", "chunk", "end"]


GARBAGE = {
    "no JSON": (b"{", b""),
    "deep JSON": (b"[" * 50_000, b""),
    "no object": ([1, 2], b""),
    "an unknown event": ({"event": "hello"}, b""),
    "an event that is no text": ({"event": ["chunk"]}, b""),
    "a chunk without a rate": ({"event": "chunk"}, SOUND),
    "a rate that is true": ({"event": "chunk", "sample_rate": True}, SOUND),
    "a rate too low": ({"event": "chunk", "sample_rate": 3_999}, SOUND),
    "a rate too high": ({"event": "chunk", "sample_rate": 192_001}, SOUND),
    "half a sample": (CHUNK, SOUND[:-1]),
    "no sound": (CHUNK, b""),
    "too much sound": (CHUNK, bytes(64 * 1024 + 4)),
    "NaN": (CHUNK, np.full(9, np.nan, "<f4").tobytes()),
    "infinity": (CHUNK, np.full(9, -np.inf, "<f4").tobytes()),
    "sound at the end": (END, SOUND),
    "an end of bad fields": ({**END, "cut_off": "no"}, b""),
    "too many notes": ({**END, "notes": ["x"] * 11}, b""),
    "notes that are no text": ({**END, "notes": [1]}, b""),
    "an error without one": ({"event": "error", "worker": "w"}, b""),
    "a long header": ({**END, "more": "x" * 70_000}, b""),
    "a gap": ({"event": "chunk", "sample_rate": 24_000, "seq": 3}, SOUND),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_a_worker_that_answers_garbage_loses_the_request(
    session: Session, worker: Taker, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    header, pcm = GARBAGE[what]
    asked = session.ask(request())
    bad = claimed(worker)
    send(worker, bad, 0, BEGUN)
    send(worker, bad, 2 if what == "a gap" else 1, header, pcm)
    good = claimed(worker)
    assert good.endswith(".2")
    assert not send(worker, bad, 2, END, is_end=True)
    make_it(worker, good)
    assert events(asked) == ["begun", "begun", "chunk", "end"]
    assert "the worker w sent " in caplog.text


BROKEN = {"code": "load-failed", "message": "no memory"}


@pytest.mark.parametrize("failure", [BROKEN, {"code": "job-cancelled", "message": "no"}, {}])
def test_what_a_worker_is_not_able_to_make_is_made_by_another(
    session: Session, worker: Taker, server: Server, failure: dict[str, str]
) -> None:
    other = Taker(server, "other#1")
    announce(server, other.id)
    until(lambda: len(session.workers) == 2)
    asked = session.ask(request())
    bad = claimed(worker)
    error = {"event": "error", "worker": worker.id, "error": failure}
    send(worker, bad, 0, error, is_end=True)
    good = claimed(other)
    assert worker.claim() is None
    make_it(other, good)
    assert events(asked) == ["begun", "chunk", "end"]


def test_what_no_worker_is_able_to_make_fails_with_its_reason(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    error = {"event": "error", "worker": worker.id, "error": BROKEN}
    for _ in range(MAX_LOSSES):
        send(worker, claimed(worker), 0, error, is_end=True)
    with pytest.raises(WorkerLost, match=r"no memory \(on the worker w\)") as caught:
        asked.next(30)
    assert isinstance(caught.value.__cause__, LoadFailed)


def test_workers_that_answer_nothing_but_garbage_fail_the_request(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    for _ in range(MAX_LOSSES):
        send(worker, claimed(worker), 0, b"garbage")
    with pytest.raises(WorkerLost, match="sent what is not an answer"):
        asked.next(30)
    assert not asked.is_going_on
    assert worker.claim() is None


def test_a_workers_name_and_words_obey_no_terminal(session: Session, worker: Taker) -> None:
    asked = session.ask(request())
    send(worker, claimed(worker), 0, {"event": "begun", "worker": "\x1b[31mw\n#1"})
    assert asked.next(30) is not None
    assert asked.worker == "31mw"


# -- lost workers -----------------------------------------------------------------------------


def test_a_worker_lost_before_its_first_chunk_is_not_noticed_by_who_asked(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    worker.lease_ms = 20
    send(worker, claimed(worker), 0, BEGUN)
    worker.lease_ms = 60_000
    make_it(worker, claimed(worker))
    assert events(asked) == ["begun", "begun", "chunk", "end"]


def test_a_worker_lost_after_its_first_chunk_is_told_once_and_all_comes_anew(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    worker.lease_ms = 500
    got = claimed(worker)
    send(worker, got, 0, BEGUN)
    send(worker, got, 1, CHUNK, SOUND)
    assert [answer.event for answer in (asked.next(30), asked.next(30)) if answer] == [
        "begun",
        "chunk",
    ]
    worker.lease_ms = 60_000
    make_it(worker, claimed(worker))
    again = asked.next(30)
    assert again is not None and again.event == "begun"
    with pytest.raises(WorkerLost):
        asked.next(30)
    assert asked.is_going_on
    assert events(asked) == ["chunk", "end"]


def test_a_request_that_loses_too_many_workers_fails_and_names_the_last(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    dying = Taker(worker.server, lease_s=0.02)
    for _ in range(MAX_LOSSES):
        claimed(dying)
    with pytest.raises(WorkerLost, match="the worker w was lost"):
        asked.next(30)
    assert not asked.is_going_on


def test_a_worker_that_leaves_is_no_loss(session: Session, worker: Taker) -> None:
    asked = session.ask(request())
    for _ in range(MAX_LOSSES + 1):
        worker.give_back(claimed(worker))
    make_it(worker, claimed(worker))
    assert events(asked) == ["begun", "chunk", "end"]


def test_a_lost_request_goes_before_later_ones(session: Session, worker: Taker) -> None:
    session.ask(request("one"))
    session.ask(request("two"))
    first = claimed(worker)
    worker.give_back(first)
    until(lambda: worker.server.call("zcard", keys.queue(0, "scripted", session.client)) == 2)
    assert claimed(worker) == first[:-1] + "2"


def test_without_a_worker_for_it_a_request_ends_soon(session: Session) -> None:
    asked = session.ask(request(lane="toy", backend="toy"))
    with pytest.raises(WorkersAway, match="no worker serves toy"):
        asked.next(30)


def test_a_session_that_waits_for_nothing_reads_nothing_and_leaves_nothing_unread(
    session: Session, worker: Taker, server: Server
) -> None:
    def is_at_rest() -> bool:
        return server.call("info", "clients")["blocked_clients"] == 0

    until(is_at_rest)
    asked = session.ask(request())
    until(lambda: not is_at_rest())
    make_it(worker, claimed(worker))
    assert events(asked) == ["begun", "chunk", "end"]
    until(lambda: server.call("xlen", keys.answers(session.id)) == 0)
    until(is_at_rest)
    second = session.ask(request())
    make_it(worker, claimed(worker))
    assert events(second) == ["begun", "chunk", "end"]


# -- cancel and close -------------------------------------------------------------------------


def test_who_waits_is_told_of_a_cancel_from_another_thread(session: Session, worker: Taker) -> None:
    asked = session.ask(request())
    got = claimed(worker)
    threading.Timer(0.05, asked.cancel).start()
    assert asked.next(30) is None
    assert asked.is_cancelled and not asked.is_going_on
    until(lambda: not send(worker, got, 0, BEGUN))
    asked.cancel()


def test_a_request_that_is_cancelled_before_anybody_took_it_is_taken_by_nobody(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    asked.cancel()
    assert worker.claim() is None


def test_requests_that_are_cancelled_while_they_are_sent_are_made_by_nobody(
    worker: Taker, make_session: MakeSession, redis_server: RedisServer
) -> None:
    """The cancel overtakes the request on a slow network."""
    proxy = Proxy(redis_server.port)
    session = make_session(proxy.url, lease_s=10)
    proxy.delay_s = 0.1
    threads = [threading.Thread(target=lambda: session.ask(request())) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(session._asked) == 4)
    for asked in list(session._asked.values()):
        asked.cancel()
    for thread in threads:
        thread.join()
    until(lambda: not session._unwanted)
    assert worker.claim() is None
    proxy.close()


def test_a_session_that_is_closed_ends_what_is_waited_for_and_leaves_nothing(
    session: Session, worker: Taker, redis_server: RedisServer
) -> None:
    waiting = [session.ask(request()) for _ in range(2)]
    got = claimed(worker)
    threading.Timer(0.05, session.close).start()
    for asked in waiting:
        with pytest.raises(WorkersAway, match="ended"):
            asked.next(30)
    session._keeper.join(30)
    until(lambda: not worker.server.call("exists", keys.session(session.id)))
    assert not send(worker, got, 0, BEGUN)
    left = {key.decode() for key in redis_server.client().keys("vox:1:*")}
    assert left <= {keys.SEQ, keys.SERVED, keys.wake("scripted")}
    with pytest.raises(WorkersAway):
        session.ask(request())


# -- the server is away -----------------------------------------------------------------------


def test_an_emptied_server_gets_all_requests_again(
    session: Session, worker: Taker, redis_server: RedisServer, server: Server
) -> None:
    waiting = [session.ask(request(str(number))) for number in range(3)]
    begun = claimed(worker)
    send(worker, begun, 0, BEGUN)
    redis_server.client().flushall()
    announce(server)
    for _ in waiting:
        make_it(worker, claimed(worker))
    assert [events(asked)[-2:] for asked in waiting] == [["chunk", "end"]] * 3
    assert not send(worker, begun, 1, END, is_end=True)
    assert worker.claim() is None


def test_a_request_to_a_server_that_was_just_emptied_has_the_others_sent_again_too(
    worker: Taker, make_session: MakeSession, redis_server: RedisServer, server: Server
) -> None:
    session = make_session(lease_s=600)  # it looks once a second, and a silence lasts long
    first = session.ask(request("first"))
    redis_server.client().flushall()
    announce(server)
    second = session.ask(request("second"))
    for _ in range(2):
        make_it(worker, claimed(worker))
    assert events(first) == events(second) == ["begun", "chunk", "end"]


def test_a_server_that_is_killed_and_comes_back_empty_gets_all_again(
    session: Session, worker: Taker, redis_server: RedisServer, server: Server
) -> None:
    asked = session.ask(request())
    redis_server.kill()
    redis_server.start()
    announce(server)
    make_it(worker, claimed(worker))
    assert events(asked) == ["begun", "chunk", "end"]
    until(lambda: session.away is None)


def test_a_server_that_stays_away_ends_requests_and_is_used_again_once_it_is_back(
    session: Session, worker: Taker, redis_server: RedisServer, server: Server
) -> None:
    asked = session.ask(request())
    redis_server.kill()
    with pytest.raises(WorkersAway, match="cannot be reached: Connection refused"):
        asked.next(30)
    with pytest.raises(WorkersAway):
        session.ask(request())
    redis_server.start()
    announce(server)
    until(lambda: session.away is None and session.serves("scripted"))
    asked = session.ask(request())
    make_it(worker, claimed(worker))
    assert events(asked) == ["begun", "chunk", "end"]
    assert worker.claim() is None


def test_a_frozen_server_loses_nothing(
    session: Session, worker: Taker, redis_server: RedisServer, server: Server
) -> None:
    """For longer than leases last, and not so long that a call fails."""
    worker.lease_ms = 750
    asked = session.ask(request())
    send(worker, claimed(worker), 0, BEGUN)
    redis_server.freeze()
    assert asked.next(30) is not None
    assert asked.next(1.2) is None
    redis_server.thaw()
    announce(server)
    worker.lease_ms = 60_000
    make_it(worker, claimed(worker))
    assert events(asked)[-2:] == ["chunk", "end"]


def test_workers_that_are_lost_with_the_server_do_not_count_against_a_request(
    session: Session, worker: Taker, redis_server: RedisServer, server: Server
) -> None:
    """All leases run out while a server is frozen, whoever holds them."""
    worker.lease_ms = 750
    asked = session.ask(request())
    for _ in range(MAX_LOSSES):
        send(worker, claimed(worker), 0, BEGUN)
        time.sleep(0.2)  # a look is under way from now on
        redis_server.freeze()
        time.sleep(1.2)
        redis_server.thaw()
        announce(server)
    worker.lease_ms = 60_000
    make_it(worker, claimed(worker))
    assert events(asked)[-2:] == ["chunk", "end"]


def test_a_server_that_is_frozen_for_long_is_away_and_what_was_cancelled_is_made_by_nobody(
    session: Session, worker: Taker, redis_server: RedisServer, server: Server
) -> None:
    asked, unwanted = session.ask(request("a")), session.ask(request("b"))
    redis_server.freeze()
    until(lambda: session.away is not None)
    unwanted.cancel()  # at once, although nobody answers
    with pytest.raises(WorkersAway, match="does not answer"):
        asked.next(30)
    redis_server.thaw()
    until(lambda: session.away is None and not session._unwanted)
    assert worker.claim() is None


def test_what_was_made_and_takes_long_to_be_read_is_not_asked_for_again(
    redis_server: RedisServer, worker: Taker, make_session: MakeSession
) -> None:
    proxy = Proxy(redis_server.port)
    try:
        session = make_session(proxy.url)
        proxy.bytes_per_s = 60_000
        all_asked = [session.ask(request()) for _ in range(4)]
        for _ in all_asked:
            made = claimed(worker)
            send(worker, made, 0, BEGUN)
            send(worker, made, 1, CHUNK, 150 * SOUND)
            send(worker, made, 2, END, is_end=True)
        for asked in all_asked:
            assert events(asked) == ["begun", "chunk", "end"]
            assert asked.attempt == 1
    finally:
        proxy.close()


def test_cut_connections_lose_nothing(
    worker: Taker, make_session: MakeSession, redis_server: RedisServer
) -> None:
    proxy = Proxy(redis_server.port)
    session = make_session(proxy.url)
    asked = session.ask(request())
    got = claimed(worker)
    for seq, header in enumerate((BEGUN, CHUNK, CHUNK, END)):
        proxy.cut()
        assert send(worker, got, seq, header, SOUND if header is CHUNK else b"", header is END)
    assert events(asked) == ["begun", "chunk", "chunk", "end"]
    proxy.close()


# -- what is wrong with the server --------------------------------------------------------------


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
    for secret, words in ((SECRET, "refuses the password"), (None, "wants a password")):
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
    lines = [record.getMessage() for record in caplog.records if record.name == "vox.fleet.session"]
    assert lines[-1] == away.line
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
    told(session, "does not permit its user what vox does", caplog)
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


# -- odd requests -----------------------------------------------------------------------------


def test_a_request_that_no_worker_would_understand_is_refused(session: Session) -> None:
    for bad in (request(text="x" * 100_001), request(model="m" * 201)):
        with pytest.raises(NotAvailable, match="workers cannot take the request"):
            session.ask(bad)


def test_an_unreadable_recording_is_one_clear_error(session: Session, tmp_path: Path) -> None:
    clone = CloneRef("0" * 64)
    with pytest.raises(UnknownVoice, match="cannot be read: No such file") as error:
        session.ask(request(clone=clone), str(tmp_path / "gone.wav"))
    assert isinstance(error.value, VoxError)
    assert not session._asked
    (tmp_path / "there.wav").write_bytes(b"RIFF")
    assert digest_of(str(tmp_path / "there.wav")) != clone.digest
    with pytest.raises(UnknownVoice, match="was changed"):
        session.ask(request(clone=clone), str(tmp_path / "there.wav"))


def test_a_callback_that_fails_ends_nothing(
    redis_server: RedisServer, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("nobody expected this")

    session = Session(Server(parse(redis_server.url), lambda: None), "anna", 1.0, fail)
    session.start()
    assert session.wait_looked(30)
    announce(server)
    until(lambda: session.serves("scripted"))
    Workers(server).leave("w#1")
    until(lambda: not session.workers)
    assert "nobody expected this" in caplog.text
    session.close()
