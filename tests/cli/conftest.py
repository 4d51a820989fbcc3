"""A daemon for the tests of a file: most of what a call takes here would be its start."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Vox
from tests.sound import SoundServer


@pytest.fixture(scope="module")
def shared(sound_server: SoundServer) -> Iterator[Vox]:
    home = tempfile.mkdtemp(prefix="vox-", dir="/tmp")
    vox = Vox(Path(home))
    vox.environ["VOX_HOME"] = home
    yield vox
    vox.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def warm(shared: Vox) -> Vox:
    """A daemon is up. Nothing waits, nothing is paused or set, and the history is empty."""
    shared.end_calls()
    if not shared.client.is_up():
        shared.ok("daemon", "start")
    for left in ("config.toml", "go"):
        (shared.home / left).unlink(missing_ok=True)
    for path in ("/resume", "/cancel"):
        shared.client.call("POST", path)
    while shared.client.call("GET", "/queue"):
        time.sleep(0.02)
    shared.client.call("DELETE", "/jobs")
    return shared
