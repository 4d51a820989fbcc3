"""Texts that are still being written, as they are heard."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable
from typing import Any

from tests.running import Vox
from tests.sound import Recorder
from tests.tones import read_tones

STREAM = ("-b", "scripted", "--stream")


def heard(recorder: Recorder) -> list[int]:
    """Who was heard, in order; a drop-out of the recorder is no second voice."""
    recording = recorder.stop()
    told = read_tones(recording.samples, recording.sample_rate)
    return [number for number, _ in itertools.groupby(told)]


def until(vox: Vox, is_so: Callable[[list[dict[str, Any]]], object]) -> None:
    deadline = time.monotonic() + 60
    while not is_so(vox.jobs()):
        assert time.monotonic() < deadline, vox.jobs()
        time.sleep(0.02)


def write(call: subprocess.Popen[str], text: str) -> None:
    assert call.stdin is not None
    call.stdin.write(text)
    call.stdin.flush()


def test_a_stream_whose_daemon_is_killed_goes_on_at_the_interrupted_sentence(
    vox: Vox, recorder: Recorder
) -> None:
    call = vox.popen(*STREAM, stdin=subprocess.PIPE)
    for number in range(1, 6):
        write(call, f"{number} [say 0.5s].\n\n")
    until(vox, lambda jobs: jobs and jobs[0]["heard"] >= 2)
    vox.kill_daemon()
    before = vox.jobs()[0]["heard"]
    for number in range(6, 8):
        write(call, f"{number} [say 0.5s].\n\n")
    assert call.communicate(timeout=60) == ("", "")
    (job,) = vox.jobs()
    assert (call.returncode, job["state"], job["heard"]) == (0, "done", 7)
    told = heard(recorder)
    assert told[:before] == list(range(1, before + 1))
    assert told[-(7 - before) :] == list(range(before + 1, 8))
    assert len(told) <= 8


def test_a_job_is_heard_while_a_stream_is_silent_and_no_voices_overlap(
    vox: Vox, recorder: Recorder
) -> None:
    call = vox.popen(*STREAM, stdin=subprocess.PIPE)
    write(call, "1 [say 0.5s].\n\n")
    until(vox, lambda jobs: jobs and jobs[0]["heard"] >= 1)
    vox.ok("-b", "scripted", "2 [say 0.5s].")
    write(call, "3 [say 0.5s].\n\n")
    until(vox, lambda jobs: jobs[0]["heard"] >= 2)
    assert call.communicate(timeout=60) == ("", "")
    assert heard(recorder) == [1, 2, 3]


def test_two_streams_at_once_speak_one_after_the_other(vox: Vox, recorder: Recorder) -> None:
    vox.ok("daemon", "start")
    calls = []
    for number in (1, 2):
        call = vox.popen(*STREAM, stdin=subprocess.PIPE)
        write(call, f"{number} [say 0.5s].\n\n")
        until(vox, lambda jobs, number=number: len(jobs) == number and jobs[-1]["text"])
        calls.append(call)
    until(vox, lambda jobs: all(job["heard"] for job in jobs))
    for number, call in enumerate(calls, start=3):
        write(call, f"{number} [say 0.5s].\n\n")
        until(vox, lambda jobs, at=number - 3: jobs[at]["heard"] == 2)
    for call in calls:
        assert call.communicate(timeout=60) == ("", "")
    assert heard(recorder) == [1, 2, 3, 4]
