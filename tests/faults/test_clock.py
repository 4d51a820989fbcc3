"""The wall clock is set back and forward while jobs wait, are spoken and have ended.

Nobody sets this machine's clock: Python's is moved in every process of the home (see
`tests/plugins/clock`). What SQLite and the file system say of the time is not moved.
"""

from __future__ import annotations

import datetime
import json
import os
import time
from pathlib import Path

import pytest

from tests.running import CHECKOUT
from tests.sound import Recorder

from .audit import audit
from .chance import Chance, tries
from .home import Home, wait_until

HOUR_S = 3600
YEAR_S = 365 * 24 * HOUR_S


@pytest.fixture
def clock(vox: Home) -> Path:
    """The file with the offset, in seconds; the home's processes go by it."""
    path = vox.home / "clock"
    path.write_text("0")
    plugin = str(CHECKOUT / "tests" / "plugins" / "clock")
    vox.environ["PYTHONPATH"] = os.pathsep.join([plugin, vox.environ["PYTHONPATH"]])
    vox.environ["VOX_TEST_CLOCK"] = str(path)
    return path


def set_clock(clock: Path, offset_s: int) -> None:
    """Set the home's clock to the system's plus that, at once."""
    new = clock.with_suffix(".new")
    new.write_text(str(offset_s))
    new.rename(clock)


def any_offset_s(chance: Chance) -> int:
    size = chance.choice([1, 60, HOUR_S, 24 * HOUR_S, YEAR_S, 20 * YEAR_S])
    return chance.choice([-1, 1]) * chance.randint(0, size)


def test_the_clock_of_a_home_can_be_set(vox: Home, clock: Path, sound: object) -> None:
    set_clock(clock, 10 * YEAR_S)
    asked = vox.say()
    vox.drain()
    assert asked.id is not None
    made_at = datetime.datetime.fromisoformat(vox.job(asked.id)["created_at"])
    assert made_at.timestamp() > time.time() + 9 * YEAR_S


def test_a_clock_that_jumps_changes_neither_order_nor_outcome(
    vox: Home, clock: Path, chance: Chance, recorder: Recorder
) -> None:
    vox.ok("daemon", "start")
    for _ in range(tries(4, 30)):
        for _ in range(chance.randint(1, 2)):
            chance.choice([vox.say, vox.post])(f"[say {chance.uniform(0.05, 0.5):.2f}s]")
        set_clock(clock, any_offset_s(chance))
        if chance.random() < 0.3:
            vox.drop()
        if chance.random() < 0.2:
            vox.kill_daemons()
        time.sleep(chance.pause_s(0.3))
    vox.drain()
    listed = [job["id"] for job in vox.jobs()]
    by_seq = [asked.id for asked in vox.books.asked if asked.id]
    assert [job_id for job_id in listed if job_id in by_seq] == by_seq
    for job in vox.jobs():
        assert job["wait_s"] is None or job["wait_s"] >= 0, job
    for args in ([], ["-n", "3"], ["--json"]):
        assert vox("history", *args).code == 0
    audit(vox, recorder)


def test_a_clock_set_forward_neither_stops_a_busy_daemon_nor_drops_what_is_kept(
    vox: Home, clock: Path, chance: Chance, sound: object
) -> None:
    (vox.home / "config.toml").write_text(
        "idle_timeout = 20\ninbox.settle_s = 0.1\ninbox.scan_s = 1\n"
    )
    spoken = vox.say("[say 0.2s]")
    vox.drain()
    pid = vox.health()["pid"]
    for _ in range(tries(2, 10)):
        set_clock(clock, chance.randint(HOUR_S, 20 * YEAR_S))
        dropped = vox.drop()
        vox.post("[say 0.1s]")
        vox.drain()
        assert vox.health()["pid"] == pid
        assert (vox.inbox / "done" / str(dropped.file_name)).exists()
        set_clock(clock, -chance.randint(HOUR_S, 20 * YEAR_S))
        vox.drain()
    kept = {path.stem for path in Path(vox.paths.spool_dir).iterdir()}
    assert spoken.id in kept
    assert json.loads(vox.ok("history", "show", str(spoken.id), "--json"))["state"] == "done"


def test_what_waits_expires_in_its_time_whatever_the_clock_does(
    vox: Home, clock: Path, chance: Chance
) -> None:
    vox.ok("daemon", "start")
    vox.ok("pause")
    expires_s = 3.0
    for _ in range(tries(2, 8)):
        began = time.monotonic()
        asked = vox.post(expires=expires_s)
        asked.ends = frozenset({"expired"})
        time.sleep(chance.pause_s(expires_s / 2))
        set_clock(clock, any_offset_s(chance))
        vox.until(str(asked.id), "expired")
        assert time.monotonic() - began >= expires_s


def test_an_idle_daemon_leaves_in_its_time_whatever_the_clock_does(
    vox: Home, clock: Path, chance: Chance
) -> None:
    idle_s = 3.0
    (vox.home / "config.toml").write_text(f"idle_timeout = {idle_s}\n")
    began = time.monotonic()
    vox.ok("daemon", "start")
    set_clock(clock, any_offset_s(chance))
    wait_until(lambda: not vox.daemons(), "the idle daemon leaves", 60.0)
    assert time.monotonic() - began >= idle_s
