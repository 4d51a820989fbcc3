"""`vox stats`: with a daemon and without one, on a terminal and in a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import Vox, read_terminal
from vox.cli.stats import bar, time_of


@pytest.mark.slow
@pytest.mark.parametrize("with_daemon", [False, True])
def test_stats_are_printed_and_as_json(vox: Vox, tmp_path: Path, with_daemon: bool) -> None:
    vox.ok("-q", "-b", "hibari", "--source", "repo", "-o", str(tmp_path / "a.wav"), "Spoken.")
    if with_daemon:
        vox.ok("daemon", "start")
    stats = json.loads(vox.ok("stats", "--json"))
    assert list(stats) == ["7d", "30d", "all"]
    assert stats["7d"]["jobs"] == 1
    assert stats["all"]["written_s"] == pytest.approx(vox.jobs()[0]["audio_s"], abs=0.06)
    assert [each["name"] for each in stats["all"]["sources"]] == ["repo"]
    lines = vox.ok("stats").splitlines()
    assert lines[0] == "jobs\t1\t1\t1"
    assert "repo\t1\t0 s" in lines
    assert "█" not in "".join(lines)


@pytest.mark.slow
def test_bars_are_drawn_on_a_terminal(vox: Vox, tmp_path: Path) -> None:
    vox.ok("-q", "-b", "hibari", "-o", str(tmp_path / "a.wav"), "Spoken.")
    control, terminal = os.openpty()
    call = vox.popen("stats", stdout=terminal, env={"COLUMNS": "80"})
    os.close(terminal)
    shown = read_terminal(control)
    assert call.wait(60) == 0
    assert "█" * 20 in shown.decode()


@pytest.mark.slow
def test_what_the_cache_and_a_warm_model_save_is_counted(
    vox: Vox, register: Callable[[str], None], tmp_path: Path
) -> None:
    register("scripted")
    vox.ok("daemon", "start")
    for text in ("[slow 0.3] [say 0.2s]", "[slow 0.3] [say 0.2s]", "Another thing."):
        output = ("-o", str(tmp_path / "a.wav"))
        vox.ok("-q", "-b", "scripted", "-m", "load-slow:0.4", *output, text)
    stats = json.loads(vox.ok("stats", "--json"))["all"]
    assert stats["jobs"] == 3
    # The second text came from the cache, the third from the warm model.
    assert 0.3 <= stats["saved_synthesis_s"] < 30.0
    assert 0.4 <= stats["saved_load_s"] < 30.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (200, "3:20 min"), (14_700, "4:05 h"), (4e6, "1,111:06 h")],
)
def test_times_are_short(seconds: float, text: str) -> None:
    assert time_of(seconds) == text


@pytest.mark.parametrize(("part", "cells"), [(1, "█" * 20), (0.5, "█" * 10), (1e-9, "▏")])
def test_a_bar_is_as_long_as_its_part(part: float, cells: str) -> None:
    assert bar(part) == cells
