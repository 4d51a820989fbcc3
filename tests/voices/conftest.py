"""A catalog in a home of its own, with a third party's backends beside the built-in ones."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vox.backends import registry
from vox.config import KEYS, Config
from vox.paths import get_paths
from vox.voices.catalog import Catalog

needs_no_mlx = pytest.mark.skipif(registry.on_apple_silicon(), reason="here qwen is its own")


class Settable:
    """A configuration that a test changes, as a user would while a daemon is up."""

    def __init__(self) -> None:
        self.backends: dict[str, dict[str, Any]] = {}
        self.values: dict[str, Any] = {}

    def __call__(self) -> Config:
        values = {name: key.default for name, key in KEYS.items()}
        return Config(values | self.values, self.backends)


@pytest.fixture
def plugin(register: Callable[[str], None]) -> None:
    """The toy, and one entry point that leads nowhere, are registered as a third party's."""
    register("toy")


@pytest.fixture
def config() -> Settable:
    return Settable()


@pytest.fixture
def catalog(
    plugin: None, config: Settable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Catalog:
    monkeypatch.setenv("HIBARI_HOME", str(tmp_path / "hibari"))
    return Catalog(get_paths({"VOX_HOME": str(tmp_path / "home")}), config)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalog: Catalog) -> None:
    """The toy is installed: its package in vox's own environment, its weights in place."""
    (tmp_path / "site" / "toytts").mkdir(parents=True)
    (tmp_path / "site" / "toytts" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()
    weights = Path(catalog.settings_for("toy").env_dir) / "weights"
    weights.mkdir(parents=True)
    (weights / "toy.bin").write_text("")


Fetch = Callable[[str], None]


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catalog: Catalog) -> Fetch:
    """qwen-native's package is there, without weights; these come when the function is called."""
    return fetching(catalog, tmp_path, monkeypatch)


def fetching(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    (tmp_path / "site" / "qwen_tts").mkdir(parents=True)
    (tmp_path / "site" / "qwen_tts" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    importlib.invalidate_caches()

    def fetch(name: str) -> None:
        weights = Path(catalog.settings_for("qwen-native").env_dir, "weights")
        folder = weights / f"Qwen--Qwen3-TTS-12Hz-{name}"
        (folder / "speech_tokenizer").mkdir(parents=True)
        for config in (folder, folder / "speech_tokenizer"):
            (config / "config.json").write_text("{}")

    return fetch


@pytest.fixture
def clone(catalog: Catalog, tmp_path: Path) -> str:
    times = np.arange(48_000) / 24_000
    soundfile.write(tmp_path / "me.wav", 0.5 * np.sin(2 * np.pi * 440 * times), 24_000)
    return catalog.clones.add("me", str(tmp_path / "me.wav"), lang="eo").name
