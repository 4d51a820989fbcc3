"""Who goes first: a file, or what has a lower priority, yields between two utterances."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vox.engine.engine import Engine
from vox.engine.host_use import MAX_CUTS
from vox.engine.lookahead import URGENT_S
from vox.errors import SynthesisFailed
from vox.jobs import Job, Request

from .fakes import RATE, SPEECH_S, FakeHosts, Gate
from .rig import ONE, THREE, TWO, Rig, request

BOOK = ["Here is chapter one.", "Here is chapter two.", "Here is chapter three."]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return tmp_path / "book.wav"


def said(*sentences: str, **fields: Any) -> Request:
    """Said by a host that gives a whole utterance at once, so none is given up midway."""
    return request(*sentences, **{"backend": "hibari", **fields})


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
    file = engine.submit(said(*BOOK, output=str(book)))
    gate.wait_reached()
    ear = engine.submit(said(ONE, TWO))
    open_once_begun(rig, gate, ear)
    assert rig.until_ended(file)["state"] == "done"
    assert hosts.texts == [BOOK[0], ONE, TWO, *BOOK[1:]]
    assert rig.until_ended(ear)["state"] == "done"


def test_a_stream_goes_before_a_file_too(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    gate = begun(hosts, BOOK[0])
    file = engine.submit(said(*BOOK, output=str(book), priority="high"))
    gate.wait_reached()
    ear = engine.submit(said(ONE, sink="stream", priority="low"))
    open_once_begun(rig, gate, ear)
    rig.until_ended(file)
    assert hosts.texts == [BOOK[0], ONE, *BOOK[1:]]


def test_two_levels_yield_in_turn(rig: Rig, hosts: FakeHosts, engine: Engine, book: Path) -> None:
    engine.pause()  # what is heard yields to nobody
    gates = [begun(hosts, BOOK[0]), begun(hosts, ONE)]
    file = engine.submit(said(*BOOK, output=str(book)))
    gates[0].wait_reached()
    low = engine.submit(said(ONE, TWO, priority="low"))
    open_once_begun(rig, gates[0], low)
    gates[1].wait_reached()
    high = engine.submit(said(THREE, priority="high"))
    open_once_begun(rig, gates[1], high)
    assert rig.until_ended(file)["state"] == "done"
    assert hosts.texts == [BOOK[0], ONE, THREE, TWO, *BOOK[1:]]
    engine.resume()
    for job in (low, high):
        assert rig.until_ended(job)["state"] == "done"


def test_what_is_being_heard_yields_to_nobody(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    gate = hosts.gate()
    hosts.script(TWO, gate, SPEECH_S)
    heard = engine.submit(said(ONE, TWO, BOOK[0], priority="low"))
    rig.until_state(heard, "speaking")
    gate.wait_reached()
    high = engine.submit(said(THREE, priority="high"))
    gate.open()
    rig.until_ended(high)
    assert hosts.texts == [ONE, TWO, BOOK[0], THREE]


def test_a_file_of_a_higher_priority_goes_before_one_of_a_lower(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path, tmp_path: Path
) -> None:
    gate = begun(hosts, BOOK[0])
    file = engine.submit(said(*BOOK, output=str(book)))
    fields = {"output": str(tmp_path / "high.wav"), "priority": "high"}
    gate.wait_reached()
    high = engine.submit(said(ONE, **fields))
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
    ear = engine.submit(said(ONE, TWO))
    rig.until(lambda: engine.running.get(ear.id) and engine.running.get(ear.id).is_resting)
    file = engine.submit(said(*BOOK, output=str(book)))
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
    file = engine.submit(said(*BOOK, output=str(book)))
    gates[0].wait_reached()
    ear = engine.submit(said(ONE, TWO))
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
    file = engine.submit(said(*BOOK, output=str(book)))
    gate.wait_reached()
    ear = engine.submit(said(ONE))
    open_once_begun(rig, gate, ear)
    assert rig.until_ended(ear)["state"] == "failed"
    assert rig.until_ended(file)["state"] == "done"
    assert hosts.texts == [BOOK[0], ONE, ONE, *BOOK[1:]]


def test_stopping_puts_all_that_are_at_work_back(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    gates = [begun(hosts, BOOK[0]), begun(hosts, ONE)]
    file = engine.submit(said(*BOOK, output=str(book)))
    gates[0].wait_reached()
    ear = engine.submit(said(ONE))
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
    engine.submit(said(BOOK[0], output=str(tmp_path / "0.wav"), priority="high"))
    gate.wait_reached()
    for number in range(1, 103):
        output = str(tmp_path / f"{number}.wav")
        engine.submit(said(ONE, output=output, priority="high"))
    ear = engine.submit(said(TWO, priority="low"))
    open_once_begun(rig, gate, ear)
    rig.until_ended(ear)
    assert hosts.texts[:2] == [BOOK[0], TWO]


def test_files_go_on_while_speech_is_paused_and_much_waits(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    rig.settings["lookahead_s"] = 0.05
    engine.pause()
    for _ in range(103):
        engine.submit(said(ONE))
    assert rig.until_ended(engine.submit(said(*BOOK, output=str(book))))["state"] == "done"


def test_a_file_gives_up_an_utterance_that_the_ear_would_wait_for_and_makes_it_again(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    gates = [begun(hosts, BOOK[1]) for _ in range(MAX_CUTS + 1)]
    file = engine.submit(request(*BOOK, output=str(book)))
    for gate in gates[:-1]:
        gate.wait_reached()
        rig.until_ended(engine.submit(request(ONE, fresh=True)))
    gates[-1].wait_reached()
    last = engine.submit(request(TWO))
    rig.until_state(last, "preparing")
    rig.until(lambda: engine.pool.turns._waiting)
    gates[-1].open()  # it was given up often enough
    rig.until_ended(file)
    assert hosts.texts == [BOOK[0], *[BOOK[1], ONE] * MAX_CUTS, BOOK[1], TWO, BOOK[2]]
    assert [host.is_alive for host in hosts.started] == [True]
    audio, _ = soundfile.read(book)
    assert len(audio) / RATE == pytest.approx(4 * SPEECH_S + 2 * rig.settings["pause_s"], abs=0.05)


def test_nothing_is_given_up_for_speech_that_has_enough_ahead(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    rig.settings["lookahead_s"] = 2 * URGENT_S
    engine.pause()
    hosts.script(ONE, 2 * URGENT_S)
    ear = engine.submit(request(ONE, TWO))
    rig.until(lambda: (run := engine.running.get(ear.id)) and run.is_resting)
    gate = begun(hosts, BOOK[0])
    file = engine.submit(request(*BOOK, output=str(book)))
    gate.wait_reached()
    rig.settings["lookahead_s"] = 100 * URGENT_S
    rig.until(lambda: engine.pool.turns._waiting)
    gate.open()
    rig.until_ended(file)
    assert hosts.texts == [ONE, BOOK[0], TWO, *BOOK[1:]]


def test_a_stream_gives_nothing_up_for_it_was_sent(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    gate = begun(hosts, BOOK[0])
    stream = engine.submit(request(*BOOK, sink="stream", priority="low"))
    gate.wait_reached()
    ear = engine.submit(request(ONE))
    rig.until_state(ear, "preparing")
    rig.until(lambda: engine.pool.turns._waiting)
    gate.open()
    rig.until_ended(stream)
    assert hosts.texts == [BOOK[0], ONE, *BOOK[1:]]


def test_a_host_that_does_not_stop_and_is_killed_is_no_failure_of_the_utterance(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    gate = begun(hosts, BOOK[0])
    file = engine.submit(request(*BOOK, output=str(book)))
    gate.wait_reached()
    (host,) = hosts.started
    host.cancel = host.kill  # type: ignore[method-assign]
    rig.until_ended(engine.submit(request(ONE)))
    assert rig.until_ended(file)["unsaid"] == 0
    assert hosts.texts == [BOOK[0], ONE, *BOOK]


def test_another_warm_model_speaks_at_once_while_a_file_is_in_mid_utterance(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    rig.until_ended(engine.submit(said(ONE)))
    gate = begun(hosts, BOOK[0])
    file = engine.submit(request(*BOOK, output=str(book)))
    gate.wait_reached()
    assert rig.until_ended(engine.submit(said(TWO)))["state"] == "done"
    gate.open()
    assert rig.until_ended(file)["state"] == "done"
    assert hosts.texts == [ONE, BOOK[0], TWO, *BOOK[1:]]  # nothing was given up
    assert [host.cancels for host in hosts.started] == [0, 0]


def test_another_warm_model_speaks_at_once_while_that_of_a_file_is_loaded(
    rig: Rig, hosts: FakeHosts, engine: Engine, book: Path
) -> None:
    rig.until_ended(engine.submit(said(ONE)))
    gate = hosts.gate()
    hosts.loads.append([gate])
    file = engine.submit(request(*BOOK, output=str(book)))
    gate.wait_reached()
    assert rig.until_ended(engine.submit(said(TWO)))["state"] == "done"
    gate.open()
    assert rig.until_ended(file)["state"] == "done"


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
    rig.until_ended(engine.submit(said(*BOOK, output=str(plain), fresh=True)))
    gates = {cut: hosts.gate() for cut in cuts}
    for at, (sentence, each) in enumerate(zip(BOOK, steps, strict=True)):
        hosts.script(sentence, *each, *([gates[at]] if at in gates else []))
    file = engine.submit(said(*BOOK, output=str(broken), fresh=True))
    for cut in sorted(cuts):
        gates[cut].wait_reached()
        ear = engine.submit(said(ONE, fresh=True))
        open_once_begun(rig, gates[cut], ear)
        rig.until_ended(ear)
    rig.until_ended(file)
    assert plain.read_bytes() == broken.read_bytes()
    audio, rate = soundfile.read(broken)
    assert rate == RATE and np.abs(audio).max() > 0.1
