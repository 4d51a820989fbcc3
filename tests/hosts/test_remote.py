"""A host whose work workers do: what it asks them for, and what it makes of their answers."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.fake_workers import Anew, FakeWorkers, worker
from tests.engine.fakes import CRASH
from vox.backends.base import Clone, Settings, Utterance
from vox.errors import (
    BackendNotInstalled,
    HostCrashed,
    JobCancelled,
    JobFailed,
    LoadFailed,
    StorageError,
    SynthesisFailed,
    UnknownVoice,
    VoxError,
    WorkerLost,
    WorkersAway,
)
from vox.hosts.remote import RemoteHost

RATE = 24_000


@pytest.fixture
def workers() -> FakeWorkers:
    return FakeWorkers()


@pytest.fixture
def host(workers: FakeWorkers) -> RemoteHost:
    return make(workers)


def make(workers: FakeWorkers, model: str | None = None, tier: int = 1) -> RemoteHost:
    return RemoteHost("scripted", model, Settings("", ""), workers, tier=tier, priority=5)


def seconds(host: RemoteHost, text: str) -> float:
    return sum(len(samples) for samples, _ in host.synthesize(Utterance(text))) / RATE


def said(*texts: str) -> list[Utterance]:
    return [Utterance(text) for text in texts]


def test_a_request_says_what_is_to_be_said_and_for_whom(
    workers: FakeWorkers, tmp_path: Path
) -> None:
    recording = tmp_path / "her.wav"
    recording.write_bytes(b"sound")
    host = make(workers, "big")
    clone = Clone("her", str(recording), "What she says.", "en")
    list(host.synthesize(Utterance("Hello.", voice="v", lang="en", speed=1.5, clone=clone)))
    (request,) = workers.asked
    assert (request.lane, request.backend, request.model) == ("scripted/big", "scripted", "big")
    assert (request.text, request.tier, request.priority) == ("Hello.", 1, 5)
    assert (request.said["voice"], request.said["speed"]) == ("v", 1.5)
    assert request.clone is not None and len(request.clone.digest) == 64
    assert request.clone.transcript == "What she says."


def test_nothing_is_loaded_where_a_worker_is_warm(workers: FakeWorkers, host: RemoteHost) -> None:
    host.load()
    assert (workers.texts, host.device, host.load_s) == ([], "workers", 0.0)


def test_a_load_is_told_with_the_name_of_the_worker(workers: FakeWorkers, host: RemoteHost) -> None:
    workers.announce(worker("gpu1", is_warm=False))
    workers.hosts.loads.append(["it fell back to the CPU"])
    steps: list[tuple[str, float | None]] = []
    host.load(None, lambda text, fraction: steps.append((text, fraction)))
    assert workers.texts == [None]
    assert steps == [
        ("loading scripted on a worker", None),
        ("loading the script on gpu1", 0.5),
    ]
    assert host.take_notes() == ["it fell back to the CPU (on the worker gpu1)"]


def test_nothing_is_loaded_while_something_is_being_made(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    """The load would be made after all that was asked for, and the job would wait for it."""
    host.prefetch(said("one"))
    workers.announce(worker("gpu1", is_warm=False))
    host.load()
    assert workers.texts == ["one"]


def test_cancel_ends_a_load(workers: FakeWorkers, host: RemoteHost) -> None:
    workers.announce(worker("gpu1", is_warm=False))
    workers.hosts.loads.append([workers.hosts.gate()])
    host.load(None, lambda _text, fraction: host.cancel() if fraction else None)
    assert [each.text for each in workers.cancelled] == [None]


def test_who_does_not_want_the_load_any_more_says_so_before_it_is_waited_for(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.announce(worker("gpu1", is_warm=False))
    workers.hosts.loads.append([workers.hosts.gate()])

    def is_unwanted(_text: str, _fraction: float | None) -> None:
        raise JobCancelled("no")

    with pytest.raises(JobCancelled):
        host.load(None, is_unwanted)
    assert len(workers.cancelled) == 1


@pytest.mark.parametrize(
    "error",
    [SynthesisFailed("no", "run: vox x"), CRASH],
    ids=["failed", "crashed"],
)
def test_what_is_wrong_with_the_utterance_is_told_as_at_home(
    workers: FakeWorkers, host: RemoteHost, error: VoxError
) -> None:
    workers.hosts.script("bad", 0.1, error)
    with pytest.raises(type(error)) as raised:
        seconds(host, "bad")
    assert raised.value.message == f"{error.message} (on the worker gpu1)"
    hint = {"run: vox x": "run there: vox x"}.get(error.hint, "see: that worker's log")
    assert (raised.value.hint, raised.value.exit_code) == (hint, error.exit_code)
    assert host.is_alive and seconds(host, "good") == 0.1


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (LoadFailed("no"), LoadFailed),
        (BackendNotInstalled("no"), BackendNotInstalled),
        (UnknownVoice("no"), UnknownVoice),
        (JobFailed("no"), JobFailed),
        (StorageError("full"), JobFailed),  # it is not this machine's disk
    ],
    ids=lambda each: getattr(each, "code", ""),
)
def test_a_worker_that_is_not_able_to_do_it_is_lost_to_the_job(
    workers: FakeWorkers, host: RemoteHost, told: VoxError, kept: type[VoxError]
) -> None:
    workers.hosts.script("bad", told)
    with pytest.raises(WorkerLost, match="on the worker gpu1") as raised:
        seconds(host, "bad")
    assert type(raised.value.__cause__) is kept
    assert not host.is_going_on


def test_an_utterance_that_begins_anew_is_not_asked_for_again(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.hosts.script("one", 0.1, Anew())
    workers.hosts.script("one", 0.3)
    with pytest.raises(WorkerLost):
        seconds(host, "one")
    assert host.is_going_on
    host.load()
    host.prefetch(said("one"))
    assert seconds(host, "one") == pytest.approx(0.3)
    assert workers.texts == ["one"] and not host.is_going_on


def test_what_begins_anew_does_not_go_on_if_the_next_ones_are_refused(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.announce(worker("gpu1", concurrency=4))
    workers.hosts.script("one", 0.1, Anew())
    with pytest.raises(WorkerLost):
        seconds(host, "one")
    workers.refusal = UnknownVoice("the recording of the voice was changed")
    with pytest.raises(WorkerLost):
        host.prefetch(said("one", "two"))
    assert not host.is_going_on


@pytest.mark.parametrize("error", [WorkerLost("lost"), WorkersAway("away")])
def test_what_is_lost_for_good_is_asked_for_again_if_it_is_wanted(
    workers: FakeWorkers, host: RemoteHost, error: VoxError
) -> None:
    workers.hosts.script("one", 0.1, error)
    with pytest.raises(type(error)):
        seconds(host, "one")
    assert not host.is_going_on
    assert seconds(host, "one") == 0.1
    assert workers.texts == ["one", "one"]


def test_what_was_asked_for_ahead_and_found_nobody_is_asked_for_again_when_it_is_needed(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    """The laptop slept meanwhile: that there was no server then says nothing of now."""
    workers.announce(worker("gpu1", concurrency=4))
    workers.hosts.script("two", WorkersAway("away"))
    host.prefetch(said("one", "two", "three"))
    assert seconds(host, "one") == 0.1
    workers.until(lambda: any(asked.was_away for _, asked in host._ahead))
    host.prefetch(said("two", "three"))
    assert seconds(host, "two") == 0.1
    assert workers.texts == ["one", "two", "three", "two"]


def test_the_next_utterances_are_made_meanwhile_each_once(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.announce(worker("gpu1", concurrency=4))
    texts = ["one", "two", "three", "four"]
    for at, text in enumerate(texts):
        host.prefetch(said(*texts[at : at + 3]))
        assert seconds(host, text) == 0.1
    assert workers.texts == texts


def test_the_present_utterance_is_asked_for_once_before_those_after_it(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.announce(worker("gpu1", concurrency=4))
    host.prefetch(said("two"))
    host.expect(Utterance("one"))
    host.expect(Utterance("one"))
    host.prefetch(said("one", "two", "three"))
    assert seconds(host, "one") == 0.1
    assert workers.texts == ["two", "one", "three"] and not workers.cancelled


def test_as_many_are_asked_for_as_the_workers_keep_busy(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    host.prefetch(said(*map(str, range(host.width + 10))))
    assert len(workers.asked) == host.width
    workers.announce(*(worker(f"gpu{n}", concurrency=64) for n in range(8)))
    assert host.width == 32
    workers.announce()
    assert host.width == 1


def test_what_is_to_be_heard_waits_for_few_further_requests_once_it_has_sound(
    workers: FakeWorkers,
) -> None:
    """Each is a round trip, which may take long on a laptop's network."""
    workers.announce(worker("gpu1", concurrency=8))
    ask: Callable[..., Any] = workers.ask
    all_asked: list[Any] = []

    def ask_slowly(*args: Any) -> Any:
        all_asked.append(ask(*args))
        workers.until(lambda: all_asked[0].has_sound)
        return all_asked[-1]

    workers.ask = ask_slowly  # type: ignore[method-assign]
    texts = [f"Number {number}." for number in range(12)]
    heard, written = make(workers, tier=0), make(workers, tier=1)
    heard.prefetch(said(*texts))
    assert len(all_asked) < 4
    for at, text in enumerate(texts):  # and so the next ones are made meanwhile all the same
        heard.prefetch(said(*texts[at:]))
        assert seconds(heard, text) == 0.1
    assert workers.texts == texts
    all_asked.clear()
    written.prefetch(said(*texts))
    assert len(all_asked) == len(texts)


