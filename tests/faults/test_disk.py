"""The disk is full at every write there is, and is freed again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .audit import audit
from .chance import Chance, tries
from .home import ANY_END, Home
from .test_streams import start_stream, write

PAGE = 4096
SIZE = "24m"


@pytest.fixture
def disk(home: Path) -> Iterator[Path]:
    """A small file system as the home. That needs the right to mount one."""
    options = ["-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(home)]
    done = subprocess.run(["mount", *options], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("needs the right to mount a file system")
    yield home
    subprocess.run(["umount", "-l", str(home)], check=True)


@pytest.fixture
def small(disk: Path, request: pytest.FixtureRequest) -> Home:
    """A home on that disk."""
    vox: Home = request.getfixturevalue("vox")
    vox.damages.add("filler")
    return vox


def free(disk: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        (disk / "filler").unlink()


def fill(disk: Path, pages_left: int) -> None:
    """Take all the room but that many pages."""
    free(disk)
    # Its first byte takes the page that its name needs.
    fd = os.open(disk / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        room = os.statvfs(disk)
        pages = room.f_bavail * room.f_frsize // PAGE - pages_left
        if pages > 0:
            with contextlib.suppress(OSError):  # the daemon took some meanwhile
                os.posix_fallocate(fd, 0, pages * PAGE)
    finally:
        os.close(fd)


def test_a_disk_that_is_full_at_any_write_of_a_job_fails_it_or_not_and_room_mends_all(
    disk: Path, small: Home, chance: Chance, sound: object
) -> None:
    """A job takes some twenty pages; each number of them that are left is tried in a soak."""
    vox = small
    vox.ok("daemon", "start")
    most = 40
    for pages_left in chance.sample(range(most), tries(4, most)):
        fill(disk, pages_left)
        for ask in chance.sample([vox.say, vox.post, vox.drop], 2):
            asked = ask("[say 0.3s]")
            asked.ends = frozenset({"done", "failed"})
            assert "Traceback" not in asked.error
        if chance.random() < 0.5:
            vox.post("[say 0.2s]", file=True).ends = ANY_END
        free(disk)
        vox.drain(30.0)
        after = vox.post("[say 0.05s]")
        assert after.is_accepted, (pages_left, after.error)
        vox.drain(30.0)
    audit(vox)


def test_a_daemon_that_starts_on_a_full_disk_says_so_and_room_mends_it(
    disk: Path, small: Home, chance: Chance, sound: object
) -> None:
    vox = small
    # The database is there: how little room it takes to make one is tried elsewhere.
    vox.say()
    vox.drain()
    for pages_left in chance.sample(range(30), tries(2, 30)):
        if chance.random() < 0.5:
            vox.kill_daemons()
        else:
            vox.leave()
        fill(disk, pages_left)
        asked = vox.say("[say 0.1s]")
        asked.ends = frozenset({"done", "failed"})
        assert asked.is_accepted or asked.error.startswith("vox: "), asked
        free(disk)
        vox.drain(30.0)
    audit(vox)


def test_a_disk_that_fills_and_empties_while_jobs_run_loses_none(
    disk: Path, small: Home, chance: Chance, sound: object
) -> None:
    vox = small
    vox.ok("daemon", "start")
    for _ in range(tries(4, 40)):
        script = f"[say {chance.uniform(0.1, 1.0):.2f}s]"
        asked = chance.choice([vox.say, vox.post, vox.drop])(script)
        asked.ends = frozenset({"done", "failed"})
        if chance.random() < 0.6:
            fill(disk, chance.randint(0, 20))
        else:
            free(disk)
        if chance.random() < 0.15:
            vox.kill_daemons()
    free(disk)
    audit(vox)


def test_a_disk_that_fills_while_a_stream_is_written_ends_it_and_says_so(
    disk: Path, small: Home, chance: Chance, sound: object
) -> None:
    vox = small
    vox.ok("daemon", "start")
    for pages_left in chance.sample(range(20), tries(3, 20)):
        call, parts = start_stream(vox)
        for part in parts[:2]:
            write(call, part)
        fill(disk, pages_left)
        for part in parts[2:]:
            write(call, part)
        time.sleep(chance.pause_s(2.0))
        free(disk)
        code = call.end()
        assert (code == 0) == (call.asked.error == ""), call.asked.error
        call.asked.ends = frozenset({"done", "failed"})
        free(disk)
        vox.drain(30.0)
        after = vox.post("[say 0.05s]")
        assert after.is_accepted, (pages_left, after.error)
        vox.drain(30.0)
    audit(vox)
