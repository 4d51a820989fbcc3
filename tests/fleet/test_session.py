"""A client's session: what it hears, what it sends again, and how it ends."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.redis_server import Proxy, RedisServer
from vox.errors import LoadFailed, NotAvailable, UnknownVoice, VoxError, WorkerLost, WorkersAway
from vox.fleet import keys
from vox.fleet.clones import digest_of
from vox.fleet.failures import error_of
from vox.fleet.requests import CloneRef
from vox.fleet.server import Server
from vox.fleet.session import MAX_LOSSES, Session
from vox.fleet.workers import Workers
from vox.redis_url import parse

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

# -- answers --------------------------------------------------------------------------------------


def test_answers_are_heard_in_order_and_doubles_are_dropped(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    got = claimed(worker)
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
    "a question for a recording": ({"event": "need-clone"}, b""),
    "an answer that only the server gives": ({"event": "lost", "worker": "innocent#1"}, b""),
    "a gap": ({"event": "chunk", "sample_rate": 24_000, "seq": 3}, SOUND),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_a_worker_that_answers_garbage_loses_the_request(
    session: Session, worker: Taker, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    header, pcm = GARBAGE[what]
    asked = session.ask(request())
    bad = claimed(worker)
    send(worker, bad, 2 if what == "a gap" else 1, header, pcm)
    good = claimed(worker)
    assert good.endswith(".2")
    assert not send(worker, bad, 2, END, is_end=True)
    make_it(worker, good)
    assert events(asked)[-3:] == ["begun", "chunk", "end"]
    assert "the worker w sent " in caplog.text


def test_sound_that_changes_its_rate_loses_the_request(session: Session, worker: Taker) -> None:
    asked = session.ask(request())
    bad = claimed(worker)
    for seq, header in enumerate((CHUNK, {**CHUNK, "sample_rate": 16_000}), 1):
        send(worker, bad, seq, header, SOUND)
    make_it(worker, claimed(worker))
    assert events(asked)[-3:] == ["begun", "chunk", "end"]


def test_sound_without_end_loses_the_request(session: Session, worker: Taker) -> None:
    asked = session.ask(request())
    bad = claimed(worker)
    sound = bytes(4 * 16_000)
    for seq in range(1, 1000):  # four seconds at a time
        if not send(worker, bad, seq, {**CHUNK, "sample_rate": 4_000}, sound):
            break
    assert seq < 200
    make_it(worker, claimed(worker))
    assert events(asked)[-3:] == ["begun", "chunk", "end"]


def test_garbage_that_ends_the_request_is_not_asked_for_again_of_the_same_worker(
    session: Session, worker: Taker, server: Server
) -> None:
    """The server no longer knows whose the request was."""
    other = Taker(server, "other#1")
    announce(server, other.id)
    until(lambda: len(session.workers) == 2)
    asked = session.ask(request())
    bad = claimed(worker)
    send(worker, bad, 1, CHUNK, b"", is_end=True)
    until(lambda: server.call("exists", keys.task(f"{asked.number}.2")))
    assert worker.claim() is None
    good = claimed(other)
    make_it(other, good)
    assert events(asked)[-3:] == ["begun", "chunk", "end"]


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
    send(worker, bad, 1, error, is_end=True)
    good = claimed(other)
    assert worker.claim() is None
    make_it(other, good)
    assert events(asked) == ["begun", "chunk", "end"]


def test_an_error_of_any_length_ends_with_the_name_of_the_worker(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    failure = {"code": "synthesis-failed", "message": "x" * 50_000}
    error = {"event": "error", "worker": worker.id, "error": failure}
    send(worker, claimed(worker), 1, error, is_end=True)
    while (answer := asked.next(30)) and answer.event == "begun":
        pass
    assert answer is not None
    assert "(on the worker w)" in error_of("w", answer.header["error"]).line


def test_what_no_worker_is_able_to_make_fails_with_its_reason(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    error = {"event": "error", "worker": worker.id, "error": BROKEN}
    for _ in range(MAX_LOSSES):
        send(worker, claimed(worker), 1, error, is_end=True)
    with pytest.raises(WorkerLost, match=r"no memory \(on the worker w\)") as caught:
        events(asked)
    assert isinstance(caught.value.__cause__, LoadFailed)


def test_workers_that_answer_nothing_but_garbage_fail_the_request(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    for _ in range(MAX_LOSSES):
        send(worker, claimed(worker), 1, b"garbage")
    with pytest.raises(WorkerLost, match="sent an invalid answer"):
        events(asked)
    assert not asked.is_going_on
    assert worker.claim() is None


def test_what_has_a_name_that_a_terminal_would_obey_is_no_worker(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    claimed(Taker(worker.server, "\x1b[31mw\n#1"))
    make_it(worker, claimed(worker))
    assert events(asked)[-3:] == ["begun", "chunk", "end"]
    assert asked.worker == "w" and asked.losses == 1


# -- lost workers ---------------------------------------------------------------------------------


def test_a_worker_lost_before_its_first_chunk_is_not_noticed_by_who_asked(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    worker.lease_ms = 20
    assert worker.answer(claimed(worker))
    worker.lease_ms = 60_000
    make_it(worker, claimed(worker))
    assert events(asked)[-3:] == ["begun", "chunk", "end"]


def test_what_a_lost_worker_sent_and_nobody_has_read_yet_is_never_heard(
    session: Session, worker: Taker
) -> None:
    """What was asked for ahead does not begin twice."""
    asked = session.ask(request())
    worker.lease_ms = 500
    got = claimed(worker)
    send(worker, got, 1, CHUNK, SOUND)
    until(lambda: asked.answers.qsize() == 2)
    worker.lease_ms = 60_000
    make_it(worker, claimed(worker))
    until(lambda: asked.is_ended)
    assert events(asked) == ["begun", "chunk", "end"]


def test_other_sound_after_a_worker_was_lost_in_mid_utterance_is_told_once(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    worker.lease_ms = 500
    got = claimed(worker)
    send(worker, got, 1, CHUNK, SOUND)
    assert [answer.event for answer in (asked.next(30), asked.next(30)) if answer] == [
        "begun",
        "chunk",
    ]
    worker.lease_ms = 60_000
    other = claimed(worker)
    assert send(worker, other, 1, CHUNK, np.ones(100, "<f4").tobytes())
    assert send(worker, other, 2, END, is_end=True)
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
        events(asked)
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


# -- cancel and close -----------------------------------------------------------------------------


def test_who_waits_is_told_of_a_cancel_from_another_thread(session: Session, worker: Taker) -> None:
    asked = session.ask(request())
    got = claimed(worker)
    assert asked.next(30) is not None
    threading.Timer(0.05, asked.cancel).start()
    assert asked.next(30) is None
    assert asked.is_cancelled and not asked.is_going_on
    until(lambda: not worker.answer(got))
    asked.cancel()


def test_a_request_that_is_cancelled_before_anybody_took_it_is_taken_by_nobody(
    session: Session, worker: Taker
) -> None:
    asked = session.ask(request())
    asked.cancel()
    until(lambda: not session._unwanted)
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
            events(asked)
    session._keeper.join(30)
    until(lambda: not worker.server.call("exists", keys.session(session.id)))
    assert not worker.answer(got)
    left = {key.decode() for key in redis_server.client().keys("vox:1:*")}
    assert left <= {keys.SEQ, keys.SERVED, keys.wake("scripted")}
    with pytest.raises(WorkersAway):
        session.ask(request())


# -- odd requests ---------------------------------------------------------------------------------


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
