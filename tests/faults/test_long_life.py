"""One daemon and many jobs: what it takes stays flat."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, fields
from pathlib import Path

import psutil
import pytest

from .audit import audit
from .chance import Chance, tries
from .home import SETTINGS, Home, wait_until

JOBS = tries(600, 20_000)
LOOKS = 10
AT_ONCE = 50


@dataclass(frozen=True)
class Takes:
    """What the daemon takes at one look."""

    memory_mb: float
    host_mb: float
    files: int
    threads: int
    spool_mb: float
    cache_mb: float
    wal_mb: float
    log_mb: float
    db_bytes_per_job: float


def _size_mb(path: str | Path) -> float:
    if os.path.isfile(path):
        return os.path.getsize(path) / 1e6
    return sum(_size_mb(Path(parent, f)) for parent, _, names in os.walk(path) for f in names)


def look(vox: Home, jobs: int) -> Takes:
    wait_until(lambda: len(vox.daemons()) == 1, "there is one daemon")
    (daemon,) = vox.daemons()
    return Takes(
        memory_mb=daemon.memory_info().rss / 1e6,
        host_mb=sum(host.memory_info().rss for host in vox.hosts()) / 1e6,
        files=daemon.num_fds(),
        threads=daemon.num_threads(),
        spool_mb=_size_mb(vox.paths.spool_dir),
        cache_mb=_size_mb(vox.paths.utterances_dir),
        wal_mb=_size_mb(vox.paths.db_path + "-wal") if os.path.exists(vox.paths.db_path) else 0,
        log_mb=_size_mb(vox.paths.log_dir),
        db_bytes_per_job=os.path.getsize(vox.paths.db_path) / jobs,
    )


@pytest.mark.timeout(3600)
def test_many_jobs_through_one_daemon_leave_it_as_it_was(
    vox: Home, chance: Chance, sound: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Short files for the most part, some speech, some that fail, some that are cancelled."""
    (vox.home / "config.toml").write_text(
        "spool_limit_mb = 2\ncache_mb = 2\nidle_timeout = -1\n" + SETTINGS
    )
    vox.ok("daemon", "start")
    daemon = psutil.Process(vox.health()["pid"])
    began, looks = time.monotonic(), list[Takes]()
    for number in range(1, JOBS + 1):
        _one(vox, chance)
        if number % AT_ONCE == 0:
            vox.drain()
        if number % (JOBS // LOOKS) == 0:
            looks.append(look(vox, number))
    took_s = time.monotonic() - began
    wait_until(lambda: vox.daemons() == [daemon], "the first daemon is the only one")
    with capsys.disabled():
        print(f"\n{JOBS} jobs in {took_s:.0f} s: {_table(looks)}")
    _assert_flat(looks)
    audit(vox)


def _one(vox: Home, chance: Chance) -> None:
    kind = chance.random()
    if kind < 0.9:
        asked = vox.post("[say 0.05s]", output=str(vox.outputs / "same.wav"))
    elif kind < 0.95:
        asked = vox.post("[say 0.02s]")
    elif kind < 0.98:
        asked = vox.post("[fail on purpose]")
        asked.ends = frozenset({"failed"})
    else:
        asked = vox.post("[say 5s]")
        asked.ends = frozenset({"cancelled", "done"})
        vox.client.call("DELETE", f"/jobs/{asked.id}")
    assert asked.is_accepted, asked.error


def _table(looks: list[Takes]) -> str:
    lines = []
    for field in fields(Takes):
        values = [getattr(one, field.name) for one in looks]
        lines.append(f"  {field.name:17}" + "".join(f"{value:9.1f}" for value in values))
    return "\n" + "\n".join(lines)


def _assert_flat(looks: list[Takes]) -> None:
    """From the third look to the last nothing grows but the history."""
    early, late = looks[2], looks[-1]
    assert late.memory_mb < early.memory_mb * 1.15 + 5, (early, late)
    assert late.host_mb < early.host_mb * 1.15 + 5, (early, late)
    assert late.files <= max(one.files for one in looks[:5]) + 3, (early, late)
    assert late.threads <= max(one.threads for one in looks[:5]) + 3, (early, late)
    assert max(late.spool_mb, late.cache_mb) < 4, late
    assert late.wal_mb < 20 and late.log_mb < 21, late
    assert late.db_bytes_per_job < early.db_bytes_per_job * 1.1 + 500, (early, late)
