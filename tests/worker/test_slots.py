"""A worker's hosts: what they are started with."""

from __future__ import annotations

from pathlib import Path

import pytest

from vox.config import load
from vox.hosts.launch import subprocess_hosts
from vox.paths import get_paths
from vox.voices.catalog import Catalog
from vox.worker.slots import Slots


@pytest.mark.parametrize(("backend", "device"), [("qwen-native", "cuda:1"), ("hibari", "auto")])
def test_the_device_is_for_backends_that_can_use_it(home: Path, backend: str, device: str) -> None:
    paths, config = get_paths(), load("/dev/null", {})
    hosts = subprocess_hosts(paths.backends_dir, lambda: config)
    slots = Slots(Catalog(paths, lambda: config), hosts, str(home / "memory"), device="cuda:1")
    assert slots.settings(backend, None).device == device
