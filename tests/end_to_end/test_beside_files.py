"""Speech while a file is being made: heard at once, and the file is the same."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from tests.running import Vox
from tests.sound import Recorder
from tests.tones import read_tones

SCRIPTED = ("-b", "scripted", "--fresh")
BOOK = " ".join(f"{number} [slow 0.1] [say 0.5s]." for number in range(1, 17))
AT_ONCE = BOOK.replace("[slow 0.1] ", "")


def made(vox: Vox, job_id: str, utterances: int) -> None:
    """Wait until so many utterances of the file are made."""
    while vox.until(job_id, "preparing")["heard"] < utterances:
        time.sleep(0.01)


def test_speech_is_heard_in_the_midst_of_a_file_which_is_the_same_as_alone(
    vox: Vox, recorder: Recorder, tmp_path: Path
) -> None:
    alone, beside = tmp_path / "alone.wav", tmp_path / "beside.wav"
    vox.ok(*SCRIPTED, "-o", str(alone), AT_ONCE)
    job_id = vox.ok(*SCRIPTED, "--async", "-o", str(beside), BOOK)
    states = []
    for number in (20, 21, 22):
        made(vox, job_id, number - 19)
        vox.ok(*SCRIPTED, "--priority", "low", f"{number} [say 0.2s]")
        states.append(vox.job(job_id)["state"])
    assert states == ["preparing"] * 3
    assert vox.until(job_id, "done")["attempts"] == 0
    assert beside.read_bytes() == alone.read_bytes()
    recording = recorder.stop()
    told = read_tones(recording.samples, recording.sample_rate)
    assert [number for number, _ in itertools.groupby(told)] == [20, 21, 22]


def test_both_go_on_after_a_daemon_was_killed_while_a_file_waited_for_speech(
    vox: Vox, recorder: Recorder, tmp_path: Path
) -> None:
    alone, beside = tmp_path / "alone.wav", tmp_path / "beside.wav"
    vox.ok(*SCRIPTED, "-o", str(alone), AT_ONCE)
    file = vox.ok(*SCRIPTED, "--async", "-o", str(beside), BOOK)
    made(vox, file, 2)
    ear = vox.ok(*SCRIPTED, "--async", "20 [mark begun] [until go] [say 0.2s]")
    while not (vox.home / "begun").exists():
        time.sleep(0.01)
    vox.kill_daemon()
    assert {vox.job(job_id)["state"] for job_id in (file, ear)} == {"preparing"}
    (vox.home / "go").touch()
    vox.ok("daemon", "start")
    assert vox.until(ear, "done")["attempts"] == 1
    assert vox.until(file, "done")["attempts"] == 0  # it only waited
    assert beside.read_bytes() == alone.read_bytes()
    recording = recorder.stop()
    assert set(read_tones(recording.samples, recording.sample_rate)) == {20}
