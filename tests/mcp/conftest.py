"""One home and one daemon for a module, and the official client in front of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.conftest import free_port
from tests.running import Vox
from tests.sound import SoundServer
from vox.tokens import ensure_token


@pytest.fixture(scope="module")
def daemon(sound_server: SoundServer) -> Iterator[Vox]:
    """A home whose daemon speaks with the scripted backend, unless another one is named."""
    path = Path(tempfile.mkdtemp(prefix="vox-mcp-", dir="/tmp"))
    vox = Vox(path)
    vox.environ["VOX_HOME"] = str(path)
    settings = f'backend = "scripted"\nhttp = "127.0.0.1:{free_port()}"\npause_s = 0.05\n'
    (path / "config.toml").write_text(settings)
    ensure_token(vox.paths)
    vox.ok("daemon", "start")
    yield vox
    vox.stop()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(autouse=True)
def nothing_is_left(daemon: Vox, register: Callable[[str], None]) -> Iterator[None]:
    """Nothing of one test waits in the next one. This process has the scripted backend, too."""
    register("scripted")
    yield
    daemon.client.cancel_all()
    daemon.client.resume()
