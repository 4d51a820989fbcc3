"""Long listening as users do it: back, next, and what is heard then."""

from __future__ import annotations

import itertools
import json
import time

import pytest

from tests.running import Vox
from tests.sound import Recorder, segments_of_sound
from tests.tones import read_timed_tones, read_tones

SCRIPTED = ("-b", "scripted")
SOON_S = 0.5
"""A tenth of a second on an idle machine, see what the test prints."""


def sentences(*seconds: float) -> str:
    """One for each length, each with a pitch of its own."""
    return " ".join(f"{n} [say {length}s]." for n, length in enumerate(seconds, start=1))


@pytest.mark.slow
def test_back_and_next_are_heard_at_once(vox: Vox, recorder: Recorder) -> None:
    job_id = vox.ok(*SCRIPTED, "--async", sentences(0.4, 20, 20, 0.5))
    while vox.until(job_id, "speaking")["heard"] < 1:
        time.sleep(0.02)
    recorder.wait_for_sound()
    delays_s = []
    for verb, number, answer in (("next", 3, "sentence 3/4"), ("back", 2, "sentence 2/4")):
        called_at = time.monotonic()
        assert vox.ok(verb) == f"{job_id}: {answer}"
        returned_at = time.monotonic()
        recorder.wait_for_sound(since=returned_at + SOON_S)
        recording = recorder.recording().after(called_at)
        tones = read_timed_tones(recording.samples, recording.sample_rate)
        heard_at = recording.started_at + next(t.start_s for t in tones if t.number == number)
        delays_s.append((returned_at - called_at, heard_at - returned_at))
        assert heard_at - returned_at < SOON_S
    print(f"the command took, and after it the sound: {delays_s}")
    assert vox.job(job_id)["heard"] == 1
    assert vox.ok("next", "3") == f"{job_id}: its end"
    vox.ok("wait", job_id)
    assert (vox.job(job_id)["state"], vox.job(job_id)["heard"]) == ("done", 4)


@pytest.mark.slow
def test_a_daemon_that_dies_after_back_goes_on_where_the_ear_was(
    vox: Vox, recorder: Recorder
) -> None:
    job_id = vox.ok(*SCRIPTED, "--async", sentences(0.3, 0.3, 0.3, 20))
    while vox.until(job_id, "speaking")["heard"] < 3:
        time.sleep(0.02)
    vox.ok("pause")
    assert vox.ok("back", "9") == f"{job_id}: sentence 1/4"
    assert vox.ok("next") == f"{job_id}: sentence 2/4"
    while vox.job(job_id)["heard"] != 1:
        time.sleep(0.02)
    vox.kill_daemon()
    killed_at = time.monotonic()
    vox.ok("daemon", "start")
    vox.ok("resume")
    recorder.wait_for_sound(since=killed_at)
    while vox.until(job_id, "speaking")["heard"] < 3:
        time.sleep(0.02)
    recording = recorder.recording().after(killed_at)
    tones = read_timed_tones(recording.samples, recording.sample_rate)
    assert list(dict.fromkeys(tone.number for tone in tones))[:3] in ([2, 3, 4], [2, 3])


def test_back_and_next_say_what_is_wrong(vox: Vox, sound: object) -> None:
    result = vox("back")
    assert result.code == 3 and "no daemon is running; nothing is being spoken" in result.err
    vox.ok("daemon", "start")
    for verb in ("back", "next"):
        result = vox(verb)
        assert (result.code, result.out) == (1, "")
        assert result.err == "vox: nothing is being spoken; to hear the last again: vox again\n"
    result = vox("back", "0")
    assert result.code == 2 and len(result.err.splitlines()) == 1


@pytest.mark.slow
def test_stop_is_silent_at_once_and_cancels_all(vox: Vox, recorder: Recorder) -> None:
    assert vox.ok("stop") == "nothing is being spoken, and nothing waits"
    ids = [vox.ok(*SCRIPTED, "--async", f"{n} [say 20s]") for n in range(1, 4)]
    ids.append(vox.ok(*SCRIPTED, "--async", "-o", f"{vox.home}/x.wav", "[say 1s]. [until never]."))
    vox.until(ids[0], "speaking")
    recorder.wait_for_sound()
    called_at = time.monotonic()
    assert vox.ok("stop") == "4 jobs cancelled"
    returned_at = time.monotonic()
    recorder.wait_for_silence(0.4)
    end_s = segments_of_sound(recorder.recording())[-1][1]
    silent_at = recorder.recording().started_at + end_s
    print(f"silent {silent_at - called_at:.3f} s after the call, {silent_at - returned_at:.3f} s "
          "after its end")  # fmt: skip
    assert silent_at - returned_at < SOON_S
    assert [vox.job(job_id)["state"] for job_id in ids] == ["cancelled"] * 4
    assert vox.ok("daemon", "status", "--json")  # it stays
    assert vox.ok("stop") == "nothing is being spoken, and nothing waits"


