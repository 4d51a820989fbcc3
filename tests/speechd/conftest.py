"""Homes with a daemon, for the tests of a module: to start one takes seconds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import Vox
from tests.sound import SoundServer

from .driving import Piped


@pytest.fixture(scope="module")
def spoken(sound_server: SoundServer) -> Iterator[Vox]:
    """A home whose jobs are spoken by the scripted backend, for all tests of a file."""
    path = tempfile.mkdtemp(prefix="vox-", dir="/tmp")
    vox = Vox(Path(path))
    vox.environ["VOX_HOME"] = path
    vox.ok("config", "set", "backend", "scripted")
    yield vox
    vox.stop()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def module(spoken: Vox) -> Iterator[Piped]:
    """A module whose daemon is up, and that knows the voices."""
    spoken.ok("daemon", "start")
    piped = Piped(spoken.environ)
    piped.ask("INIT\n", "299 OK LOADED SUCCESSFULLY")
    yield piped
    piped.end()
