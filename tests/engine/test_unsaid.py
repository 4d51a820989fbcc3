"""An utterance that the voice cannot say costs that utterance, not the text."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import soundfile

from vox.engine.engine import Engine
from vox.engine.unsaid import DEATHS_IN_A_ROW, FAILURES_IN_A_ROW, LONGEST_ROW_S, NAMED, Failures
from vox.errors import HostTimeout, OutOfMemory, SynthesisFailed
from vox.jobs import Job

from .fakes import CRASH, SPEECH_S, FakeHosts
from .rig import ONE, THREE, TWO, Rig, request

HUNG = HostTimeout("scripted stalled for 1 s")
CANNOT = SynthesisFailed("scripted: no such phoneme")
MANY = [f"This is the sentence of the number {number}." for number in range(60)]


def fail_twice(hosts: FakeHosts, sentence: str, error: Exception) -> None:
    hosts.script(sentence, SPEECH_S / 2, error)
    hosts.script(sentence, error)


@pytest.mark.parametrize("error", [CRASH, HUNG, CANNOT])
@pytest.mark.parametrize("bad", [ONE, TWO, THREE])
def test_an_utterance_that_fails_twice_is_left_out_and_the_rest_heard(
    rig: Rig, hosts: FakeHosts, engine: Engine, bad: str, error: Exception
) -> None:
    fail_twice(hosts, bad, error)
    ended = rig.until_ended(engine.submit(request(ONE, TWO, THREE)))
    assert (ended["state"], ended["error"], ended["exit_code"]) == ("done", None, 0)
    assert (ended["heard"], ended["utterances"], ended["unsaid"]) == (3, 3, 1)
    number = [ONE, TWO, THREE].index(bad) + 1
    assert ended["notes"] == [
        f'left out sentence {number}, which scripted could not say: "{bad}" ({error})'
    ]
    assert [text for text in hosts.texts if text != bad] == [
        each for each in (ONE, TWO, THREE) if each != bad
    ]
    assert hosts.texts.count(bad) == 2
    deaths = 0 if error is CANNOT else 2
    assert len(hosts.started) == 1 + deaths - (deaths > 0 and bad == THREE)  # none for the end


def test_what_fails_once_and_then_dies_is_left_out_too(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(TWO, CANNOT)
    hosts.script(TWO, CRASH)
    ended = rig.until_ended(engine.submit(request(ONE, TWO, THREE)))
    assert (ended["state"], ended["unsaid"]) == ("done", 1)


def test_a_file_has_the_rest_of_the_text(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    rig.settings["pause_s"] = 0.5
    fail_twice(hosts, TWO, CANNOT)
    path = tmp_path / "x.wav"
    job = engine.submit(request(ONE, TWO, THREE, output=str(path)))
    ended = rig.until_ended(job)
    assert (ended["state"], ended["heard"], ended["unsaid"]) == ("done", 3, 1)
    # One pause, not two, stands for what was left out.
    assert soundfile.info(path).duration == pytest.approx(2 * SPEECH_S + 0.5, abs=0.1)


def test_an_utterance_without_sound_is_left_out_with_a_note(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    hosts.script(TWO)
    ended = rig.until_ended(engine.submit(request(ONE, TWO, THREE)))
    assert (ended["state"], ended["unsaid"]) == ("done", 1)
    assert ended["notes"] == [
        f'left out sentence 2, which scripted cannot read: "{TWO}"; set its language: -l LANG'
    ]
    assert hosts.texts == [ONE, TWO, THREE]


def test_a_note_is_short_and_on_one_line(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    long = "word\x07 \n" * 30 + "end."
    fail_twice(hosts, "end.", SynthesisFailed("much\n\x1b[31m" * 1000))
    ended = rig.until_ended(engine.submit(request(ONE, long, format="plain")))
    (note,) = ended["notes"]
    assert note.isprintable() and len(note) < 400 and "…" in note


def test_a_text_none_of_which_can_be_said_fails_with_the_voices_error_alone(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for sentence in (ONE, TWO):
        fail_twice(hosts, sentence, SynthesisFailed(f"cannot say {sentence}"))
    ended = rig.until_ended(engine.submit(request(ONE, TWO)))
    assert (ended["state"], ended["error_code"]) == ("failed", "synthesis-failed")
    assert ended["error"] == f"cannot say {ONE}; see: vox daemon logs"
    assert ended["notes"] == []


def test_a_text_of_which_nothing_sounds_fails_and_says_what_cannot_be_read(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for sentence in (ONE, TWO):
        hosts.script(sentence)
    ended = rig.until_ended(engine.submit(request(ONE, TWO)))
    assert (ended["state"], ended["notes"]) == ("failed", [])
    assert ended["error"] == f"scripted cannot read {ONE!r}; set its language: -l LANG"
    assert ended["error_code"] == "cannot-read"


def test_out_of_memory_twice_fails_the_job(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    fail_twice(hosts, TWO, OutOfMemory("it does not fit"))
    ended = rig.until_ended(engine.submit(request(ONE, TWO, THREE)))
    assert (ended["state"], ended["error_code"]) == ("failed", "out-of-memory")


def test_each_utterance_has_its_two_tries(rig: Rig, hosts: FakeHosts, engine: Engine) -> None:
    for sentence in (ONE, TWO, THREE):
        hosts.script(sentence, CRASH)
    ended = rig.until_ended(engine.submit(request(ONE, TWO, THREE)))
    assert (ended["state"], ended["unsaid"], ended["notes"]) == ("done", 0, [])


def test_a_model_that_is_broken_is_not_started_for_every_utterance(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for sentence in MANY[1:]:
        fail_twice(hosts, sentence, CRASH)
    ended = rig.until_ended(engine.submit(request(*MANY)))
    assert (ended["state"], ended["error_code"]) == ("failed", "host-crashed")
    assert ended["unsaid"] == DEATHS_IN_A_ROW - 1
    assert len(hosts.started) == 2 * DEATHS_IN_A_ROW


def test_a_voice_that_can_say_nothing_any_more_is_not_asked_for_every_utterance(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    for sentence in MANY[1:]:
        fail_twice(hosts, sentence, CANNOT)
    ended = rig.until_ended(engine.submit(request(*MANY)))
    assert (ended["state"], ended["error_code"]) == ("failed", "synthesis-failed")
    assert len(hosts.asked) == 1 + 2 * FAILURES_IN_A_ROW


def test_many_that_are_not_in_a_row_are_left_out_and_the_first_are_named(
    rig: Rig, hosts: FakeHosts, engine: Engine, tmp_path: Path
) -> None:
    bad = MANY[1::2]
    for number, sentence in enumerate(bad):
        fail_twice(hosts, sentence, CRASH if number < DEATHS_IN_A_ROW + 1 else CANNOT)
    job = engine.submit(request(*MANY, output=str(tmp_path / "x.wav")))
    ended = rig.until_ended(job)
    assert (ended["state"], ended["unsaid"]) == ("done", len(bad))
    assert len(ended["notes"]) == NAMED + 1
    more = len(bad) - NAMED
    assert ended["notes"][-1] == f"left out {more} more sentences; see: vox daemon logs"


def test_nothing_is_tried_for_long_that_is_never_said() -> None:
    now = 0.0
    failures = Failures(lambda: now)
    assert not failures.leaves_out(HUNG, True)
    now += LONGEST_ROW_S / 2
    assert failures.leaves_out(HUNG, True)
    assert not failures.leaves_out(HUNG, True)
    now += LONGEST_ROW_S
    with pytest.raises(HostTimeout):
        failures.leaves_out(HUNG, True)


def test_an_utterance_that_was_left_out_is_not_tried_by_the_next_daemon(
    rig: Rig, hosts: FakeHosts
) -> None:
    engine = rig.make_engine()
    (job,) = engine.store.add([Job(id="", text=f"{ONE} {TWO} {THREE}", backend="scripted")])
    with contextlib.closing(engine.spools.open(job.id)) as spool:
        for index in range(2):  # and it died before it wrote that into the table
            spool.begin_utterance(index)
            spool.end_utterance(is_unsaid=True)
    engine.store.change(job.id, ("queued",), "preparing")
    engine.start()
    ended = rig.until_ended(job)
    assert hosts.texts == [THREE]
    assert (ended["state"], ended["heard"], ended["unsaid"]) == ("done", 3, 2)


def test_what_was_left_out_is_not_kept_to_be_said_again(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    fail_twice(hosts, TWO, CANNOT)
    rig.until_ended(engine.submit(request(ONE, TWO)))
    ended = rig.until_ended(engine.submit(request(ONE, TWO)))
    assert (ended["unsaid"], ended["notes"], hosts.texts.count(TWO)) == (0, [], 3)


def test_a_replay_of_audio_that_lacks_a_sentence_says_so(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    fail_twice(hosts, TWO, CANNOT)
    job = engine.submit(request(ONE, TWO))
    rig.until_ended(job)
    ended = rig.until_ended(engine.replay(job.id))
    assert (ended["state"], ended["unsaid"]) == ("done", 1)
    assert ended["notes"] == [f"one sentence could not be said; see: vox history show {job.id}"]


def test_a_stream_goes_on_after_what_was_left_out(
    rig: Rig, hosts: FakeHosts, engine: Engine
) -> None:
    fail_twice(hosts, ONE, CRASH)
    ended = rig.until_ended(engine.submit(request(ONE, TWO, sink="stream")))
    assert (ended["state"], ended["unsaid"], ended["heard"]) == ("done", 1, 2)
