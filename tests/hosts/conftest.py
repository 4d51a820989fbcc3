"""Real hosts with the scripted backend, started as the pool starts them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vox.backends.base import Settings
from vox.bootstrap import bootstrap_args
from vox.hosts.handle import Handle, Limits
from vox.hosts.launch import HOST_MODULE

SCRIPTED = "scripted_backend:Scripted"
PLUGIN_DIR = Path(__file__).parent.parent / "plugins" / "scripted"

StartHost = Callable[..., Handle]


@pytest.fixture
def scripted_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the scripted backend looks for files; it is importable in hosts."""
    monkeypatch.setenv("SCRIPTED_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(PLUGIN_DIR), *filter(None, sys.path)]))
    return tmp_path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(voices_dir=str(tmp_path / "voices"), env_dir=str(tmp_path / "env"))


@pytest.fixture
def start(scripted_dir: Path, settings: Settings) -> Iterator[StartHost]:
    """Start a host; `model` chooses how it loads, further arguments are its time limits."""
    hosts: list[Handle] = []

    def start(
        model: str | None = None,
        name: str = "scripted",
        is_current: Callable[[], bool] = lambda: True,
        **limits: float,
    ) -> Handle:
        chosen = Settings(settings.voices_dir, settings.env_dir, model=model)
        command = [sys.executable, *bootstrap_args(HOST_MODULE)]
        host = Handle(name, command, SCRIPTED, chosen, Limits(**limits), is_current=is_current)
        hosts.append(host)
        return host

    yield start
    for host in hosts:
        host.kill()
