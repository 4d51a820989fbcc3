"""A dropped file is heard: a real daemon, a real voice, a recorded loudspeaker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from tests.inbox.rig import wait_until
from tests.running import Vox, seconds
from tests.sound import Recorder, recognise, word_overlap

SENTENCE = "The build is finished and all the tests pass."


def drop(vox: Vox, name: str, text: str) -> Path:
    path = Path(vox.ok("inbox", "path")) / name
    path.write_text(text)
    return path


def spoken(vox: Vox, name: str) -> dict[str, object]:
    """The job of that file, once the file is in `done/`."""
    wait_until((vox.home / "inbox/done" / name).exists)
    return next(job for job in vox.jobs() if job["source_name"] == name)


@pytest.mark.slow
def test_a_dropped_file_is_heard_as_its_words_and_stands_in_the_history(
    vox: Vox, recorder: Recorder
) -> None:
    vox.ok("inbox", "on")
    drop(vox, "news.txt", SENTENCE)
    job = spoken(vox, "news.txt")
    assert (job["source"], job["state"], job["text"]) == ("inbox", "done", SENTENCE)
    assert word_overlap(SENTENCE, recognise(recorder.stop())) >= 0.7


@pytest.mark.slow
def test_once_warm_a_copied_file_is_being_spoken_soon_after_it_has_settled(
    vox: Vox, sound: object
) -> None:
    vox.ok("inbox", "on")
    vox.ok("Warm.")
    waits_s = []
    for number in range(3):
        name = f"{number}.txt"
        written_at = drop(vox, name, f"Number {number}.").stat().st_mtime
        waits_s.append(spoken_at(spoken(vox, name)) - written_at)
    settle_s = 1.0
    assert min(waits_s) >= settle_s and median(waits_s) < 2 * settle_s


def spoken_at(job: dict[str, object]) -> float:
    return seconds(str(job["first_audio_at"]))


@pytest.mark.slow
def test_a_header_picks_who_speaks_and_the_output_is_written_into_done(vox: Vox) -> None:
    vox.ok("inbox", "on")
    header = "---\nbackend: scripted\nmodel: plain\nvoice: two\noutput: news.wav\n---\n"
    drop(vox, "news.txt", header + SENTENCE)
    job = spoken(vox, "news.txt")
    assert (job["backend"], job["model"], job["voice"]) == ("scripted", "plain", "two")
    assert (vox.home / "inbox/done/news.wav").read_bytes()[:4] == b"RIFF"


@pytest.mark.slow
def test_a_daemon_that_stays_for_nothing_still_takes_what_was_dropped_and_then_leaves(
    vox: Vox, sound: object
) -> None:
    """The daemon in the foreground, as the service units start it, with `daemon = false`."""
    vox.ok("config", "set", "daemon", "false")
    drop(vox, "news.txt", SENTENCE)
    drop(vox, "empty.txt", "")
    os.utime(vox.home / "inbox/empty.txt", (0, 0))  # nobody still writes it
    command = [sys.executable, "-m", "vox.daemon"]
    subprocess.run(command, check=True, timeout=60, env={**os.environ, **vox.environ})
    assert spoken(vox, "news.txt")["state"] == "done"
    assert (vox.home / "inbox/failed/empty.txt").exists()
    assert vox.pid is None


@pytest.mark.slow
def test_a_daemon_that_is_told_to_stop_as_it_speaks_puts_the_file_where_it_belongs(
    vox: Vox, sound: object
) -> None:
    vox.ok("inbox", "on")
    drop(vox, "news.txt", "---\nbackend: scripted\n---\n[say 3s] one")
    wait_until(lambda: [job for job in vox.jobs() if job["state"] == "speaking"])
    vox.ok("daemon", "stop")
    assert (vox.home / "inbox/done/news.txt").exists()


@pytest.mark.slow
def test_a_killed_daemon_leaves_a_file_that_the_next_speaks_to_its_end(
    vox: Vox, sound: object
) -> None:
    vox.ok("inbox", "on")
    drop(vox, "news.txt", "---\nbackend: scripted\n---\n[say 2s] one")
    wait_until(lambda: [job for job in vox.jobs() if job["state"] == "speaking"])
    vox.kill_daemon()
    (claimed,) = (vox.home / "inbox/.work").glob("*__news.txt")
    vox.ok("daemon", "start")
    job = spoken(vox, "news.txt")
    assert claimed.name == f"{job['id']}__news.txt"
    assert len(vox.jobs()) == 1
