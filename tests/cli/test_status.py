"""`vox status`: five lines that are true, with a daemon and without one."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from tests.running import Vox
from vox.cli.status import Status
from vox.fleet.summary import summary

SCRIPTED = ("-b", "scripted")
NOTHING = [
    "now     nothing is being said; no daemon runs",
    "next    nothing waits",
    "models  none is loaded",
    "http    off; inbox: empty",
    "failed  nothing",
]


def test_without_a_daemon_nothing_is_said_and_the_exit_code_is_0(vox: Vox) -> None:
    assert vox.ok("status").splitlines() == NOTHING
    told = json.loads(vox.ok("status", "--json"))
    assert (told["running"], told["now"], told["next"], told["waiting"]) == (False, [], None, 0)
    assert told["loaded_models"] == []
    assert not Path(vox.paths.log_path).exists()  # it started none


@pytest.mark.slow
def test_the_five_lines_of_a_daemon_at_work(vox: Vox, sound: object) -> None:
    assert vox(*SCRIPTED, "0 [fail no luck]").code == 1
    failed = vox.jobs()[0]["id"]
    first = vox.ok(*SCRIPTED, "--async", "--source", "ci", "1 [say 30s] and all that.")
    second = vox.ok(*SCRIPTED, "--async", "2 [say 2s] " + "word " * 50)
    vox.ok(*SCRIPTED, "--async", "3 [say 2s].")
    vox.until(first, "speaking")
    while vox.client.call("GET", f"/jobs/{second}")["phase"] != "ready":
        time.sleep(0.02)
    now, after, models, http, last = vox.ok("status").splitlines()
    assert re.fullmatch(
        r'now     0:\d\d / 0:30, sentence 1/1: "1 \[say 30s\] and all that." \(scripted, ci\)', now
    )
    assert re.fullmatch(r'next    in 0:\d\d: "2 \[say 2s\] word word .*…", 1 more', after)
    assert len(after) <= 80
    assert models.startswith("models  scripted plain (cpu ")
    assert http == "http    off; inbox: empty"
    assert re.fullmatch(rf"failed  \S+, job {failed}: .*no luck.*", last)
    whole = vox.ok("status", "--full").splitlines()
    assert (len(whole), "word " * 49 in whole[1]) == (5, True)
    told = json.loads(vox.ok("status", "--json"))
    assert [job["phase"] for job in told["now"]] == ["speaking"]
    assert (told["next"]["id"], told["waiting"], told["last_failure"]["id"]) == (second, 2, failed)
    vox.ok("cancel", "--all")


@pytest.mark.slow
def test_what_is_held_says_so(vox: Vox, sound: object) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    vox.ok(*SCRIPTED, "--async", "1 one.")
    while (lines := vox.ok("status").splitlines())[0] != "now     speech is paused":
        assert re.match("now     speech is paused; (loading|making)", lines[0])
    assert lines[1] == 'next    ready: "1 one."'
    vox.ok("daemon", "stop")
    assert vox.ok("status").splitlines()[:2] == [
        "now     speech is paused; no daemon runs",
        'next    waiting: "1 one."; to begin: vox daemon start',
    ]


@pytest.mark.slow
def test_asking_keeps_no_idle_daemon_alive(vox: Vox) -> None:
    vox.ok("config", "set", "idle_timeout", "1s")
    vox.ok("daemon", "start")
    while json.loads(vox.ok("status", "--json"))["running"]:
        pass


@pytest.mark.slow
def test_files_that_are_written_stand_beside_what_is_heard(vox: Vox, sound: object) -> None:
    vox.ok(*SCRIPTED, "--async", "1 [say 20s] one.")
    book = vox.ok(*SCRIPTED, "--async", "-o", f"{vox.home}/book.wav", "2 [until never].")
    vox.until(book, "preparing")
    now = vox.ok("status").splitlines()[0]
    assert re.fullmatch(r'now .*sentence 1/1: "1 \[say 20.*"; book.wav 0 %, 0/1, 0:.*', now)
    vox.ok("cancel", "--all")


@pytest.mark.parametrize("width", [30, 50, 80, 200])
def test_each_of_the_lines_fits(width: int) -> None:
    from rich.cells import cell_len

    job = {
        "id": "x", "text": "\u4f60\u597d " * 100, "phase": "speaking", "utterances": 27, "heard": 4,
        "heard_s": 12.0, "left_s": 46.0, "fraction": 1.0, "output": None, "backend": "hibari",
        "voice": None, "source": "repo", "via": "cli", "source_name": None, "starts_in_s": None,
        "error": "no luck " * 30, "finished_at": "2026-11-25T02:50:17.920Z",
    }  # fmt: skip
    document = {
        "running": True, "status": "ok", "obstacles": [],
        "now": [job, {**job, "output": "/b/x.mp3"}],
        "next": job, "waiting": 1_234, "last_failure": job, "loaded_models": [],
        "http": {"address": "127.0.0.1:80", "error": None},
        "inbox": {"enabled": True, "pending": 2, "working": 0, "failed": 1, "error": None},
        "workers": summary("a-rather-long-name-of-a-server.example:6379"),
    }  # fmt: skip
    lines = Status(document).drawn(width)
    assert len(lines) == 6
    assert max(map(cell_len, lines)) <= width


def test_what_is_loaded_for_a_file_is_not_quoted_as_if_it_were_said() -> None:
    model = dict.fromkeys(("device", "dtype", "engine", "model", "memory_mb", "vram_mb"))
    book = {"phase": "loading", "loading": 0.435, "output": "/b/x.mp3", "text": "Chapter 1."}
    document = {
        "running": True, "status": "ok", "obstacles": [], "now": [{**book, "utterances": None}],
        "next": None, "waiting": 0, "last_failure": None,
        "loaded_models": [{**model, "backend": "qwen", "state": "loading"}],
        "http": None, "inbox": {"enabled": False},
    }  # fmt: skip
    now, _, models, *_ = Status(document).drawn(80)
    assert (now, models) == ("now     x.mp3: loading 43 %", "models  qwen (loading)")
