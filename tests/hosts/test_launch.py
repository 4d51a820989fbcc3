"""How a host is started for a backend that has an environment of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.running import install_environment
from vox.backends.base import Settings
from vox.hosts.handle import Limits
from vox.hosts.launch import start_host
from vox.install.status import MARKER

PLUGIN_DIR = Path(__file__).parent.parent / "plugins" / "toy"


def install(backends_dir: Path, name: str, accelerator: str) -> Settings:
    install_environment(backends_dir / name, PLUGIN_DIR, accelerator=accelerator)
    return Settings(str(backends_dir / "voices"), str(backends_dir / name))


def notes_of(name: str, settings: Settings) -> list[str]:
    """What a host of the backend, which always runs on the CPU, gives its first caller to know."""
    backends_dir = os.path.dirname(settings.env_dir)
    host = start_host(name, settings, backends_dir, Limits())
    try:
        host.load()
        told = host.take_notes()
        assert (host.take_notes(), host.describe()["notes"]) == ([], told)
        return told
    finally:
        host.kill()


def test_a_model_on_the_cpu_is_noted_once_if_its_build_is_one_for_a_gpu(
    register: Callable[[str], None], tmp_path: Path
) -> None:
    register("toy")
    for_cuda = install(tmp_path, "toy-huge", "cuda")
    (note,) = notes_of("toy-huge", for_cuda)
    assert note.startswith("toy-huge runs on the CPU, although it was installed for cuda; see: ")
    assert notes_of("toy-huge", replace(for_cuda, device="cpu")) == []
    assert notes_of("toy-huge", install(tmp_path / "for-cpu", "toy-huge", "cpu")) == []
    # It has one build, whatever the machine has.
    assert notes_of("toy", install(tmp_path, "toy", "cuda")) == []


def test_a_host_is_outdated_once_its_environment_or_its_own_model_is_another(
    register: Callable[[str], None], tmp_path: Path
) -> None:
    register("toy")
    model = tmp_path / "mine"
    model.mkdir()
    (model / "weights.bin").write_text("first")
    settings = replace(install(tmp_path, "toy", "cpu"), model=str(model))
    hosts = [start_host("toy", settings, str(tmp_path), Limits())]
    try:
        assert hosts[0].is_current
        (model / "weights.bin").write_text("trained longer")
        assert not hosts[0].is_current
        hosts.append(start_host("toy", settings, str(tmp_path), Limits()))
        assert hosts[-1].is_current
        (tmp_path / "toy" / MARKER).unlink()
        assert not hosts[-1].is_current
    finally:
        for host in hosts:
            host.kill()
