"""A real daemon with a Wyoming server, and how to talk to that."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import tempfile
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.api.conftest import RunningDaemon, free_port, running
from tests.sound import SoundServer
from vox.wyoming.frames import encoded

T = TypeVar("T")
TIMEOUT_S = 120.0


class Server:
    """The Wyoming server of a daemon that is up."""

    def __init__(self, daemon: RunningDaemon, port: int) -> None:
        self.daemon = daemon
        self.port = port

    def run(self, calls: Coroutine[Any, Any, T]) -> T:
        """What the calls return, on a loop of their own."""

        async def within() -> T:
            async with asyncio.timeout(TIMEOUT_S):
                return await calls

        return asyncio.run(within())

    @contextlib.contextmanager
    def raw(self) -> Iterator[Raw]:
        with Raw(self.port) as raw:
            yield raw

    def jobs(self, **wanted: Any) -> list[dict[str, Any]]:
        found = self.daemon.http.get("/jobs", params={"via": "wyoming", **wanted}).json()
        return list(found)


class Raw:
    """A connection over which anything can be sent."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, kind: str, **data: Any) -> None:
        self.socket.sendall(encoded(kind, data))

    def event(self) -> tuple[str, dict[str, Any]] | None:
        """The type and the data of the next event, without its payload; None: it is closed."""
        try:
            line = self._file.readline()
        except ConnectionResetError:
            return None
        if not line:
            return None
        head = json.loads(line)
        data = json.loads(self._file.read(head.get("data_length", 0)) or "{}")
        self._file.read(head.get("payload_length", 0))
        return head["type"], data

    def until(self, kind: str) -> dict[str, Any]:
        """The data of the next event of that type."""
        while True:
            event = self.event()
            assert event is not None, f"closed before {kind}"
            if event[0] == kind:
                return event[1]


@contextlib.contextmanager
def serving(home: Path, **settings: Any) -> Iterator[Server]:
    port = free_port()
    with running(home, wyoming=f"127.0.0.1:{port}", **settings) as daemon:
        yield Server(daemon, port)


@pytest.fixture(scope="module")
def server(sound_server: SoundServer) -> Iterator[Server]:
    """One for all tests of a module."""
    home = Path(tempfile.mkdtemp(prefix="vox-", dir="/tmp"))
    with serving(home) as server:
        yield server
    shutil.rmtree(home, ignore_errors=True)
