"""The server is killed, emptied or frozen, or its network is bad: nothing is lost."""

from __future__ import annotations

import time

import pytest

from tests.redis_server import Proxy, RedisServer
from vox.errors import WorkersAway
from vox.fleet.server import TIMEOUT_S, Server
from vox.fleet.session import MAX_LOSSES, Session

from .conftest import (
    CHUNK,
    END,
    SOUND,
    MakeSession,
    Taker,
    announce,
    claimed,
    events,
    make_it,
    request,
    send,
    until,
)


def test_an_emptied_server_gets_all_requests_again(
    session: Session, worker: Taker, redis_server: RedisServer, server: Server
) -> None:
    waiting = [session.ask(request(str(number))) for number in range(3)]
    begun = claimed(worker)
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
    assert worker.answer(claimed(worker))
    assert asked.next(30) is not None  # a server that is frozen at once may not have sent it
    redis_server.freeze()
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
        assert worker.answer(claimed(worker))
        time.sleep(0.2)  # a look is under way from now on
        redis_server.freeze()
        time.sleep(1.2)
        redis_server.thaw()
        announce(server)
    worker.lease_ms = 60_000
    make_it(worker, claimed(worker))
    assert events(asked)[-2:] == ["chunk", "end"]


@pytest.mark.parametrize(
    ("refuse", "allow", "words"),
    [
        ("config set maxmemory 1", "config set maxmemory 0", "is full"),
        ("replicaof 127.0.0.1 1", "replicaof no one", "is a read-only replica"),
    ],
)
def test_a_server_that_takes_nothing_any_more_ends_requests_and_is_used_again_once_it_does(
    session: Session, worker: Taker, redis_server: RedisServer, refuse: str, allow: str, words: str
) -> None:
    waiting, begun = session.ask(request("one")), session.ask(request("two"))
    claimed(worker)
    client = redis_server.client()
    try:
        client.execute_command(*refuse.split())
        with pytest.raises(WorkersAway, match=words):
            worker.claim()
        for asked in (waiting, begun):
            with pytest.raises(WorkersAway, match=words):
                events(asked)
    finally:
        client.execute_command(*allow.split())
    until(lambda: session.away is None and not session._unwanted)
    assert worker.claim() is None
    asked = session.ask(request("three"))
    make_it(worker, claimed(worker))
    assert events(asked) == ["begun", "chunk", "end"]


def test_a_server_that_forgot_the_scripts_is_given_them_again(
    session: Session, worker: Taker, redis_server: RedisServer
) -> None:
    redis_server.client().script_flush()
    asked = session.ask(request())
    make_it(worker, claimed(worker))
    assert events(asked) == ["begun", "chunk", "end"]


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


def test_who_cancels_does_not_wait_for_the_server(
    session: Session, worker: Taker, redis_server: RedisServer
) -> None:
    """The player cancels too, and is to be silent at once."""
    all_asked = [session.ask(request()) for _ in range(3)]
    redis_server.freeze()
    began = time.monotonic()
    for asked in all_asked:
        asked.cancel()
    taken_s = time.monotonic() - began
    redis_server.thaw()
    assert taken_s < TIMEOUT_S
    until(lambda: not session._unwanted)
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
    for seq, header in enumerate((CHUNK, CHUNK, END), 1):
        proxy.cut()
        assert send(worker, got, seq, header, SOUND if header is CHUNK else b"", header is END)
    assert events(asked) == ["begun", "chunk", "chunk", "end"]
    proxy.close()
