"""The benchmarks that others repeat: they run, and they measure what they say."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import fleet, idle
from bench.fleet_machines import Card, Went
from bench.heavy import Case, drop_page_cache, parse_case, spoken, table
from vox.backends.base import Settings

CHECKOUT = Path(__file__).parent.parent


def test_listener_misses_what_arrives_later_than_it_is_due() -> None:
    # Heard from 1.0 s on: due at 1.5 (late by 0.5), then at 2.5 (in time) and 3.0 (late by 1.0).
    one = spoken([(1.0, 0.5), (2.0, 0.5), (2.1, 0.5), (4.0, 0.5)], 4.1)
    assert one.missing_s == pytest.approx(1.5)
    assert (one.first_s, one.audio_s, one.after_first_s) == (1.0, 2.0, 3.0)
    assert one.frames_after_first == pytest.approx(1.5 / 0.08)


def test_audio_that_is_always_in_time_misses_nothing() -> None:
    assert spoken([(0.2, 0.5), (0.3, 0.5), (0.4, 0.5)], 0.5).missing_s == 0


def test_case_is_settings_of_the_backend() -> None:
    case = parse_case("dtype=bfloat16,threads=2", Settings("voices", "env", "model"))
    assert case.settings == Settings(
        "voices", "env", "model", options={"dtype": "bfloat16", "threads": 2}
    )
    assert case.name == "dtype=bfloat16,threads=2"


def test_forgetting_cached_files_leaves_them_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"x" * 100_000)
    drop_page_cache([str(tmp_path), str(tmp_path / "none")])
    assert (tmp_path / "weights").read_bytes() == b"x" * 100_000


def test_table_has_a_row_for_each_case() -> None:
    rows = []
    for name in ("a", "b"):
        case = Case(name, Settings("", ""), cancel_s=[0.01])
        case.spoken.append(spoken([(0.1, 0.5), (0.2, 0.5)], 0.25))
        rows.append(case)
    assert [line.split("|")[1].strip() for line in table(rows).splitlines()[2:]] == ["a", "b"]
    assert "| 4.00 " in table(rows)


@pytest.mark.slow
def test_a_backend_is_measured_at_its_host(tmp_path: Path) -> None:
    answer = tmp_path / "answer.json"
    ask = [
        *(sys.executable, "-m", "bench.heavy", "hibari", "--python", sys.executable),
        *("--rounds", "1", "--utterances", "2", "--json", str(answer)),
    ]
    done = subprocess.run(ask, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (case,) = json.loads(answer.read_text(encoding="utf-8"))
    assert case["computes"].startswith("cpu") and case["utterances"] == 2
    assert case["spoken"][0]["audio_s"] > 1 and case["warm_s"] > 0
    assert "as vox chooses" in done.stdout and "in turn: 1;" in done.stdout


def test_what_is_not_installed_is_one_line() -> None:
    ask = [sys.executable, "-m", "bench.heavy", "hibari", "--python", "/nowhere/python"]
    done = subprocess.run(ask, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("bench.heavy: ")
    assert "Traceback" not in done.stderr


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="they read /proc")


@on_linux
def test_memory_and_processor_time_are_those_of_the_process() -> None:
    before, used_s = idle.memory_mb(os.getpid()), idle.cpu_s(os.getpid())
    # Of the system: the allocator might give out what other tests have freed.
    with mmap.mmap(-1, 50_000_000) as block:
        block.write(b"x" * len(block))
        check_memory(before, used_s)


def check_memory(before: Mapping[str, float], used_s: float) -> None:
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    after = idle.memory_mb(os.getpid())
    for kind in ("rss", "pss", "private", "dirty"):
        assert 45 < after[kind] - before[kind] < 60, kind
    assert after["dirty"] <= after["private"] <= after["pss"] <= after["rss"]
    assert idle.cpu_s(os.getpid()) - used_s > 0.09


def test_requests_are_sent_and_answered_over_one_connection() -> None:
    with idle.floor() as path:
        assert idle.rate(path, "/commit", {"text": "x"}, count=3) > 0
        connection = idle.Connection(path)
        assert connection.post("/echo", {}) == b"{}"
        connection.close()


def test_each_figure_is_a_row_with_its_median_and_range() -> None:
    case, bare = idle.Case("here", "."), idle.Case("floor", "")
    for value in (1.0, 2.0, 9.0):
        case.note("threads", value)
    bare.note("bare answers a second", 1234.5)
    rows = idle.table([case], bare).splitlines()[2:]
    assert [[cell.strip() for cell in row.strip("|").split("|")] for row in rows] == [
        ["threads", "2.00 (1.00 to 9.00)"],
        ["bare answers a second", "1,234.50 (1,234.50 to 1,234.50)"],
    ]


@pytest.mark.slow
@on_linux
@pytest.mark.skipif(not shutil.which("redis-server"), reason="there is no redis-server")
def test_a_small_fleet_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    arguments = "--workers 1 --clients 2 --many 3 --seconds 1 --card voxtream-3090".split()
    done = subprocess.run(
        [sys.executable, "-m", "bench.fleet", *arguments, "--json", path],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads(path.read_text())
    assert [row["mode"] for row in rows] == [
        *("speak", "read_aloud", "speak_now_and_then", "share", "rest", "speak_now_and_then"),
    ]
    for row in rows[:2]:
        assert row["went"]["requests"] > 0
        assert sum(client["audio_s"] for client in row["went"]["clients"]) > 0
        assert not any(client["errors"] for client in row["went"]["clients"])
    assert rows[-2]["went"]["connections"] >= 3


def test_fairness_is_what_the_clients_got() -> None:
    def row(*shares: float, **waits: list[float]) -> fleet.Row:
        clients = [
            {"audio_s": share, "first_s": [], "waits_s": [], "errors": [], **waits}
            for share in shares
        ]
        went = Went(1.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0, 0.0, clients)
        return fleet.Row("speak", 1, len(shares), 4.0, went)

    assert row(4.0, 4.0, 4.0).fairness == pytest.approx(1.0)
    assert row(9.0, 0.0, 0.0).fairness == pytest.approx(1 / 3)
    assert row(2.0, 4.0).worst_to_best == 0.5
    late = row(4.0, first_s=[0.1, 0.3], waits_s=[0.9])
    assert (late.first_s(0.5), late.first_s(0.99)) == ((0.3, True), (0.9, False))


def test_script_of_a_card_takes_as_long_as_the_card() -> None:
    card = Card("a", first_s=0.3, x_realtime=2.0, chunk_s=0.1)
    assert card.text(1.0) == "[wait 0.2500] [chunk 0.1] [slow 0.0500] [say 1.0s] number"
    assert card.job_s(1.0) == pytest.approx(0.75)
