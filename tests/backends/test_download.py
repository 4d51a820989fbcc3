"""Downloads go on where they stopped, and what comes damaged is not kept."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vox.backends.kit.download import download
from vox.backends.kit.progress import transfer
from vox.errors import LoadFailed, StorageError

CONTENT = bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Shop(http.server.BaseHTTPRequestHandler):
    """Serves one file, with ranges; `/cut` breaks off in the middle at the first request.

    `/moved` is at another host, as the hub's files are.
    """

    def __init__(self, asked: list[str], *args: object) -> None:
        self.asked = asked
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if "Authorization" in self.headers:
            self.asked.append(f"with the token: {self.path}")
        if self.path == "/gone":
            self.send_error(404)
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_port}/whole")  # type: ignore[attr-defined]
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        asked_range = self.headers.get("Range", "")
        first = int(asked_range.removeprefix("bytes=").rstrip("-") or 0)
        self.asked.append(asked_range)
        if first >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(CONTENT) - first))
        self.end_headers()
        body = CONTENT[first:]
        is_cut = self.path == "/cut" and len(self.asked) == 1
        self.wfile.write(body[: len(body) // 2] if is_cut else body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def asked() -> list[str]:
    """The Range headers of the requests, in order."""
    return []


@pytest.fixture
def shop(asked: list[str]) -> Iterator[str]:
    handler = functools.partial(Shop, asked)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def ignore(_text: str, _done: float | None) -> None:
    pass


def test_a_file_is_fetched_once(shop: str, asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.bin"
    seen: list[tuple[str, float | None]] = []
    for _ in range(2):
        download(f"{shop}/whole", str(path), lambda text, done: seen.append((text, done)), SHA256)
    assert path.read_bytes() == CONTENT
    assert asked == [""]
    assert seen[0][0].startswith("downloading model.bin: ")
    assert seen[0][0].endswith("of 1 MB")


def test_a_token_goes_to_no_other_host(shop: str, asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    download(f"{shop}/moved", str(path), ignore, SHA256, {"Authorization": "Bearer hf_secret"})
    assert asked == ["with the token: /moved", ""]
    assert path.read_bytes() == CONTENT


def test_a_download_that_was_cut_off_goes_on(shop: str, asked: list[str], tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    with pytest.raises(LoadFailed, match="cut off"):
        download(f"{shop}/cut", str(path), ignore, SHA256)
    assert not path.exists()
    download(f"{shop}/cut", str(path), ignore, SHA256)
    assert path.read_bytes() == CONTENT
    assert asked == ["", f"bytes={len(CONTENT) // 2}-"]


def test_the_time_to_go_is_reckoned_from_what_came_in_that_time() -> None:
    assert transfer("x", 60 * 10**6, 100 * 10**6, 5.0) == (
        "downloading x: 60 of 100 MB, 3 s to go",
        0.6,
    )
    # Of these 60 MB 50 are from yesterday.
    text, _ = transfer("x", 60 * 10**6, 100 * 10**6, 5.0, before=50 * 10**6)
    assert text.endswith("20 s to go")


def test_a_folder_that_cannot_be_written_is_not_taken_for_a_lost_connection(
    shop: str, tmp_path: Path
) -> None:
    (tmp_path / "weights").write_bytes(b"a file")
    with pytest.raises(StorageError, match="cannot write"):
        download(f"{shop}/whole", str(tmp_path / "weights" / "model.bin"), ignore)


def test_a_part_that_is_the_whole_is_taken(shop: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(CONTENT)
    download(f"{shop}/whole", str(tmp_path / "model.bin"), ignore, SHA256)
    assert (tmp_path / "model.bin").read_bytes() == CONTENT


def test_a_damaged_file_is_not_kept(shop: str, tmp_path: Path) -> None:
    (tmp_path / "model.bin.part").write_bytes(b"something else")
    with pytest.raises(LoadFailed, match="damaged"):
        download(f"{shop}/whole", str(tmp_path / "model.bin"), ignore, SHA256)
    assert list(tmp_path.iterdir()) == []
    download(f"{shop}/whole", str(tmp_path / "model.bin"), ignore, SHA256)


def test_what_cannot_be_had_is_one_line(shop: str, tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="404"):
        download(f"{shop}/gone", str(tmp_path / "model.bin"), ignore)
    with pytest.raises(LoadFailed, match=r"no connection to 127\.0\.0\.1: Connection refused"):
        download("http://127.0.0.1:9/model.bin", str(tmp_path / "model.bin"), ignore)