def test_stop_silences_a_call_that_speaks_without_a_daemon(vox: Vox, recorder: Recorder) -> None:
    call = vox.popen("-b", "say", "one two three four five six seven eight nine ten " * 5)
    recorder.wait_for_sound()
    assert vox.pid is None
    assert vox.ok("stop") == "1 job cancelled"
    returned_at = time.monotonic()
    recorder.wait_for_silence(0.4)
    recording = recorder.recording()
    assert recording.started_at + segments_of_sound(recording)[-1][1] - returned_at < SOON_S
    assert call.wait(20) == 5


def test_pause_and_skip_reach_a_call_that_speaks_without_a_daemon(
    vox: Vox, recorder: Recorder
) -> None:
    call = vox.popen("-b", "say", "one two three four five six seven eight nine ten " * 5)
    recorder.wait_for_sound()
    vox.ok("pause")
    recorder.wait_for_silence(0.4)
    vox.ok("resume")
    recorder.wait_for_sound()
    assert vox.ok("skip").endswith(" skipped")
    assert call.wait(20) == 5


@pytest.mark.slow
def test_continue_goes_on_with_the_sentence_that_was_cut_off(vox: Vox, recorder: Recorder) -> None:
    result = vox("continue")
    assert result.code == 2 and result.err == (
        "vox: no text was cut off; to hear the last again: vox again\n"
    )
    job_id = vox.ok(*SCRIPTED, "--async", sentences(0.3, 2, 0.3))
    while vox.until(job_id, "speaking")["heard"] < 1:
        time.sleep(0.02)
    recorder.wait_for_sound()
    vox.ok("stop")
    stopped_at = time.monotonic()
    vox.ok("daemon", "stop")
    vox.ok("continue")
    recording = recorder.stop().after(stopped_at)
    tones = read_timed_tones(recording.samples, recording.sample_rate)
    assert list(dict.fromkeys(tone.number for tone in tones)) == [2, 3]
    assert [job["state"] for job in vox.jobs()] == ["cancelled", "done"]
    result = vox("continue", "last")
    assert result.code == 2 and "no text was cut off" in result.err
    result = vox("continue", "@1")
    assert result.code == 2 and "was heard to its end; to hear it again: vox replay" in result.err


def test_back_and_next_reach_a_call_that_speaks_without_a_daemon(
    vox: Vox, recorder: Recorder
) -> None:
    call = vox.popen("-b", "say", "--json", "One. " + "Two three four five six seven. " * 20)
    recorder.wait_for_sound()
    while (job := json.loads(vox.ok("queue", "--json"))[0])["audio_s"] is None:
        pass
    job_id = job["id"]
    vox.ok("pause")
    assert vox.ok("next", "9") == f"{job_id}: sentence {job['heard'] + 10}/20"
    assert vox.ok("back", "3") == f"{job_id}: sentence {job['heard'] + 7}/20"
    assert vox.ok("next", "99") == f"{job_id}: its end"
    vox.ok("resume")
    out, _ = call.communicate(timeout=30)
    assert (call.returncode, json.loads(out)["heard"], vox.pid) == (0, 20, None)
    result = vox("back")
    assert result.code == 3 and "nothing is being spoken" in result.err


@pytest.mark.slow
def test_an_interruption_is_heard_while_a_long_text_is_made_and_said(
    vox: Vox, recorder: Recorder
) -> None:
    text = " ".join(f"{n} [slow 0.04] [say 1s]." for n in range(1, 41))
    book = vox.ok(*SCRIPTED, "--async", text)
    while vox.until(book, "speaking")["heard"] < 1:
        time.sleep(0.02)
    vox.ok(*SCRIPTED, "--interrupt", "60 [say 0.5s]")
    heard = vox.until(book, "speaking")["heard"]
    while vox.until(book, "speaking")["heard"] < heard + 1:
        time.sleep(0.02)
    vox.ok("stop")
    recording = recorder.stop()
    numbers = read_tones(recording.samples, recording.sample_rate)
    order = [number for number, _ in itertools.groupby(numbers)]
    at = order.index(60)
    # The sentence that was cut off, or the one after it if that had just ended, and then the next.
    assert order[at + 1] in (order[at - 1], order[at - 1] + 1)
    assert order[: at - 1] == list(range(1, order[at - 1])), order
