"""What was downloaded once is refused when it has become something else."""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vox.backends.kit.manifest import NAME, Artefact, Manifest
from vox.errors import LoadFailed


def ignore(_text: str, _done: float | None) -> None:
    pass


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A server, and the folder whose files it serves."""
    folder = tmp_path / "shop"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


@pytest.fixture
def voice(shop: tuple[str, Path]) -> Artefact:
    """Its checksum is not known beforehand."""
    url, folder = shop
    (folder / "voice.onnx").write_bytes(b"as it was")
    return Artefact(f"{url}/voice.onnx", "deep/voice.onnx")


def fetch(weights: Path, artefact: Artefact) -> Path:
    manifest = Manifest(str(weights))
    manifest.fetch(artefact, ignore)
    return Path(manifest.place(artefact.path))


def test_the_first_download_sets_the_checksum(
    voice: Artefact, shop: tuple[str, Path], tmp_path: Path
) -> None:
    path = fetch(tmp_path, voice)
    assert path.read_bytes() == b"as it was"
    path.unlink()
    (shop[1] / "voice.onnx").write_bytes(b"as it is now")
    with pytest.raises(LoadFailed, match="damaged"):
        fetch(tmp_path, voice)
    (shop[1] / "voice.onnx").write_bytes(b"as it was")
    fetch(tmp_path, voice)


def test_a_file_of_another_content_is_refused(voice: Artefact, tmp_path: Path) -> None:
    path = fetch(tmp_path, voice)
    Manifest(str(tmp_path)).check(voice.path)
    path.write_bytes(b"as it is.")
    with pytest.raises(LoadFailed, match=r"voice\.onnx is not what was fetched from http"):
        Manifest(str(tmp_path)).check(voice.path)


def test_a_file_that_was_only_copied_is_taken(voice: Artefact, tmp_path: Path) -> None:
    path = fetch(tmp_path, voice)
    os.utime(path, (1, 1))
    Manifest(str(tmp_path)).check_folder(str(tmp_path), thorough=True)


def test_an_installation_reads_what_looks_unchanged(voice: Artefact, tmp_path: Path) -> None:
    path = fetch(tmp_path, voice)
    info = path.stat()
    path.write_bytes(b"as it is.")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    Manifest(str(tmp_path)).check_folder(str(tmp_path))
    with pytest.raises(LoadFailed, match="checksum differs"):
        Manifest(str(tmp_path)).check_folder(str(tmp_path), thorough=True)


def test_files_of_the_user_are_left_alone(voice: Artefact, tmp_path: Path) -> None:
    fetch(tmp_path, voice)
    (tmp_path / "deep" / "mine.onnx").write_bytes(b"whatever")
    manifest = Manifest(str(tmp_path))
    manifest.check("deep/mine.onnx", "deep/none.onnx", thorough=True)
    manifest.check_folder(str(tmp_path / "deep"), thorough=True)


def test_a_file_from_before_there_was_a_record_must_have_the_known_checksum(
    voice: Artefact, tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "voice.onnx").write_bytes(b"from somewhere")
    with pytest.raises(LoadFailed, match="checksum differs"):
        fetch(tmp_path, Artefact(voice.url, voice.path, "0" * 64))


def test_a_damaged_record_is_no_reason_to_trust(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("{")
    with pytest.raises(LoadFailed, match="cannot be read"):
        Manifest(str(tmp_path))
