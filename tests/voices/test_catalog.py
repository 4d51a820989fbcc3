"""What there is to speak with: which backends are ready, their voices, their settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.voices.conftest import Settable, needs_no_mlx
from vox.backends import registry
from vox.backends.base import Utterance
from vox.errors import BackendNotInstalled, BadConfig, UnknownBackend, UnknownModel
from vox.voices.catalog import Catalog


def test_an_error_about_what_is_not_ready_names_the_command_to_run(catalog: Catalog) -> None:
    for name in ("toy", "piper"):
        with pytest.raises(BackendNotInstalled) as caught:
            catalog.check_ready(name)
        assert caught.value.hint == f"run: vox backends install {name}"
        assert caught.value.exit_code == 4
    with pytest.raises(UnknownBackend, match="nope"):
        catalog.check_ready("nope")
    catalog.check_ready("hibari")


def test_what_workers_may_have_is_as_if_it_were_here(catalog: Catalog, config: Settable) -> None:
    def is_listed(backend: str | None = None, has_awaited: bool = False) -> bool:
        found = catalog.voices(backend, has_awaited=has_awaited)
        return any(voice.installed for voice in found if voice.backend == "qwen")

    def is_described() -> bool:
        return next(each["on_workers"] for each in catalog.describe() if each["name"] == "qwen")

    config.values["workers"] = "redis://gpu"
    catalog.check_ready("qwen")
    assert catalog.accepts("qwen", Utterance(""), "1.7b") == []
    assert catalog.model("qwen", "1.7b") == "1.7B" and catalog.model("qwen") is None
    with pytest.raises(UnknownModel, match="nonsense"):
        catalog.accepts("qwen", Utterance(""), "nonsense")
    assert is_listed("qwen", has_awaited=True) and not is_listed("qwen") and not is_described()
    catalog.is_served = lambda name: name == "qwen"
    assert is_listed() and is_listed("qwen") and is_described()
    assert not catalog.is_ready("qwen")
    with pytest.raises(BackendNotInstalled):
        catalog.check_installed("qwen")
    config.values["placement"] = "local"
    with pytest.raises(BackendNotInstalled):
        catalog.check_ready("qwen")


@pytest.mark.parametrize(
    ("workers", "placement", "here", "elsewhere"),
    [
        (None, "auto", True, True),
        (None, "remote", True, True),
        ("redis://gpu", "local", True, True),
        ("redis://gpu", "auto", True, False),
        ("redis://gpu", "remote", False, False),
    ],
)
def test_a_light_backend_needs_the_daemon_if_workers_are_to_speak(
    catalog: Catalog,
    config: Settable,
    workers: str | None,
    placement: str,
    here: bool,
    elsewhere: bool,
) -> None:
    config.values |= {"workers": workers, "placement": placement}
    assert catalog.is_light("say") == here
    assert not catalog.is_ready("kokoro") and catalog.is_light("kokoro") == elsewhere
    assert not catalog.is_light("hibari")
    with pytest.raises(UnknownBackend):
        catalog.is_light("nope")


def test_missing_weights_are_reported(catalog: Catalog, toy: None) -> None:
    weights = Path(catalog.settings_for("toy").env_dir) / "weights" / "toy.bin"
    weights.unlink()
    with pytest.raises(BackendNotInstalled, match="its weights are not fetched"):
        catalog.check_ready("toy")
    assert not catalog.is_ready("toy")


def test_a_broken_third_party_does_not_hide_the_voices_of_the_others(catalog: Catalog) -> None:
    assert "toy-broken" in registry.names()
    names = {voice.name for voice in catalog.voices()}
    assert {"heart", "zamenhof"} <= names
    assert catalog.voices("toy-broken") == []
    assert not catalog.is_ready("toy-broken")


@needs_no_mlx
def test_a_setting_that_qwen_lacks_is_qwen_native_s(catalog: Catalog, config: Settable) -> None:
    config.backends["qwen-native"] = {"device": "cuda:1", "model": "1.7B"}
    assert catalog.settings_for("qwen") == catalog.settings_for("qwen-native")
    config.backends["qwen"] = {"model": "0.6B"}
    settings = catalog.settings_for("qwen")
    assert (settings.device, settings.model) == ("cuda:1", "0.6B")
    assert catalog.settings_for("qwen-native").model == "1.7B"


def test_settings_come_from_the_backend_s_table(catalog: Catalog, config: Settable) -> None:
    config.backends["toy"] = {"device": "cuda:1", "model": "small", "mood": "calm"}
    settings = catalog.settings_for("toy")
    assert (settings.device, settings.model) == ("cuda:1", "small")
    assert settings.options["mood"] == "calm"
    before = catalog.host_settings("toy")
    assert catalog.is_cached("toy")
    config.backends["toy"] |= {"voice": "zamenhof", "cache": False}
    assert not catalog.is_cached("toy")
    assert catalog.host_settings("toy") == before
    assert catalog.settings_for("toy", model="large").model == "large"


def test_a_revision_is_another_once_what_is_heard_may_be(
    catalog: Catalog, toy: None, tmp_path: Path
) -> None:
    seen = [catalog.revision("toy", catalog.host_settings("toy"))]

    def differs(model: str | None = None) -> bool:
        now = catalog.revision("toy", catalog.host_settings("toy", model))
        is_new = now not in seen
        seen.append(now)
        return is_new

    assert seen[0] and not differs()
    folder = Path(catalog.settings_for("toy").env_dir)
    (folder / "venv").mkdir()
    (folder / "venv" / "pyvenv.cfg").write_text("home = /")
    (folder / "compiled").mkdir()
    (folder / "compiled" / "kernel.so").write_text("made at the first load")
    (folder / "weights" / "__pycache__").mkdir()
    (folder / "weights" / "__pycache__" / "hub.pyc").write_text("compiled")
    (folder / "weights" / ".lock").write_text("held")
    assert not differs()
    (folder / "installed.json").write_text("{}")
    assert differs()
    (folder / "weights" / "toy.bin").write_text("others")
    assert differs()
    (folder / "weights" / "voices").mkdir()
    (folder / "weights" / "voices" / "one.bin").write_text("another")
    assert differs()
    (tmp_path / "site" / "toytts" / "__init__.py").write_text("__version__ = '2'")
    assert differs()
    own = tmp_path / "own"
    own.mkdir()
    (own / "model.bin").write_text("mine")
    assert differs(str(own)) and not differs(str(own))
    (own / "model.bin").write_text("mine, trained longer")
    assert differs(str(own))


def test_an_adapter_that_cannot_tell_its_revision_has_none(catalog: Catalog) -> None:
    settings = catalog.host_settings("hibari")
    assert catalog.revision("hibari", settings)
    assert catalog.revision("toy-broken", settings) is None


def test_a_backend_s_own_setting_is_checked(catalog: Catalog, config: Settable) -> None:
    config.backends["toy"] = {"offline": "yes", "of-a-later-version": 1}
    assert catalog.settings_for("toy").options == {"offline": True, "of-a-later-version": 1}
    config.backends["toy"] = {"mood": "sad"}
    with pytest.raises(BadConfig) as caught:
        catalog.settings_for("toy")
    assert caught.value.message == "config.toml: backends.toy.mood = 'sad' must be calm or wild"
    assert catalog.voices("toy") == []
    assert not catalog.is_ready("toy")


@needs_no_mlx
def test_an_error_in_a_shared_table_names_that_table(catalog: Catalog, config: Settable) -> None:
    config.backends["qwen-native"] = {"dtype": "float8"}
    with pytest.raises(BadConfig, match=r"backends\.qwen-native\.dtype = 'float8' must be float32"):
        catalog.settings_for("qwen")
