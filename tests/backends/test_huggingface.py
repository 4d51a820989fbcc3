"""A model is fetched from a hub over HTTP: a real server that speaks the hub's interface."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backends.hub_server import COMMIT, HubServer, running
from tests.backends.worlds import ADAPTERS
from vox.backends import registry
from vox.backends.base import Settings
from vox.backends.kit.huggingface import Pin, fetch_model
from vox.backends.kit.manifest import Manifest
from vox.errors import LoadFailed, StorageError
from vox.install.fetch import run_fetch

FILES = {
    "config.json": b"{}",
    "speech_tokenizer/config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 4096,
}
PINNED = "b" * 40


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with running({"org/model": FILES}, monkeypatch) as server:
        yield server


def ignore(_text: str, _fraction: float | None) -> None:
    pass


def fetch(folder: Path, pin: Pin | None = None, repo: str = "org/model") -> None:
    fetch_model(repo, Manifest(str(folder)), "model", ignore, pin)


def test_a_model_is_fetched_whole_and_only_once(server: HubServer, tmp_path: Path) -> None:
    weights, told = tmp_path / "weights", []
    manifest = Manifest(str(weights))
    fetch_model("org/model", manifest, "model", lambda *progress: told.append(progress))
    folder = weights / "model"
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert {path.name for path in folder.iterdir()} == {name.split("/")[0] for name in FILES}
    # First what it takes, then the share that is there.
    assert re.fullmatch(r"fetching org/model: 1 MB of [\d,]+ MB free", told[0][0])
    shown = [fraction for _, fraction in told[1:]]
    assert shown == sorted(shown)
    asked = len(server.asked)
    fetch(weights)
    assert len(server.asked) == asked


def test_what_broke_off_is_no_model_yet_and_goes_on(server: HubServer, tmp_path: Path) -> None:
    server.broken = {"model.safetensors"}
    with pytest.raises(LoadFailed):
        fetch(tmp_path)
    assert not (tmp_path / "model").exists()
    server.broken, server.cut = set(), {"model.safetensors"}
    server.asked.clear()
    with pytest.raises(LoadFailed, match="cut off"):
        fetch(tmp_path)
    fetch(tmp_path)
    assert [path for path in server.asked if "config.json" in path] == []
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_model_that_the_disk_does_not_hold_is_not_begun(
    server: HubServer, tmp_path: Path
) -> None:
    server.listings["org/model"][2]["size"] = 10**15
    with pytest.raises(StorageError, match="needs 1,000,000,000 MB more") as caught:
        fetch(tmp_path)
    assert "free disk space" in caught.value.hint
    assert not (tmp_path / "model").exists()
    assert [path for path in server.asked if "resolve" in path] == []


def test_a_damaged_file_is_not_taken(server: HubServer, tmp_path: Path) -> None:
    server.listings["org/model"][2]["lfs"]["sha256"] = "0" * 64
    with pytest.raises(LoadFailed, match="damaged"):
        fetch(tmp_path)
    assert not (tmp_path / "model").exists()


def test_a_model_that_there_is_not_is_named(server: HubServer, tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="no model org/none, or it is private"):
        fetch(tmp_path, repo="org/none")


def test_no_network_is_one_line_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(LoadFailed) as caught:
        fetch(tmp_path)
    assert caught.value.message == "no connection to 127.0.0.1: Connection refused"


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../outside"])
def test_no_file_is_written_outside_the_models_folder(
    server: HubServer, tmp_path: Path, path: str
) -> None:
    server.listings["org/model"].insert(0, {"rfilename": path, "size": 2, "lfs": None})
    with pytest.raises(LoadFailed, match="outside"):
        fetch(tmp_path)
    assert not (tmp_path / "outside").exists()


def test_a_pinned_model_comes_from_its_commit(server: HubServer, tmp_path: Path) -> None:
    fetch(tmp_path, Pin(PINNED))
    assert {path for path in server.asked if COMMIT in path or "/main" in path} == set()
    assert any(f"/resolve/{PINNED}/model.safetensors" in path for path in server.asked)


def test_a_pinned_checksum_counts_whatever_the_hub_lists(server: HubServer, tmp_path: Path) -> None:
    good = hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    with pytest.raises(LoadFailed, match="damaged"):
        fetch(tmp_path, Pin(PINNED, {"model.safetensors": "0" * 64}))
    fetch(tmp_path, Pin(PINNED, {"model.safetensors": good}))


def test_a_model_without_a_pin_stays_at_the_commit_of_its_first_fetch(
    server: HubServer, tmp_path: Path
) -> None:
    server.broken = {"model.safetensors"}
    with pytest.raises(LoadFailed):
        fetch(tmp_path)
    server.broken, server.commit = set(), "c" * 40
    server.asked.clear()
    fetch(tmp_path)
    assert all("c" * 40 not in path for path in server.asked)
    assert Manifest(str(tmp_path)).revision("org/model") == COMMIT


def test_a_part_of_another_commit_is_not_gone_on_with(server: HubServer, tmp_path: Path) -> None:
    server.broken = {"model.safetensors"}
    with pytest.raises(LoadFailed):
        fetch(tmp_path)
    server.broken = set()
    # A later vox pins a commit with another, larger configuration.
    config = b'{"new": "since then"}'
    server.models["org/model"] = {**FILES, "config.json": config}
    server.listings["org/model"][0]["size"] = len(config)
    fetch(tmp_path, Pin(PINNED))
    assert (tmp_path / "model" / "config.json").read_bytes() == config
    Manifest(str(tmp_path)).check_folder(str(tmp_path), thorough=True)


@pytest.mark.heavy
@pytest.mark.parametrize("name", ["qwen-native", "qwen-mlx"])
def test_the_library_of_each_environment_fetches_a_model(
    name: str,
    environment: Callable[[str], tuple[str, Settings]],
    server: HubServer,
    tmp_path: Path,
) -> None:
    interpreter, _ = environment(name)
    spec = ADAPTERS.get(name) or registry.import_string(name)
    settings = Settings(str(tmp_path), str(tmp_path / name), model="org/model")
    server.broken = {"model.safetensors"}
    with pytest.raises(LoadFailed, match="500"):
        run_fetch(interpreter, spec, settings, ignore)
    server.broken = set()
    server.private, server.token = {"org/model"}, "hf_secret"
    with pytest.raises(LoadFailed, match="or it is private"):
        run_fetch(interpreter, spec, settings, ignore)
    # As `hf auth login` leaves it.
    home = Path(os.environ["HF_HOME"])
    home.mkdir()
    (home / "token").write_text("hf_secret\n")
    run_fetch(interpreter, spec, settings, ignore)
    folder = tmp_path / name / "weights" / "org--model"
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    # Once more the file is read, and refused as it is another now.
    os.truncate(folder / "model.safetensors", 7)
    with pytest.raises(LoadFailed, match=r"model\.safetensors is not what was fetched"):
        run_fetch(interpreter, spec, settings, ignore)
