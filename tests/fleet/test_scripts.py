"""The queue in Redis: who gets what when, and that nothing stays behind."""

from __future__ import annotations

import time

import pytest

from tests.redis_server import RedisServer
from vox.fleet import keys
from vox.fleet.server import Server
from vox.fleet.storage import FleetStorage, Lane, reap

from .conftest import Client, Taker, announce

STAYS = {keys.SEQ, keys.SERVED}
"""One count, and how much each client was served within the last day."""


def left(redis_server: RedisServer) -> set[str]:
    """The keys there are, but for those that are about no request and the session's own."""
    found = {key.decode() for key in redis_server.client().keys("*")}
    sessions = {
        key for key in found if key.startswith((f"{keys.PREFIX}:c:", f"{keys.PREFIX}:out:"))
    }
    return found - STAYS - sessions


def without_tokens(found: set[str]) -> set[str]:
    return {key for key in found if ":wake:" not in key}


def wait_for_lease(server: Server, request_id: str) -> None:
    """Until the request's lease has run out, by the server's clock."""
    end_ms = server.call("zscore", keys.LEASES, request_id)
    while True:
        seconds, micros = server.call("time")
        if 1000 * seconds + micros / 1000 > end_ms + 1:
            return
        time.sleep(0.005)


# -- submit -----------------------------------------------------------------------------------


def test_a_request_that_is_sent_twice_is_one_request(anna: Client, taker: Taker) -> None:
    assert anna.send("a1") > 0
    assert anna.send("a1") == 0
    assert taker.claim_ids(9) == "a1"


def test_a_request_of_no_session_is_refused_and_leaves_nothing(
    anna: Client, redis_server: RedisServer
) -> None:
    anna.leave()
    with pytest.raises(LookupError):
        anna.send("a1")
    assert left(redis_server) == set()


def test_an_attempt_that_is_sent_again_has_its_old_place(anna: Client, taker: Taker) -> None:
    seq = anna.send("a1.1")
    anna.send("a2.1")
    assert taker.claim_ids(1) == "a1.1"
    anna.send("a1.2", seq=seq)
    anna.send("a3.1")
    assert taker.claim_ids(9) == "a1.2 a2.1 a3.1"


# -- claim: one client ------------------------------------------------------------------------


def test_a_client_is_served_by_priority_and_then_as_its_requests_came(
    anna: Client, taker: Taker
) -> None:
    for name, priority in {"a": 0, "b": -5, "c": 0, "d": 4095, "e": 7}.items():
        anna.send(name, priority=priority)
    assert taker.claim_ids(9) == "d e a c b"


def test_files_wait_for_what_is_for_the_ear_whatever_their_priority(
    server: Server, anna: Client, taker: Taker
) -> None:
    ben = Client(server, "ben")
    anna.send("file", tier=1, priority=4095)
    ben.send("b1")
    anna.send("ear")
    assert taker.claim_ids(9) == "ear b1 file"


def test_a_worker_gets_only_what_is_in_its_lanes(anna: Client, taker: Taker) -> None:
    anna.send("a", lane="scripted")
    anna.send("b", lane="scripted/plain")
    anna.send("c", lane="toy")
    assert taker.claim_ids(9, "scripted/plain", "toy") in ("b c", "c b")
    assert taker.claim_ids(9, "scripted") == "a"
    assert taker.claim() is None


def test_a_request_is_left_to_others_until_it_is_old_enough(anna: Client, taker: Taker) -> None:
    anna.send("a", lane="scripted")
    anna.send("b", lane="toy")
    young = Lane("scripted", min_age_s=30)
    assert taker.claim_ids(9, young, "toy") == "b"
    anna.send("c", lane="scripted")
    time.sleep(0.03)
    assert taker.claim_ids(9, Lane("scripted", min_age_s=0.02)) == "a c"


def test_a_request_is_left_to_others_by_the_workers_that_failed_it(
    server: Server, anna: Client, taker: Taker
) -> None:
    anna.send("a", avoid=["w#12", "w#1"])
    anna.send("b")
    assert taker.claim_ids(9) == ""
    assert Taker(server, "w#2").claim_ids(1) == "a"
    assert taker.claim_ids(9) == "b"


def test_a_file_is_taken_while_what_is_for_the_ear_is_left_to_others(
    anna: Client, taker: Taker
) -> None:
    anna.send("ear", lane="scripted")
    anna.send("file", lane="toy", tier=1)
    assert taker.claim_ids(9, Lane("scripted", min_age_s=30), "toy") == "file"


# -- claim: several clients -------------------------------------------------------------------


