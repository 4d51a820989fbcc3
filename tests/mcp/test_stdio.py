"""`vox mcp` as assistants start it: a process that is talked to on its standard streams."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.running import CHECKOUT, Call, Vox

from .test_tools import MODES, Assistant

ENDS_S = 30.0


def environ(vox: Vox) -> dict[str, str]:
    return {**os.environ, **vox.environ}


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_the_official_client_speaks_under_the_project_s_name(
    daemon: Vox, mode: str, tmp_path: Path
) -> None:
    folder = tmp_path / "my-project" / "src"
    folder.mkdir(parents=True)
    (folder.parent / ".git").mkdir()
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "vox", "mcp"], env=environ(daemon), cwd=folder
    )

    async def main(told: Any) -> None:
        async with Client(stdio_client(server, errlog=told), mode=mode) as client:
            assistant = Assistant(client)
            heard = await assistant.ok("speak", text="1 2", wait=True)
            assert heard.data["source"] == "my-project"
            assert "speak" in {tool.name for tool in (await client.list_tools()).tools}

    with (tmp_path / "told").open("w+") as told:
        asyncio.run(main(told))
        told.seek(0)
        assert told.read() == ""


class Raw:
    """`vox mcp`, talked to in lines of JSON."""

    def __init__(self, vox: Vox, folder: Path) -> None:
        self.process: Call = vox.popen("mcp", stdin=subprocess.PIPE, cwd=folder, env=environ(vox))
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._input, self._output = self.process.stdin, self.process.stdout

    def write(self, text: str) -> None:
        self._input.write(text)
        self._input.flush()

    def send(self, method: str, **params: Any) -> None:
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.write(json.dumps(message) + "\n")

    def initialize(self) -> None:
        info = {"name": "A Raw\x1b Client", "version": "1"}
        self.send("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=info)
        assert json.loads(self._output.readline())["result"]["serverInfo"]["name"] == "vox"
        self.write('{"jsonrpc": "2.0", "method": "notifications/initialized"}\n')

    def call(self, tool: str, **arguments: Any) -> None:
        meta = {"progressToken": 7}
        self.send("tools/call", name=tool, arguments=arguments, _meta=meta)

    def answer(self) -> dict[str, Any]:
        """The next answer; what is told of the progress before it is passed over."""
        while True:
            found: dict[str, Any] = json.loads(self._output.readline())
            if "result" in found or "error" in found:
                return found

    def close(self) -> None:
        self._input.close()

    def vanish(self) -> None:
        """The client is killed: both pipes are broken."""
        self._output.close()
        with contextlib.suppress(BrokenPipeError):
            self._input.close()


ENDINGS: dict[str, tuple[Callable[[Raw], None], int]] = {
    "sigterm": (lambda raw: raw.process.send_signal(signal.SIGTERM), 128 + signal.SIGTERM),
    "sigint": (lambda raw: raw.process.send_signal(signal.SIGINT), 128 + signal.SIGINT),
    "sighup": (lambda raw: raw.process.send_signal(signal.SIGHUP), 128 + signal.SIGHUP),
    "sigkill": (lambda raw: raw.process.send_signal(signal.SIGKILL), -signal.SIGKILL),
    "eof": (Raw.close, 0),
    "vanishes": (Raw.vanish, 0),
}


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + ENDS_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_however_it_ends_what_is_waited_for_ends_with_it_and_nothing_else(
    daemon: Vox, tmp_path: Path
) -> None:
    """A server for each way to end. All start at once, for most of a start is an import."""

    def live() -> set[str]:
        return {job["source"] for job in daemon.client.queue()}

    servers = {name: Raw(daemon, tmp_path) for name in ENDINGS}
    for name, raw in servers.items():
        raw.initialize()
        raw.call("speak", text="[say 60s]", source=f"{name} kept")
        assert not raw.answer()["result"].get("isError")
        raw.call("speak", text="[say 61s]", source=f"{name} given up", wait=True, wait_s=200)
    until(
        lambda: live() == {f"{name} {which}" for name in ENDINGS for which in ("kept", "given up")}
    )
    for name, (end, code) in ENDINGS.items():
        process = servers[name].process
        end(servers[name])
        assert (name, process.wait(ENDS_S)) == (name, code)
        assert process.stderr is not None
        assert process.stderr.read() == ""
        until(lambda name=name: f"{name} given up" not in live())
    assert live() == {f"{name} kept" for name in ENDINGS}


def test_what_is_no_message_is_passed_over_and_the_client_s_name_is_the_source(
    daemon: Vox, tmp_path: Path
) -> None:
    raw = Raw(daemon, tmp_path)
    raw.write("Sesame\n\n{\n[]\n")
    raw.initialize()
    raw.write('{"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": "Sesame"}\n')
    raw.call("speak", text="Sesame", priority="low")
    job_id = raw.answer()["result"]["structuredContent"]["id"]
    assert daemon.client.get(job_id)["source"] == "A Raw Client"
    raw.write('{"jsonrpc": "2.0", "id": 9, "method": "ping"}')  # its line has no end
    raw.close()
    assert raw.process.wait(ENDS_S) == 0
    assert raw.process.stderr is not None
    assert "Sesame" not in raw.process.stderr.read()


def without_the_package(folder: Path) -> list[str]:
    """vox, where everything is installed but the package mcp."""
    for path in map(Path, sys.path):
        if path.name == "site-packages":
            for entry in path.iterdir():
                if not entry.name.startswith(("mcp", "__editable__")) and entry.suffix != ".pth":
                    (folder / entry.name).symlink_to(entry)
    program = f"import sys; sys.path[:0] = {[str(CHECKOUT), str(folder)]}; from vox.cli import main"
    return [sys.executable, "-I", "-S", "-c", f"{program}; main()", "mcp"]


def test_without_the_package_it_says_how_to_install_it(daemon: Vox, tmp_path: Path) -> None:
    command = without_the_package(tmp_path)

    def told() -> str:
        done = subprocess.run(
            command,
            env=environ(daemon),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (4, "")
        return done.stderr

    install = f"install it: {sys.executable} -m pip install 'voxqueue[mcp]'\n"
    assert told() == f"vox: the Python package mcp is not installed; {install}"
    (tmp_path / "mcp-1.30.0.dist-info").mkdir()
    old = importlib.metadata.PathDistribution(tmp_path / "mcp-1.30.0.dist-info")
    (tmp_path / "mcp-1.30.0.dist-info" / "METADATA").write_text("Name: mcp\nVersion: 1.30.0\n")
    assert old.version == "1.30.0"
    assert told() == f"vox: the Python package mcp is version 1.30.0, not 2; {install}"


def test_without_standard_input_it_says_who_starts_it(daemon: Vox) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m vox mcp <&-"],
        env=environ(daemon),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    line = "vox: no standard input or output; an assistant starts this, e.g.: claude mcp add vox --"
    assert done.stderr.startswith(line)
