"""The utterance cache as users meet it: what was said once is heard again at no cost."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.inbox.rig import wait_until
from tests.running import Vox
from tests.sound import Recorder, read_audio
from tests.tones import read_tones

SCRIPTED = ("-b", "scripted")


def loads(vox: Vox) -> int:
    """How many models were loaded in this home."""
    return len((vox.home / "loads").read_text().splitlines())


def kept(vox: Vox) -> int:
    return len(os.listdir(vox.paths.utterances_dir))


def test_the_next_daemon_says_it_again_without_loading_the_model(
    vox: Vox, recorder: Recorder
) -> None:
    for _ in range(2):
        vox.ok(*SCRIPTED, "7 [say 0.4s]")
        assert vox.client.call("POST", "/stop")
        wait_until(lambda: not vox.client.is_up())
    recording = recorder.stop()
    assert read_tones(recording.samples, recording.sample_rate) == [7, 7]
    assert (loads(vox), kept(vox)) == (1, 1)
    assert [job["state"] for job in vox.jobs()] == ["done", "done"]


def test_a_light_call_without_a_daemon_says_it_again_without_a_host(
    vox: Vox, recorder: Recorder
) -> None:
    noted = Path(vox.paths.memory_path)  # when a host is released
    for has_host in (True, False):
        began = time.monotonic()
        vox.ok("-b", "say", "The build is finished.")
        recorder.wait_for_sound(since=began)
        assert noted.exists() is has_host
        noted.unlink(missing_ok=True)
    assert not vox.client.is_up()


def test_fresh_synthesizes_anew_on_the_command_line_in_the_inbox_and_over_http(
    vox: Vox, tmp_path: Path
) -> None:
    path = str(tmp_path / "x.wav")
    text = "[note made] 1"

    def made() -> int:
        return len((vox.home / "noted").read_text().splitlines())

    for _ in range(2):
        vox.ok(*SCRIPTED, "-o", path, text)
    assert made() == 1
    vox.ok(*SCRIPTED, "--fresh", "-o", path, text)
    assert made() == 2
    body = {"text": text, "backend": "scripted", "output": path}
    for fresh in (False, True):
        vox.client.call("POST", "/speak", {**body, "fresh": fresh})
    assert made() == 3
    inbox = Path(vox.ok("inbox"))
    (inbox / "x.txt").write_text(
        f"---\nbackend: scripted\noutput: y.wav\nfresh: true\n---\n{text}\n"
    )
    wait_until((inbox / "done" / "x.txt").exists)
    assert made() == 4
    vox.ok("config", "set", "backends.scripted.cache", "false")
    vox.ok(*SCRIPTED, "-o", path, text)
    assert made() == 5
    assert (loads(vox), kept(vox)) == (1, 1)


def test_the_openai_route_hears_what_the_command_line_said(vox: Vox, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    vox.ok(*SCRIPTED, "-o", str(path), "3 [say 0.4s] [note made]")
    body = {"model": "scripted", "input": "3 [say 0.4s] [note made]", "response_format": "wav"}
    with vox.client._request("POST", "/v1/audio/speech", body, 60.0) as answer:
        streamed = tmp_path / "streamed.wav"
        streamed.write_bytes(answer.read())
    first, again = read_audio(path), read_audio(streamed)
    assert abs(len(first.samples) / first.sample_rate - 0.4) < 0.05
    assert abs(len(again.samples) / again.sample_rate - 0.4) < 0.05
    assert (vox.home / "noted").read_text() == "made\n"


def test_clearing_the_history_empties_the_cache_with_and_without_a_daemon(
    vox: Vox, tmp_path: Path
) -> None:
    path = str(tmp_path / "x.wav")
    for is_up in (True, False):
        vox.ok(*SCRIPTED, "-o", path, "1")
        if not is_up:
            vox.ok("daemon", "stop")
        vox.ok("history", "clear", "--yes", "--older-than", "1h")
        assert kept(vox) == 1
        vox.ok("history", "clear", "--yes")
        assert kept(vox) == 0


def test_the_test_of_a_backend_tests_its_host_each_time(vox: Vox) -> None:
    vox.ok("daemon", "start")
    for count in (1, 2):
        vox.ok("backends", "test", "scripted")
        (host,) = vox.client.call("GET", "/health")["loaded_models"]
        assert host["jobs"] == count