def test_what_is_not_wanted_any_more_is_cancelled_and_the_present_one_never(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.announce(worker("gpu1", concurrency=4))
    gate = workers.hosts.gate()
    for text in ("one", "two", "three"):
        workers.hosts.script(text, 0.05, gate)
    host.prefetch(said("one", "two", "three"))
    chunks = host.synthesize(Utterance("one"))
    next(chunks)
    host.prefetch(said("three"))
    assert [each.text for each in workers.cancelled] == ["two"]
    host.close()
    assert [each.text for each in workers.cancelled] == ["two", "three", "one"]
    assert list(chunks) == []
    assert not host.is_alive


def test_what_is_asked_for_while_another_thread_closes_the_host_is_cancelled(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.announce(worker("gpu1", concurrency=4))
    for text in ("one", "two", "three"):
        workers.hosts.script(text, workers.hosts.gate())
    host.prefetch(said("one"))
    ask: Callable[..., Any] = workers.ask

    def ask_slowly(*args: Any) -> Any:
        asked = ask(*args)
        closing = threading.Thread(target=host.close)
        closing.start()
        closing.join()
        return asked

    workers.ask = ask_slowly  # type: ignore[method-assign]
    host.prefetch(said("two", "three"))
    assert list(host.synthesize(Utterance("two"))) == []
    assert {each.text for each in workers.cancelled} == set(workers.texts)


def test_two_equal_sentences_are_two_requests(workers: FakeWorkers, host: RemoteHost) -> None:
    workers.announce(worker("gpu1", concurrency=4))
    for left in (2, 1):
        host.prefetch(said(*["yes"] * left))
        assert seconds(host, "yes") == 0.1
    assert workers.texts == ["yes", "yes"] and not workers.cancelled


def test_what_workers_do_not_understand_is_lost_to_them(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.refusal = UnknownVoice("the recording of the voice is too long for a worker")
    with pytest.raises(WorkerLost, match="too long for") as raised:
        seconds(host, "one")
    assert raised.value.__cause__ is workers.refusal


def test_a_request_that_cannot_be_sent_leaves_those_before_it(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.announce(worker("gpu1", concurrency=4))
    host.prefetch(said("one"))
    workers.refusal = WorkersAway("away")
    with pytest.raises(WorkersAway):
        host.prefetch(said("one", "two"))
    assert seconds(host, "one") == 0.1
    assert workers.texts == ["one"]


def test_who_made_it_is_told(workers: FakeWorkers, host: RemoteHost) -> None:
    workers.announce(worker("a"), worker("b"))
    makers = []
    for text in itertools.islice(itertools.count(), 4):
        seconds(host, str(text))
        makers.append(host.made_on)
    assert set(makers) == {"a", "b"}


def test_a_crash_of_the_workers_host_does_not_end_this_one(
    workers: FakeWorkers, host: RemoteHost
) -> None:
    workers.hosts.script("die", CRASH)
    with pytest.raises(HostCrashed):
        seconds(host, "die")
    assert host.is_alive and host.answers() and host.idle_s >= 0.0
