"""What the machine has already, in another model or in the user's own cache, is not fetched."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backends.hub_server import COMMIT, HubServer, running
from vox.backends.kit.huggingface import Pin, fetch_files, fetch_model
from vox.backends.kit.local_files import hub_cache, take
from vox.backends.kit.manifest import Manifest
from vox.errors import LoadFailed
from vox.install.status import size_mb

CODEC = os.urandom(2_000_000)
ONE = {"config.json": b"{}", "model.safetensors": b"one" * 4096, "codec/model.safetensors": CODEC}
TWO = {"config.json": b"{}", "model.safetensors": b"two" * 4096, "codec/model.safetensors": CODEC}
SHA256 = {name: hashlib.sha256(data).hexdigest() for name, data in ONE.items()}
PIN = Pin(
    COMMIT,
    {name: SHA256[name] for name in ("model.safetensors", "codec/model.safetensors")},
    {"model.safetensors": 12_288, "codec/model.safetensors": 2_000_000},
)
Told = list[tuple[str, float | None]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with running({"org/one": ONE, "org/two": TWO}, monkeypatch) as server:
        yield server


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return tmp_path / "backends" / "mine" / "weights"


def fetch(weights: Path, name: str, pin: Pin | None = None) -> Told:
    told: Told = []
    manifest = Manifest(str(weights))
    needed = ("config.json",)
    fetch_model(f"org/{name}", manifest, name, lambda *each: told.append(each), pin, needed)
    return told


def fetched(server: HubServer) -> set[str]:
    """The names of the files that were asked for since the last call."""
    names = {path.split(COMMIT + "/")[1] for path in server.asked if "/resolve/" in path}
    server.asked.clear()
    return names


def files_in(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def inode(path: Path) -> int:
    return path.stat().st_ino


def cache(repo: str, files: dict[str, bytes]) -> Path:
    """The user's own cache of it, laid out as Hugging Face's tools do; returns the snapshot."""
    folder = Path(hub_cache(), "models--" + repo.replace("/", "--"))
    snapshot = folder / "snapshots" / COMMIT
    for name, data in files.items():
        is_small = len(data) < 10
        blob = (hashlib.sha1 if is_small else hashlib.sha256)(data).hexdigest()
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        (folder / "blobs" / blob).write_bytes(data)
        (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / name).symlink_to(folder / "blobs" / blob)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    return snapshot


# -- shared by the models of the machine -------------------------------------------------------


def test_a_file_that_another_model_has_is_shared(server: HubServer, weights: Path) -> None:
    fetch(weights, "one")
    fetched(server)
    told = fetch(weights, "two")
    assert fetched(server) == {"config.json", "model.safetensors"}
    assert files_in(weights / "two") == TWO
    codecs = [weights / name / "codec" / "model.safetensors" for name in ("one", "two")]
    assert inode(codecs[0]) == inode(codecs[1])
    # It takes no room, and it counts as there.
    assert told[0][0].startswith("fetching org/two: 0 MB of")
    assert any(text.startswith("fetching model.safetensors from ") for text, _ in told)
    shown = [fraction for _, fraction in told if fraction is not None]
    assert shown == sorted(shown) and shown[-1] <= 1
    assert size_mb(str(weights)) < 3
    Manifest(str(weights)).check_folder(str(weights), thorough=True)


def test_a_file_that_another_backend_has_is_shared(
    server: HubServer, weights: Path, tmp_path: Path
) -> None:
    fetch(tmp_path / "backends" / "theirs" / "weights", "one")
    fetched(server)
    fetch(weights, "two")
    assert fetched(server) == {"config.json", "model.safetensors"}


def test_removing_one_model_leaves_the_other_whole(server: HubServer, weights: Path) -> None:
    fetch(weights, "one")
    fetch(weights, "two")
    for path in (weights / "one").rglob("*.safetensors"):
        path.unlink()
    assert files_in(weights / "two") == TWO
    Manifest(str(weights)).check_folder(str(weights), thorough=True)


def test_a_shared_file_that_was_changed_is_found_in_both_and_not_shared_again(
    server: HubServer, weights: Path
) -> None:
    fetch(weights, "one")
    fetch(weights, "two")
    with (weights / "one" / "codec" / "model.safetensors").open("r+b") as file:
        file.write(b"damaged")
    for name in ("one", "two"):
        with pytest.raises(LoadFailed, match="checksum differs"):
            Manifest(str(weights)).check_folder(str(weights / name))
    (weights / "two").rename(weights / "away")
    fetched(server)
    fetch(weights, "two")
    assert "codec/model.safetensors" in fetched(server)
    assert files_in(weights / "two") == TWO


def test_what_is_still_to_come_is_known_before_the_hub_is_asked(
    server: HubServer, weights: Path
) -> None:
    manifest = Manifest(str(weights))
    assert sum(PIN.missing_bytes(manifest).values()) == 2_012_288
    fetch(weights, "two")
    assert sum(PIN.missing_bytes(Manifest(str(weights))).values()) == 12_288


# -- the user's own cache ----------------------------------------------------------------------


def test_what_the_users_cache_has_is_taken_from_there_and_left_there(
    server: HubServer, weights: Path
) -> None:
    snapshot = cache("org/one", ONE)
    told = fetch(weights, "one", PIN)
    assert fetched(server) == {"config.json"}  # the hub lists no checksum for small files
    assert files_in(weights / "one") == ONE
    assert f"fetching model.safetensors from {hub_cache()}" in [text for text, _ in told]
    blob = (snapshot / "model.safetensors").resolve()
    assert inode(blob) == inode(weights / "one" / "model.safetensors")
    assert not (weights / "one" / "model.safetensors").is_symlink()
    # The cache may go.
    blob.unlink()
    assert files_in(weights / "one") == ONE


def test_a_blob_of_another_model_in_the_cache_will_do(server: HubServer, weights: Path) -> None:
    cache("org/one", ONE)
    fetch(weights, "two")
    assert fetched(server) == {"config.json", "model.safetensors"}


def test_a_damaged_blob_is_not_taken(server: HubServer, weights: Path) -> None:
    snapshot = cache("org/one", ONE)
    (snapshot / "model.safetensors").write_bytes(b"damaged")
    fetch(weights, "one", PIN)
    assert fetched(server) == {"config.json", "model.safetensors"}
    assert files_in(weights / "one") == ONE
    assert (snapshot / "model.safetensors").read_bytes() == b"damaged"


def test_single_files_are_taken_from_the_cache_as_well(server: HubServer, weights: Path) -> None:
    cache("org/one", ONE)
    manifest = Manifest(str(weights))
    names = ("codec/model.safetensors",)
    fetch_files("org/one", names, manifest, lambda commit: commit, lambda *_: None, PIN)
    assert server.asked == []
    assert (weights / COMMIT / names[0]).read_bytes() == CODEC


def test_a_part_of_an_interrupted_download_does_not_stay(server: HubServer, weights: Path) -> None:
    server.cut = {"model.safetensors"}
    with pytest.raises(LoadFailed, match="cut off"):
        fetch(weights, "one")
    cache("org/one", ONE)
    fetch(weights, "one")
    assert files_in(weights / "one") == ONE


def test_offline_a_model_comes_from_the_cache_alone(
    server: HubServer, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LoadFailed, match=r"HF_HUB_OFFLINE is set, and org/one is not in /"):
        fetch(weights, "one", PIN)
    snapshot = cache("org/one", ONE)
    (snapshot / "config.json").rename(snapshot / "else.json")
    with pytest.raises(LoadFailed, match=r"config\.json of org/one is not in /") as caught:
        fetch(weights, "one", PIN)
    assert caught.value.hint == "unset it and run it again"
    (snapshot / "else.json").rename(snapshot / "config.json")
    fetch(weights, "one", PIN)
    assert files_in(weights / "one") == ONE
    assert server.asked == []


def test_offline_without_a_pin_the_caches_main_branch_counts(
    server: HubServer, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "yes")
    snapshot = cache("org/two", TWO)
    fetch(weights, "two")
    assert Manifest(str(weights)).revision("org/two") == COMMIT
    (weights / "two").rename(weights / "away")
    (snapshot / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(LoadFailed, match=r"model\.safetensors of org/two is not in"):
        fetch(weights, "two")
    assert server.asked == []


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, "~/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x", "HF_HOME": "~/hf"}, "~/hf/hub"),
        ({"HF_HOME": "/hf", "HF_HUB_CACHE": "/cache"}, "/cache"),
        ({"HUGGINGFACE_HUB_CACHE": "$HOME/old"}, "~/old"),
    ],
)
def test_the_cache_is_where_hugging_faces_tools_have_it(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_cache() == os.path.expanduser(folder)


def test_what_cannot_be_linked_is_copied(tmp_path: Path) -> None:
    source, place = Path("/dev/shm", f"vox-{os.getpid()}-{threading.get_ident()}"), tmp_path / "it"
    if not source.parent.is_dir() or source.parent.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system here")
    try:
        source.write_bytes(CODEC)
        assert take(str(source), str(place), SHA256["codec/model.safetensors"]) is not None
    finally:
        source.unlink()
    assert place.read_bytes() == CODEC
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


# -- the user's token --------------------------------------------------------------------------


def test_a_private_model_is_fetched_with_the_users_token(
    server: HubServer, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.private, server.token = {"org/one"}, "hf_secret"
    with pytest.raises(LoadFailed, match="no model org/one, or it is private") as caught:
        fetch(weights, "one")
    assert "set HF_TOKEN" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(weights, "one")
    assert files_in(weights / "one") == ONE
    assert "hf_secret" not in (weights / "manifest.json").read_text()


def test_a_gated_model_says_where_its_terms_are_accepted(
    server: HubServer, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.gated, server.token = {"org/one"}, "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "hf_of_somebody_else")
    with pytest.raises(LoadFailed, match="org/one is private or gated") as caught:
        fetch(weights, "one")
    address = f"http://127.0.0.1:{server.server_port}/org/one"
    assert f"accept its terms at {address}, then set HF_TOKEN" in caught.value.hint
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(weights, "one")
    assert files_in(weights / "one") == ONE
