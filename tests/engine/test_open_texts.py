"""A job whose text is still being written: spoken as it comes, parked while it is silent."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest

from vox.callers import me
from vox.engine.engine import Engine
from vox.engine.open_texts import SOON_S
from vox.errors import JobNotLive
from vox.jobs import CONNECTION, Job
from vox.queue.store import Store

from .fakes import FakeHosts
from .rig import ONE, THREE, TWO, Rig, request

TEXT = f"{ONE} {TWO}\n\n{THREE}"


def opened(engine: Engine, **fields: Any) -> Job:
    return engine.submit(request("", is_open=True, **{"caller": me(), **fields}))


class Writer:
    """Writes into one job's text."""

    def __init__(self, engine: Engine, job: Job) -> None:
        self.engine = engine
        self.job = job
        self.length = 0

    def __call__(self, *parts: str) -> None:
        for part in parts:
            self.length = self.engine.append_text(self.job.id, self.length, part).length

    def end(self) -> None:
        self.engine.end_text(self.job.id)


def until_heard(rig: Rig, job: Job, count: int) -> None:
    rig.until(
        lambda: any(e.job_id == job.id and e.data.get("heard", 0) >= count for e in rig.events)
    )


def until_parked(rig: Rig, job: Job) -> None:
    """Wait until the job is in the queue again."""
    rig.until(lambda: rig.states(job)[-1] == "queued" and len(rig.states(job)) > 1)


