"""Who goes first: a file, or what has a lower priority, yields between two utterances."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vox.engine.engine import Engine
from vox.errors import SynthesisFailed
from vox.jobs import Job

from .fakes import RATE, SPEECH_S, FakeHosts, Gate
from .rig import ONE, THREE, TWO, Rig, request

BOOK = ["Here is chapter one.", "Here is chapter two.", "Here is chapter three."]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "book.wav"


def begun(hosts: FakeHosts, sentence: str, *steps: float) -> Gate:
    """Have the host stop in mid-utterance at that sentence."""
    gate = hosts.gate()
    hosts.script(sentence, *(steps or (SPEECH_S,)), gate, SPEECH_S)
    return gate


def open_once_begun(rig: Rig, gate: Gate, job: Job) -> None:
    """Let the host go on once that job is at work."""
    rig.until_state(job, "preparing")
    gate.open()


def test_what_is_for_the_ear_is_made_before_a_file_goes_on(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    gate = begun(hosts, BOOK[0])
    file = engine.submit(request(*BOOK, output=str(book)))
    gate.wait_reached()
    ear = engine.submit(request(ONE, TWO))
    open_once_begun(rig, gate, ear)
    assert rig.until_ended(file)["state"] == "done"
    assert hosts.texts == [BOOK[0], ONE, TWO, *BOOK[1:]]
    assert rig.until_ended(ear)["state"] == "done"


def test_a_stream_goes_before_a_file_too(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    gate = begun(hosts, BOOK[0])
    file = engine.submit(request(*BOOK, output=str(book), priority="high"))
    gate.wait_reached()
    ear = engine.submit(request(ONE, sink="stream", priority="low"))
    open_once_begun(rig, gate, ear)
    rig.until_ended(file)
    assert hosts.texts == [BOOK[0], ONE, *BOOK[1:]]


def test_two_levels_yield_in_turn(rig: Rig, hosts: FakeHosts, engine: Engine, book: Path) -> None:
    rig.settings["lead_in_s"] = 0
    gates = [begun(hosts, BOOK[0]), hosts.gate()]
    hosts.script(ONE, gates[1], SPEECH_S)
    file = engine.submit(request(*BOOK, output=str(book)))
    gates[0].wait_reached()
    low = engine.submit(request(ONE, TWO, priority="low"))
    open_once_begun(rig, gates[0], low)
    gates[1].wait_reached()
    high = engine.submit(request(THREE, priority="high"))
    open_once_begun(rig, gates[1], high)
    for job in (low, high, file):
        assert rig.until_ended(job)["state"] == "done"
    assert hosts.texts == [BOOK[0], ONE, THREE, TWO, *BOOK[1:]]


def test_a_file_of_a_higher_priority_goes_before_one_of_a_lower(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path, tmp_path: Path
) -> None:
    gate = begun(hosts, BOOK[0])
    file = engine.submit(request(*BOOK, output=str(book)))
    fields = {"output": str(tmp_path / "high.wav"), "priority": "high"}
    gate.wait_reached()
    high = engine.submit(request(ONE, **fields))
    open_once_begun(rig, gate, high)
    rig.until_ended(file)
    assert hosts.texts == [BOOK[0], ONE, *BOOK[1:]]
    assert rig.until_ended(high)["state"] == "done"


def test_a_file_goes_on_while_the_ear_has_enough(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    rig.settings["lookahead_s"] = 0.3
    engine.pause()
    hosts.script(ONE, 0.5)
    ear = engine.submit(request(ONE, TWO))
    rig.until(lambda: engine.running.get(ear.id) and engine.running.get(ear.id).is_resting)
    file = engine.submit(request(*BOOK, output=str(book)))
    rig.until_ended(file)
    assert hosts.texts == [ONE, *BOOK]
    engine.resume()
    assert rig.until_ended(ear)["state"] == "done"
    assert hosts.texts == [ONE, *BOOK, TWO]


@pytest.mark.parametrize("which", ["outer", "inner"])
def test_one_of_them_is_cancelled_and_the_other_goes_on(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path, which: str
) -> None:
    gates = [begun(hosts, BOOK[0]), begun(hosts, ONE)]
    file = engine.submit(request(*BOOK, output=str(book)))
    gates[0].wait_reached()
    ear = engine.submit(request(ONE, TWO))
    open_once_begun(rig, gates[0], ear)
    gates[1].wait_reached()
    cancelled, other = (file, ear) if which == "outer" else (ear, file)
    engine.cancel(cancelled.id)
    rig.until(lambda: engine.running.get(cancelled.id) is None)  # its thread has gone at once
    gates[1].open()
    assert rig.until_ended(other)["state"] == "done"
    assert engine.store.get(cancelled.id).state == "cancelled"
    assert book.exists() == (which == "inner")
    assert hosts.texts == [BOOK[0], ONE, *([TWO] if which == "outer" else BOOK[1:])]


def test_a_failure_of_what_goes_first_is_its_own(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    gate = begun(hosts, BOOK[0])
    hosts.script(ONE, SynthesisFailed("on purpose"))
    hosts.script(ONE, SynthesisFailed("on purpose"))
    file = engine.submit(request(*BOOK, output=str(book)))
    gate.wait_reached()
    ear = engine.submit(request(ONE))
    open_once_begun(rig, gate, ear)
    assert rig.until_ended(ear)["state"] == "failed"
    assert rig.until_ended(file)["state"] == "done"
    assert hosts.texts == [BOOK[0], ONE, ONE, *BOOK[1:]]


def test_stopping_puts_all_that_are_at_work_back(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    gates = [begun(hosts, BOOK[0]), begun(hosts, ONE)]
    file = engine.submit(request(*BOOK, output=str(book)))
    gates[0].wait_reached()
    ear = engine.submit(request(ONE))
    open_once_begun(rig, gates[0], ear)
    gates[1].wait_reached()
    rig.close(engine)
    with contextlib.closing(rig.store()) as store:
        assert store.get(file.id).state == store.get(ear.id).state == "queued"
    after = rig.make_engine()
    after.start()
    for job in (ear, file):
        assert rig.until_state(job, "done")
    assert hosts.texts[2:] == [ONE, *BOOK[1:]]  # what was made of the file is not made again


def test_a_hundred_files_do_not_hide_what_is_to_be_heard(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    gate = begun(hosts, BOOK[0])
    engine.submit(request(BOOK[0], output=str(tmp_path / "0.wav"), priority="high"))
    gate.wait_reached()
    for number in range(1, 103):
        output = str(tmp_path / f"{number}.wav")
        engine.submit(request(ONE, output=output, priority="high"))
    ear = engine.submit(request(TWO, priority="low"))
    open_once_begun(rig, gate, ear)
    rig.until_ended(ear)
    assert hosts.texts[:2] == [BOOK[0], TWO]


def test_files_go_on_while_speech_is_paused_and_much_waits(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    rig.settings["lookahead_s"] = 0.05
    engine.pause()
    for _ in range(103):
        engine.submit(request(ONE))
    assert rig.until_ended(engine.submit(request(*BOOK, output=str(book))))["state"] == "done"


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cuts=st.lists(st.sampled_from(range(len(BOOK))), unique=True, min_size=1))
def test_a_file_is_the_same_with_and_without_interruptions(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path, cuts: Sequence[int]
) -> None:
    steps = [(0.2,), (0.15,), (0.25,)]
    plain, broken = tmp_path / "plain.wav", tmp_path / "broken.wav"
    for sentence, each in zip(BOOK, steps, strict=True):
        hosts.script(sentence, *each)
    rig.until_ended(engine.submit(request(*BOOK, output=str(plain), fresh=True)))
    gates = {cut: hosts.gate() for cut in cuts}
    for at, (sentence, each) in enumerate(zip(BOOK, steps, strict=True)):
        hosts.script(sentence, *each, *([gates[at]] if at in gates else []))
    file = engine.submit(request(*BOOK, output=str(broken), fresh=True))
    for cut in sorted(cuts):
        gates[cut].wait_reached()
        ear = engine.submit(request(ONE, fresh=True))
        open_once_begun(rig, gates[cut], ear)
        rig.until_ended(ear)
    rig.until_ended(file)
    assert plain.read_bytes() == broken.read_bytes()
    audio, rate = soundfile.read(broken)
    assert rate == RATE and np.abs(audio).max() > 0.1
