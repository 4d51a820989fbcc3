"""A model is fetched from a hub over HTTP: a real server that speaks the hub's interface."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from vox.backends.kit import hub
from vox.errors import LoadFailed, StorageError

FILES = {
    "config.json": b"{}",
    "speech_tokenizer/config.json": b"{}",
    "model.safetensors": bytes(range(256)) * 4096,
}


class HubServer(ThreadingHTTPServer):
    """Has one model, `org/model`; notes what is asked for; `listing` may be replaced."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.broken: set[str] = set()
        self.listing = [
            {
                "rfilename": path,
                "size": len(data),
                "lfs": {"sha256": hashlib.sha256(data).hexdigest()} if len(data) > 9 else None,
            }
            for path, data in FILES.items()
        ]


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        name = self.path.removeprefix("/org/model/resolve/main/")
        if self.path.startswith("/api/models/org/model?"):
            self._answer(json.dumps({"siblings": self.server.listing}).encode())
        elif name in FILES and name not in self.server.broken:
            self._answer(FILES[name])
        else:
            self.send_error(404 if name not in FILES else 500)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
        yield server
        server.shutdown()
        thread.join()


def ignore(_text: str, _fraction: float | None) -> None:
    pass


def test_a_model_is_fetched_whole_and_only_once(server: HubServer, tmp_path: Path) -> None:
    folder, told = tmp_path / "weights" / "model", []
    hub.fetch_model("org/model", str(folder), lambda *progress: told.append(progress))
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    # First what it takes, then the share that is there.
    assert re.fullmatch(r"fetching org/model: 1 MB of [\d,]+ MB free", told[0][0])
    shown = [fraction for _, fraction in told[1:]]
    assert shown == sorted(shown)
    asked = len(server.asked)
    hub.fetch_model("org/model", str(folder), ignore)
    assert len(server.asked) == asked


def test_what_broke_off_is_no_model_yet_and_goes_on(server: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    server.broken = {"model.safetensors"}
    with pytest.raises(LoadFailed):
        hub.fetch_model("org/model", str(folder), ignore)
    assert not folder.exists()
    server.broken = set()
    server.asked.clear()
    hub.fetch_model("org/model", str(folder), ignore)
    assert [path for path in server.asked if "config.json" in path] == []
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_model_that_the_disk_does_not_hold_is_not_begun(
    server: HubServer, tmp_path: Path
) -> None:
    server.listing[2]["size"] = 10**15
    with pytest.raises(StorageError, match="needs 1,000,000,000 MB more") as caught:
        hub.fetch_model("org/model", str(tmp_path / "model"), ignore)
    assert "make room" in caught.value.hint
    assert not (tmp_path / "model").exists()
    assert [path for path in server.asked if "resolve" in path] == []


def test_a_damaged_file_is_not_taken(server: HubServer, tmp_path: Path) -> None:
    server.listing[2]["lfs"] = {"sha256": "0" * 64}
    with pytest.raises(LoadFailed, match="damaged"):
        hub.fetch_model("org/model", str(tmp_path / "model"), ignore)
    assert not (tmp_path / "model").exists()


def test_a_model_that_there_is_not_is_named(server: HubServer, tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="no public model org/none"):
        hub.fetch_model("org/none", str(tmp_path / "none"), ignore)


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../outside"])
def test_no_file_is_written_outside_the_models_folder(
    server: HubServer, tmp_path: Path, path: str
) -> None:
    server.listing.insert(0, {"rfilename": path, "size": 2, "lfs": None})
    with pytest.raises(LoadFailed, match="outside"):
        hub.fetch_model("org/model", str(tmp_path / "model"), ignore)
    assert not (tmp_path / "outside").exists()