def test_each_sentence_is_spoken_as_soon_as_it_is_complete(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    job = opened(engine)
    write = Writer(engine, job)
    write("Here is num", "ber one. Here")
    until_heard(rig, job, 1)
    write(" is number two. ", "Here is")
    until_heard(rig, job, 2)
    write(" number three.")
    write.end()
    rig.until_ended(job)
    assert hosts.texts == [ONE, TWO, THREE]
    done = engine.store.get(job.id)
    assert (done.state, done.heard, done.utterances) == ("done", 3, 3)
    assert (done.text, done.is_open) == (f"{ONE} {TWO} {THREE}", False)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_text_in_pieces_of_any_size_gives_the_utterances_of_the_whole(
    rig: Rig, hosts: FakeHosts, engine: Engine, seed: int
) -> None:
    rig.settings["stream_flush_s"] = 20.0
    rig.until_ended(engine.submit(request(TEXT, fresh=True)))
    whole = hosts.texts
    chance = random.Random(seed)
    for cut in (lambda: 1, lambda: chance.randint(1, 9)):
        hosts.asked.clear()
        job, at = opened(engine, fresh=True), 0
        while at < len(TEXT):
            size = cut()
            engine.append_text(job.id, at, TEXT[at : at + size])
            at += size
        engine.end_text(job.id)
        rig.until_ended(job)
        assert hosts.texts == whole


def test_a_clause_is_spoken_when_its_writer_is_silent(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.settings["stream_flush_s"] = 0.2
    job = opened(engine)
    write = Writer(engine, job)
    write("Once upon a time,")
    until_heard(rig, job, 1)
    assert hosts.texts == ["Once upon a time,"]
    write(" there was a queen.")
    write.end()
    rig.until_ended(job)
    assert hosts.texts == ["Once upon a time,", "there was a queen."]
    assert engine.store.texts.flushes(job.id) == []


def test_a_sentence_before_a_silence_is_spoken_soon_but_no_abbreviation(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.settings["stream_flush_s"] = 60.0
    job = opened(engine)
    write = Writer(engine, job)
    write("It is about three o'clock, said Dr. ")
    rig.until_state(job, "preparing")
    threading.Event().wait(2 * SOON_S)
    assert hosts.texts == []
    write("Who is not here. ")
    until_heard(rig, job, 1)
    assert hosts.texts == ["It is about three o'clock, said Dr. Who is not here."]
    write.end()
    rig.until_ended(job)


def test_an_interrupted_stream_goes_on_at_the_interrupted_utterance(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    """Where it was cut because its writer was silent, it is cut again."""
    rig.settings["stream_flush_s"] = 0.2
    job = opened(engine, fresh=True)
    write = Writer(engine, job)
    write("Once upon a time,")
    until_heard(rig, job, 1)
    gate = hosts.gate()
    hosts.script("there was", gate)
    write(" there was a queen. ")
    gate.wait_reached()
    rig.close(engine)
    known = rig.store().get(job.id)
    assert (known.state, known.heard, known.is_open) == ("queued", 1, True)

    hosts.asked.clear()
    again = rig.make_engine()
    again.start()
    until_heard(rig, job, 2)
    again.append_text(job.id, write.length, "And a king.")
    again.end_text(job.id)
    rig.until_ended(job)
    assert hosts.texts == ["there was a queen.", "And a king."]
    assert again.store.get(job.id).heard == 3


def test_a_text_that_ended_meanwhile_is_cut_as_before(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    rig.settings["stream_flush_s"] = 0.2
    job = opened(engine, fresh=True)
    write = Writer(engine, job)
    write("Once upon a time,")
    until_heard(rig, job, 1)
    gate = hosts.gate()
    hosts.script("there was", gate)
    write(" there was a queen.")
    write.end()
    gate.wait_reached()
    rig.close(engine)
    hosts.asked.clear()
    rig.make_engine().start()
    rig.until_ended(job)
    assert hosts.texts == ["there was a queen."]


def test_a_silent_stream_holds_up_no_other_job(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    job = opened(engine)
    write = Writer(engine, job)
    write(ONE + "\n\n")
    until_heard(rig, job, 1)
    other = engine.submit(request(TWO))
    rig.until_ended(other)
    assert engine.store.get(job.id).state == "queued"
    write(THREE)
    until_heard(rig, job, 2)
    write.end()
    rig.until_ended(job)
    assert hosts.texts == [ONE, TWO, THREE]


def test_what_a_stream_has_to_say_is_heard_before_a_younger_job(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    job = opened(engine)
    write = Writer(engine, job)
    write(ONE + "\n\n" + TWO + "\n\n")
    other = engine.submit(request(THREE))
    rig.until_ended(other)
    ended = [e.data["heard"] for e in rig.events if e.job_id == job.id and "heard" in e.data]
    assert max(ended) == 2
    assert hosts.texts == [ONE, TWO, THREE]
    write.end()
    rig.until_ended(job)


def test_what_came_while_the_model_was_loaded_is_heard_before_a_younger_job(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = hosts.gate()
    hosts.loads.append([gate])
    job = opened(engine)
    write = Writer(engine, job)
    gate.wait_reached()
    write(ONE + "\n\n")
    other = engine.submit(request(TWO))
    gate.open()
    rig.until_ended(other)
    assert rig.states(job)[:3] == ["queued", "preparing", "speaking"]
    write.end()
    rig.until_ended(job)
    assert hosts.texts == [ONE, TWO]


def test_two_streams_take_turns_where_they_are_silent(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    first, second = Writer(engine, opened(engine)), Writer(engine, opened(engine))
    told = 0
    for number in range(3):
        for write in (second, first):
            write(f"Stream {write.job.id} says {number}.\n\n")
            until_heard(rig, write.job, number + 1)
            told += 1
            assert len(hosts.texts) == told
    first.end()
    second.end()
    for write in (first, second):
        assert rig.until_ended(write.job)["state"] == "done"


def test_a_stream_that_says_nothing_for_long_is_no_job_at_work(
    rig: Rig, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a daemon's death is not put down to it."""
    monkeypatch.setattr("vox.engine.open_texts.PARK_S", 0.1)
    job = opened(engine)
    write = Writer(engine, job)
    write(ONE + "\n\n")
    until_heard(rig, job, 1)
    until_parked(rig, job)
    write(TWO)
    write.end()
    assert rig.until_ended(job)["heard"] == 2


def test_text_that_another_process_wrote_is_found(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    """A client that finds no daemon writes into the table; one may be starting at that moment."""
    job = opened(engine)
    rig.until_state(job, "preparing")
    store = Store(rig.paths.db_path)
    store.texts.append(job.id, 0, ONE, 1000)
    store.texts.end(job.id)
    store.close()
    rig.until_ended(job)
    assert hosts.texts == [ONE]


def test_a_stream_is_cancelled_at_once_while_it_waits_while_it_speaks_and_while_it_is_parked(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    waiting = opened(engine)
    rig.until_state(waiting, "preparing")
    engine.cancel(waiting.id)

    speaking = opened(engine)
    hosts.script(ONE, 60.0)
    Writer(engine, speaking)(ONE + "\n\n")
    rig.until_state(speaking, "speaking")
    engine.cancel(speaking.id)

    parked = opened(engine)
    rig.until_ended(engine.submit(request(TWO)))
    engine.cancel(parked.id)

    for job in (waiting, speaking, parked):
        assert rig.until_ended(job)["state"] == "cancelled"
        with pytest.raises(JobNotLive):
            engine.append_text(job.id, 0, ONE)
    rig.until_ended(engine.submit(request(THREE)))


def test_a_stream_without_words_fails_as_an_empty_text(rig: Rig, engine: Engine) -> None:
    job = opened(engine)
    Writer(engine, job)(" \n", "...\n")
    engine.end_text(job.id)
    ended = rig.until_ended(job)
    assert (ended["state"], ended["error_code"], ended["exit_code"]) == ("failed", "empty-text", 2)


def test_the_model_is_loaded_before_there_is_any_text_and_others_may_have_it_meanwhile(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    job = opened(engine)
    rig.until(lambda: any("step" in e.data and not e.data["step"] for e in rig.events))
    with engine.pool.turns.take(lambda: None):
        assert engine.store.get(job.id).state == "preparing"
    Writer(engine, job)(ONE)
    engine.end_text(job.id)
    rig.until_ended(job)
    assert len(hosts.started) == 1


def test_a_text_whose_writer_is_known_to_be_gone_ends_at_the_start(
    rig: Rig, hosts: FakeHosts
) -> None:
    """One over a connection, which died with the daemon, is heard as far as it came."""
    first = rig.make_engine()
    by_connection, by_nobody = (opened(first, caller=each) for each in (CONNECTION, None))
    by_process = opened(first)
    for number, job in enumerate((by_connection, by_nobody, by_process)):
        first.append_text(job.id, 0, f"Here is number {number}.\n\n")
    rig.close(first)
    second = rig.make_engine()
    second.start()
    for job in (by_connection, by_nobody):
        assert rig.until_ended(job)["state"] == "done"
    assert second.store.get(by_process.id).is_open
    second.end_text(by_process.id)
    rig.until_ended(by_process)


def test_a_text_ends_although_the_disk_is_full(
    rig: Rig, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vox.errors import StorageError

    job = opened(engine)
    Writer(engine, job)(ONE)

    def full(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(engine.store.texts, "end", full)
    engine.end_text(job.id)
    assert rig.until_ended(job)["state"] == "done"


def test_a_stream_written_while_it_is_read_is_spoken_whole(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    sentences = [f"Here is number {number}." for number in range(8)]
    job = opened(engine)
    write = Writer(engine, job)

    def run() -> None:
        for sentence in sentences:
            write(sentence + "\n\n")
        write.end()

    thread = threading.Thread(target=run)
    thread.start()
    rig.until_ended(job)
    thread.join()
    assert hosts.texts == sentences
