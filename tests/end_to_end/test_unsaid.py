"""Texts with a sentence that the voice cannot say: the rest is heard, and the user is told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.end_to_end.test_sad import SCRIPTED, one_line
from tests.inbox.rig import wait_until
from tests.running import Vox
from tests.sound import Recorder, read_audio, recognise, segments_of_sound, word_overlap

DIGITS = "\u0663" * 37
"""Arabic threes: hibari raises an IndexError on so long a number, which nothing spells for it."""
BEFORE, AFTER = "The weather will be fine tomorrow.", "The train leaves in ten minutes."
TEXT = f"{BEFORE} {DIGITS}. {AFTER}"
NOTE = f'left out sentence 2, which hibari could not say: "{DIGITS}." (hibari:'


def test_the_rest_is_heard_and_a_note_names_the_sentence(vox: Vox, recorder: Recorder) -> None:
    done = vox("--format", "plain", "-b", "hibari", TEXT)
    assert (done.code, done.out) == (0, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"vox: {NOTE}")
    assert word_overlap(f"{BEFORE} {AFTER}", recognise(recorder.stop())) >= 0.7
    (job,) = vox.jobs()
    assert (job["state"], job["unsaid"], job["exit_code"]) == ("done", 1, 0)
    assert NOTE in vox.ok("history", "show", job["id"])


def test_with_strict_it_is_an_error_and_the_file_is_there_all_the_same(
    vox: Vox, tmp_path: Path
) -> None:
    path = tmp_path / "x.wav"
    done = vox("--strict", "-q", "--format", "plain", "-b", "hibari", "-o", str(path), TEXT)
    one_line(done, 1, "1 sentence could not be said", "vox history show")
    assert len(segments_of_sound(read_audio(path), 0.15)) >= 2
    assert vox("--strict", "-q", "-b", "hibari", "-o", str(path), BEFORE).code == 0


def test_with_strict_standard_output_gets_the_audio_all_the_same(vox: Vox) -> None:
    command = [*vox.command, "--strict", "-q", "--format", "plain", "-b", "hibari", "-o", "-", TEXT]
    environ = {**os.environ, **vox.environ}
    done = subprocess.run(command, capture_output=True, check=False, env=environ, timeout=60)
    assert done.returncode == 1 and done.stdout[:4] == b"RIFF"


def test_wait_and_replay_tell_of_it_as_well(vox: Vox, tmp_path: Path) -> None:
    text = "This one is good. This one is bad [fail it is bad] indeed. This one is good again."
    job_id = vox.ok(*SCRIPTED, "--async", "-o", str(tmp_path / "x.wav"), text).strip()
    waited = vox("wait", job_id)
    assert waited.code == 0 and "left out sentence 2" in waited.err
    strict = vox("wait", "--strict", "-q", job_id)
    one_line(strict, 1, "1 sentence could not be said")
    again = vox("replay", "--strict", "-q", job_id)
    one_line(again, 1, "1 sentence could not be said")


def test_strict_goes_with_waiting(vox: Vox) -> None:
    done = vox("--strict", "--async", "hello")
    assert done.code == 2 and "--strict cannot be used with --async" in done.err


def test_sentences_that_kill_and_hang_the_host_cost_themselves_alone(
    vox: Vox, tmp_path: Path
) -> None:
    vox.environ |= {"VOX_FIRST_CHUNK_TIMEOUT_S": "3", "VOX_STALL_TIMEOUT_S": "3"}
    text = "One is good. Two does [crash] end. Three is good. Four does [hang] hang. Five is good."
    done = vox(*SCRIPTED, "--json", "-o", str(tmp_path / "x.wav"), text)
    job = done.json()
    assert (done.code, job["state"], job["unsaid"], job["heard"]) == (0, "done", 2, 5)
    first, second = job["notes"]
    assert "sentence 2" in first and "something terrible happened" in first
    assert "sentence 4" in second and "produced no sound for 3 s" in second


def test_a_dropped_file_goes_to_done_and_its_job_has_the_note(vox: Vox, sound: object) -> None:
    vox.ok("inbox", "on")
    path = Path(vox.ok("inbox", "path").strip()) / "news.txt"
    text = "This one is good. This one is bad [fail it is bad] indeed. This one is good again."
    path.write_text(f"---\nbackend: scripted\n---\n{text}")
    wait_until((vox.home / "inbox/done/news.txt").exists)
    (job,) = vox.jobs()
    assert (job["state"], job["unsaid"]) == ("done", 1)
    assert "left out sentence 2" in vox.ok("history", "show", job["id"])


def test_a_text_of_which_nothing_can_be_said_fails_with_one_line(vox: Vox, sound: object) -> None:
    one_line(vox("--format", "plain", "-b", "hibari", DIGITS), 1, "hibari:")
