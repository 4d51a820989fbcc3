"""`/mcp` of a real daemon: over TCP with the token and over the control socket, in both eras."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.running import Vox
from tests.sound import Recorder, recognise, words_of
from tests.tones import read_timed_tones
from vox.client.local import open_store
from vox.mcp.endpoint import Endpoint
from vox.tokens import read_token

from .test_tools import MODES, Assistant

AGENTS = 20
ACCEPT = {"Accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}


def http_client(vox: Vox, over: str = "tcp", **headers: str) -> httpx2.AsyncClient:
    """A client of the daemon's API; over TCP with the token."""
    timeout = httpx2.Timeout(60)
    if over == "socket":
        transport = httpx2.AsyncHTTPTransport(uds=vox.paths.socket_path)
        return httpx2.AsyncClient(transport=transport, base_url="http://vox", timeout=timeout)
    address = vox.client.call("GET", "/status")["http"]["address"]
    given = {"Authorization": f"Bearer {read_token(vox.paths)}", **headers}
    return httpx2.AsyncClient(base_url=f"http://{address}", headers=given, timeout=timeout)


@contextlib.asynccontextmanager
async def connected(vox: Vox, mode: str, over: str = "tcp") -> AsyncIterator[Assistant]:
    async with http_client(vox, over) as http:
        transport = streamable_http_client(f"{http.base_url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield Assistant(client)


def has_the_package(vox: Vox) -> bool:
    return "cryptography" in Path(f"/proc/{vox.pid}/maps").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_daemon_imports_the_package_at_the_first_request(daemon: Vox) -> None:
    daemon.client.call("GET", "/voices")
    assert not has_the_package(daemon)

    async def main() -> None:
        async with connected(daemon, "auto") as assistant:
            await assistant.ok("queue")

    asyncio.run(main())
    assert has_the_package(daemon)


@pytest.mark.parametrize(("mode", "over"), [("legacy", "tcp"), ("auto", "socket")])
def test_the_official_client_speaks_under_its_own_name(daemon: Vox, mode: str, over: str) -> None:
    async def main() -> None:
        async with connected(daemon, mode, over) as assistant:
            told: list[str | None] = []

            async def on_progress(_so_far: float, _total: float | None, text: str | None) -> None:
                told.append(text)

            heard = await assistant.client.call_tool(
                "speak", {"text": "[say 1.8s]", "wait": True}, progress_callback=on_progress
            )
            assert "was heard" in heard.content[0].text
            assert heard.structured_content["source"] == "mcp"  # as the client calls itself
            assert daemon.client.get(heard.structured_content["id"])["via"] == "mcp"
            assert any(message and message.startswith("speaking, ") for message in told)
            assert len((await assistant.client.list_tools()).tools) == 12
            (content,) = (await assistant.client.read_resource("vox://history")).contents
            assert json.loads(content.text)[0]["id"] == heard.structured_content["id"]

    asyncio.run(main())


@pytest.mark.parametrize("mode", MODES)
def test_who_gives_a_call_up_cancels_its_job(daemon: Vox, mode: str) -> None:
    def job_of(source: str) -> dict[str, Any] | None:
        return next((job for job in daemon.client.queue() if job["source"] == source), None)

    async def main() -> None:
        async with connected(daemon, mode) as assistant:
            speaking = asyncio.create_task(
                assistant.call("speak", text="[say 60s]", source="given up", wait=True)
            )
            while (job := await asyncio.to_thread(job_of, "given up")) is None:
                await asyncio.sleep(0.02)
            speaking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await speaking
            await asyncio.to_thread(daemon.until, job["id"], "cancelled")

    asyncio.run(main())


def test_who_may_not_ask_is_refused_as_everywhere(daemon: Vox) -> None:
    async def main() -> None:
        async with http_client(daemon) as http:
            body = {"json": INITIALIZE}

            async def status(method: str = "POST", path: str = "/mcp", **headers: str) -> int:
                more = body if method == "POST" else {}
                return (
                    await http.request(method, path, headers={**ACCEPT, **headers}, **more)
                ).status_code

            assert await status(Authorization="Bearer wrong") == 401
            assert await status(Host="evil.example") == 421
            assert await status(Origin="http://evil.example") == 403
            assert await status() == 200
            assert await status(Accept="text/html") == 406
            assert await status(**{"Mcp-Session-Id": "gone"}) == 404
            assert await status("HEAD") in (400, 406)
            assert await status("GET", Accept="text/html") in (400, 406)
            refused = await http.post("/mcp", json=INITIALIZE, headers={"Authorization": ""})
            assert refused.headers["WWW-Authenticate"] == "Bearer"

    asyncio.run(main())


@pytest.mark.slow
def test_twenty_agents_neither_overlap_nor_lose_a_word(daemon: Vox, recorder: Recorder) -> None:
    """Each says two things; half of the agents are of either era, and some wait."""

    async def agent(number: int) -> list[str]:
        async with connected(
            daemon, MODES[number % 2], ("tcp", "socket")[number % 3 == 0]
        ) as assistant:
            first = await assistant.ok("speak", text=f"[say 0.15s] {number}")
            second = await assistant.ok(
                "speak", text=f"[say 0.15s] {number + AGENTS}", wait=number % 2 == 0
            )
            return [first.data["id"], second.data["id"]]

    async def main() -> list[list[str]]:
        return await asyncio.gather(*map(agent, range(AGENTS)))

    sent = asyncio.run(main())
    jobs = [daemon.until(job_id, "done") for ids in sent for job_id in ids]
    recording = recorder.stop()
    tones = read_timed_tones(recording.samples, recording.sample_rate)
    assert len({job["id"] for job in jobs}) == 2 * AGENTS
    # A busy machine may break one off for a moment, which is told as the same number again.
    order = [number for number, _ in itertools.groupby(tone.number for tone in tones)]
    assert sorted(order) == [*range(2 * AGENTS)]
    heard_s = dict.fromkeys(order, 0.0)
    for tone in tones:
        heard_s[tone.number] += tone.end_s - tone.start_s
    assert min(heard_s.values()) > 0.08
    for number in range(AGENTS):
        assert order.index(number) < order.index(number + AGENTS)


WORDS = ["one two three", "four five six", "seven eight nine"]


@pytest.mark.slow
def test_words_of_agents_at_once_are_all_recognised(daemon: Vox, recorder: Recorder) -> None:
    async def agent(number: int) -> None:
        async with connected(daemon, MODES[number % 2]) as assistant:
            await assistant.ok("speak", text=f"{WORDS[number]}.", backend="hibari", wait=True)

    async def main() -> None:
        await asyncio.gather(*map(agent, range(len(WORDS))))

    asyncio.run(main())
    heard = " ".join(recognise(recorder.stop()))
    # Each text comes whole, in whatever order.
    assert sum(word in heard for word in words_of(" ".join(WORDS))) >= 7, heard


@pytest.mark.slow
def test_a_daemon_that_leaves_ends_calls_soon_and_their_jobs_go_on(vox: Vox, sound: object) -> None:
    (vox.home / "config.toml").write_text('backend = "scripted"\n')
    vox.ok("daemon", "start")

    async def speaker(mode: str, has_begun: asyncio.Event) -> Any:
        async with connected(vox, mode, "socket") as assistant:
            calling = assistant.call("speak", text="[say 60s]", source=mode, wait=True, wait_s=200)
            call = asyncio.create_task(calling)
            while mode not in {job["source"] for job in await asyncio.to_thread(vox.client.queue)}:
                await asyncio.sleep(0.02)
            has_begun.set()
            return await call

    async def main() -> None:
        begun = [asyncio.Event() for _ in MODES]
        calls = [
            asyncio.create_task(speaker(mode, each))
            for mode, each in zip(MODES, begun, strict=True)
        ]
        for each in begun:
            await each.wait()
        await asyncio.to_thread(vox.client.call, "POST", "/stop", {"now": True})
        for call in calls:
            with contextlib.suppress(Exception):  # the connection may be cut before the answer
                answered = await asyncio.wait_for(call, 20)
                assert answered.is_error
                assert "the daemon was stopped" in answered.text

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 60
    while vox.client.is_up():
        time.sleep(0.02)
    assert {job["source"] for job in json.loads(vox.ok("queue", "--json"))} == {*MODES}
    with open_store(vox.paths) as store:  # nobody waits for them any more
        assert {job.caller for job in store.live()} == {None}
    assert "Traceback" not in vox.log()


def test_without_the_package_a_problem_says_how_to_install_it(
    daemon: Vox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mcp-1.30.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: mcp\nVersion: 1.30.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    async def main() -> httpx2.Response:
        transport = httpx2.ASGITransport(Endpoint(daemon.paths, lambda: False))
        async with httpx2.AsyncClient(transport=transport, base_url="http://vox") as client:
            return await client.post("/mcp", json=INITIALIZE)

    answer = asyncio.run(main())
    assert answer.status_code == 501
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "the Python package mcp is version 1.30.0, not 2"
    assert "pip install 'voxqueue[mcp]'" in answer.json()["hint"]