def test_clients_take_turns(server: Server, taker: Taker) -> None:
    for name, count in {"anna": 6, "ben": 3, "cleo": 1}.items():
        client = Client(server, name)
        for number in range(count):
            client.send(f"{name[0]}{number}")
    assert taker.claim_ids(99) == "a0 b0 c0 a1 b1 a2 b2 a3 a4 a5"


def test_a_client_that_comes_late_has_its_turn_at_once_and_no_more_than_its_share(
    server: Server, anna: Client, taker: Taker
) -> None:
    for number in range(30):
        anna.send(f"a{number}")
    taker.claim_ids(20)
    dora = Client(server, "dora")
    for number in range(3):
        dora.send(f"d{number}")
    got = taker.claim_ids(8)
    assert got in ("a20 d0 a21 d1 a22 d2 a23 a24", "d0 a20 d1 a21 d2 a22 a23 a24")


def test_idle_time_earns_nothing(server: Server, anna: Client, taker: Taker) -> None:
    ben = Client(server, "ben")
    ben.send("b0")
    assert taker.claim_ids(1) == "b0"
    for number in range(20):
        anna.send(f"a{number}")
    taker.claim_ids(10)
    for number in range(1, 6):
        ben.send(f"b{number}")
    assert sorted(each[0] for each in taker.claim_ids(6).split()) == list("aaabbb")


def test_a_text_costs_as_much_as_it_is_long(server: Server, anna: Client, taker: Taker) -> None:
    ben = Client(server, "ben")
    for number in range(40):
        anna.send(f"a{number}", text="x" * 30)
        ben.send(f"b{number}", text="x" * 10)
    got = [each[0] for each in taker.claim_ids(40).split()]
    assert abs(got.count("b") - 3 * got.count("a")) <= 3


def test_a_client_in_two_lanes_has_one_share_of_a_worker(
    server: Server, anna: Client, taker: Taker
) -> None:
    ben = Client(server, "ben")
    for number in range(20):
        anna.send(f"a{number}", lane="scripted")
        anna.send(f"A{number}", lane="toy")
        ben.send(f"b{number}", lane="toy")
    got = [each[0] for each in taker.claim_ids(20, "scripted", "toy").split()]
    assert abs(got.count("b") - 10) <= 1


def test_a_new_client_of_a_lane_is_not_behind_because_another_lane_was_served_more(
    server: Server, anna: Client, taker: Taker
) -> None:
    ben, cleo = Client(server, "ben"), Client(server, "cleo")
    for number in range(3):
        ben.send(f"b{number}", lane="slow", text="x" * 10)
        anna.send(f"a{number}", lane="fast", text="x" * 10_000)
    assert taker.claim_ids(1, "slow") == "b0"
    assert taker.claim_ids(2, "fast") == "a0 a1"
    cleo.send("c0", lane="slow", text="x" * 10)
    assert "c0" in taker.claim_ids(2, "slow")


def test_many_clients_are_all_served_before_one_is_served_twice(
    server: Server, taker: Taker
) -> None:
    for number in range(80):
        client = Client(server, f"c{number}")
        for attempt in "ab":
            client.send(f"c{number}{attempt}")
    got = taker.claim_ids(160).split()
    assert {each[-1] for each in got[:80]} == {"a"}
    assert len(set(got)) == 160


def test_requests_of_clients_that_are_gone_are_thrown_out(
    server: Server, anna: Client, taker: Taker, redis_server: RedisServer
) -> None:
    gone = Client(server, "ben")
    for number in range(150):
        gone.send(f"b{number}")
    anna.send("a")
    gone.leave()
    assert taker.claim_ids(1) == "a"
    assert taker.claim() is None
    assert taker.claim() is None
    assert taker.answer("a", is_end=True)
    assert without_tokens(left(redis_server)) == set()


# -- append -----------------------------------------------------------------------------------


def test_answers_of_a_leased_request_reach_its_client_in_order(anna: Client, taker: Taker) -> None:
    anna.send("a")
    taker.claim()
    for seq, event in enumerate(("chunk", "end"), 1):
        assert taker.answer("a", event, seq, is_end=event == "end")
    assert anna.events() == ["a begun", "a chunk", "a end"]
    assert not taker.answer("a", "chunk", 3)
    assert len(anna.answers()) == 3


def test_a_lease_belongs_to_one_worker(server: Server, anna: Client, taker: Taker) -> None:
    other = Taker(server, "w#2")
    anna.send("a")
    assert not taker.answer("a", "chunk")
    taker.claim()
    assert not other.answer("a", "chunk")
    assert not other.answer("a")
    assert taker.answer("a", "chunk")
    assert anna.events() == ["a begun", "a chunk"]


