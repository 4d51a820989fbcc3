"""A hub on this machine, with the interface of Hugging Face's that vox and its library use."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

COMMIT = "a" * 40
SMALL = 10
"""Bytes; the hub lists no SHA-256 for smaller files."""


class HubServer(ThreadingHTTPServer):
    """Has models by "org/name", all at one commit; notes what is asked for."""

    def __init__(self, models: dict[str, dict[str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models = models
        self.commit = COMMIT
        """Of every model's main branch; other commits have the same files."""
        self.asked: list[str] = []
        self.broken: set[str] = set()
        """Names of files that cannot be read."""
        self.cut: set[str] = set()
        """Names of files of which half is sent, once."""
        self.token: str | None = None
        """Whoever shows it may see and fetch what is `private` and fetch what is `gated`."""
        self.private: set[str] = set()
        self.gated: set[str] = set()
        self.listings = {repo: self._listing(files) for repo, files in models.items()}

    @staticmethod
    def _listing(files: dict[str, bytes]) -> list[dict[str, Any]]:
        return [
            {"rfilename": path, "size": len(data), "lfs": _lfs(data)}
            for path, data in files.items()
        ]


def _lfs(data: bytes) -> dict[str, Any] | None:
    if len(data) < SMALL:
        return None
    digest = hashlib.sha256(data).hexdigest()
    return {"sha256": digest, "size": len(data), "pointerSize": 130}


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        listing = re.match(r"/api/models/([\w.-]+/[\w.-]+)(?:/revision/(\w+))?\?", self.path)
        file = re.match(r"/([\w.-]+/[\w.-]+)/resolve/\w{40}/(.+)", self.path)
        repo = (listing or file or {1: ""})[1]
        is_known = self.headers.get("Authorization") == f"Bearer {self.server.token}"
        if repo in self.server.gated and file and not is_known:
            self._refuse(403, "GatedRepo")
        elif repo in self.server.private and not is_known:
            self._refuse(401, "RepoNotFound")
        elif listing and repo in self.server.models:
            commit = listing[2] or self.server.commit
            found = {"id": repo, "sha": commit, "siblings": self.server.listings[repo]}
            self._answer(json.dumps(found).encode())
        elif file and file[2] in self.server.models.get(repo, {}):
            self._send(file[2], self.server.models[repo][file[2]])
        else:
            # So that nobody can tell what is private from what there is not.
            self._refuse(401, "RepoNotFound")

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, name: str, data: bytes) -> None:
        if name in self.server.broken:
            self.send_error(500)
            return
        first = int(self.headers.get("Range", "").removeprefix("bytes=").rstrip("-") or 0)
        self._answer(data[first:], 206 if first else 200, cut=name in self.server.cut)
        self.server.cut.discard(name)

    def _answer(self, body: bytes, status: int = 200, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running(
    models: dict[str, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[HubServer]:
    """Serve these models while the block runs, as the mirror that HF_ENDPOINT names."""
    with HubServer(models) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
        yield server
        server.shutdown()
        thread.join()