def test_a_renewed_lease_does_not_run_out(
    server: Server, anna: Client, redis_server: RedisServer
) -> None:
    taker = Taker(server, lease_s=0.05)
    anna.send("a")
    taker.claim()
    wait_for_lease(server, "a")
    assert taker.answer("a")
    reap(server)
    assert anna.events() == ["a begun"]
    assert taker.answer("a", "end", is_end=True)
    assert without_tokens(left(redis_server)) == set()


def test_who_answers_a_client_that_is_gone_is_told_so(
    anna: Client, taker: Taker, redis_server: RedisServer
) -> None:
    anna.send("a")
    taker.claim()
    anna.leave()
    assert not taker.answer("a", "chunk")
    assert without_tokens(left(redis_server)) == set()


def test_a_stream_that_nobody_reads_is_bounded_and_expires(
    server: Server, anna: Client, taker: Taker
) -> None:
    anna.send("a")
    taker.claim()
    for seq in range(1200):
        taker.answer("a", "chunk", seq, pcm=bytes(4096))
    stream = keys.answers(anna.session)
    assert server.call("xlen", stream) <= 1100
    assert 0 < server.call("pttl", stream) <= 60_000


# -- reap -------------------------------------------------------------------------------------


def test_a_lease_that_runs_out_is_told_as_lost(
    server: Server, anna: Client, redis_server: RedisServer
) -> None:
    taker = Taker(server, lease_s=0.05)
    anna.send("a")
    anna.send("b")
    taker.claim()
    wait_for_lease(server, "a")
    reap(server)
    reap(server)
    begun, answer = anna.answers()
    assert (begun.event, begun.seq, begun.header["worker"]) == ("begun", 0, "w#1")
    assert (answer.request_id, answer.seq) == ("a", -1)
    assert answer.header == {"event": "lost", "worker": "w#1"}
    assert not taker.answer("a", "chunk")
    assert taker.claim_ids(9) == "b"
    assert 0 < server.call("pttl", keys.answers(anna.session)) <= 60_000


def test_a_request_that_is_given_back_is_told_to_its_client(
    server: Server, anna: Client, taker: Taker, redis_server: RedisServer
) -> None:
    anna.send("a")
    taker.claim()
    Taker(server, "w#2").give_back("a")
    assert anna.events() == ["a begun"]
    taker.give_back("a")
    assert anna.events() == ["a begun", "a back"]
    taker.give_back("a")
    assert anna.events() == ["a begun", "a back"]
    assert without_tokens(left(redis_server)) == set()


def test_a_lost_request_of_a_client_that_is_gone_leaves_nothing(
    server: Server, anna: Client, redis_server: RedisServer
) -> None:
    taker = Taker(server, lease_s=0.05)
    anna.send("a")
    taker.claim()
    anna.leave()
    wait_for_lease(server, "a")
    reap(server)
    assert anna.answers() == []
    assert without_tokens(left(redis_server)) == set()


# -- cancel -----------------------------------------------------------------------------------


def test_a_queued_request_that_is_cancelled_leaves_nothing(
    anna: Client, taker: Taker, redis_server: RedisServer
) -> None:
    anna.send("a")
    anna.send("b")
    assert anna.cancel("a") == "queued"
    assert anna.cancel("a") == ""
    assert taker.claim_ids(9) == "b"
    assert taker.answer("b", is_end=True)
    assert anna.cancel("b") == ""
    assert without_tokens(left(redis_server)) == set()


def test_the_worker_of_a_request_is_told_that_it_was_cancelled(
    anna: Client, taker: Taker, redis_server: RedisServer
) -> None:
    channel = redis_server.client().pubsub()
    channel.subscribe(keys.control(taker.id))
    assert channel.get_message(timeout=30)["type"] == "subscribe"
    anna.send("a")
    taker.claim()
    assert anna.cancel("a") == taker.id
    assert channel.get_message(timeout=30)["data"] == b"a"
    channel.close()
    assert not taker.answer("a", "chunk")
    assert without_tokens(left(redis_server)) == set()


def test_a_request_that_nobody_knows_cannot_be_cancelled(anna: Client) -> None:
    assert anna.cancel("a") == ""


# -- what stays -------------------------------------------------------------------------------


def test_all_that_may_stay_expires(server: Server, anna: Client, taker: Taker) -> None:
    """Nobody serves a lane, and clients and workers die with what they have."""
    announce(server)
    anna.send("a", lane="nobody's")
    for request_id in "bcd":
        anna.send(request_id)
    taker.claim()
    taker.answer("b", "end", is_end=True)
    taker.claim()
    FleetStorage("vox", server, taker.id).stop()
    lasting = {key.decode() for key in server.call("keys", "*") if server.call("pttl", key) == -1}
    assert not lasting
