"""Tools, resources and prompts, asked by the official client in this process, in both eras."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anyio
import pytest
from mcp import Client, MCPError

from tests.running import CHECKOUT, Vox
from vox.jobs import OPTIONS, Wanted
from vox.mcp import prompts, resources, tools
from vox.mcp.server import make_server

MODES = ("legacy", "auto")


class Answered(NamedTuple):
    text: str
    data: dict[str, Any]
    is_error: bool


class Assistant:
    """What a model sees of a client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> Answered:
        found = await self.client.call_tool(tool, arguments)
        return Answered(found.content[0].text, found.structured_content, bool(found.is_error))

    async def ok(self, tool: str, **arguments: Any) -> Answered:
        answered = await self.call(tool, **arguments)
        assert not answered.is_error, answered
        return answered


Ask = Callable[[Callable[[Assistant], Awaitable[None]]], None]


@pytest.fixture(params=MODES)
def ask(request: pytest.FixtureRequest, daemon: Vox) -> Ask:
    """Runs a conversation in each era of the protocol."""

    def run(conversation: Callable[[Assistant], Awaitable[None]]) -> None:
        async def main() -> None:
            server = make_server(daemon.paths, "a project")
            async with Client(server, mode=request.param) as client:
                await conversation(Assistant(client))

        asyncio.run(main())

    return run


def test_what_it_speaks_is_a_job_of_the_project_and_is_not_waited_for(
    daemon: Vox, ask: Ask
) -> None:
    async def conversation(assistant: Assistant) -> None:
        sent = await assistant.ok("speak", text="[say 20s]", priority="high", replace="k")
        assert sent.text.startswith(f"queued as {sent.data['id']}")
        job = daemon.client.get(sent.data["id"])
        assert (job["source"], job["via"], job["priority"]) == ("a project", "mcp", "high")
        assert "text" not in sent.data
        assert "say" not in sent.text
        later = await assistant.ok("speak", text="1", replace="k", source="another")
        assert daemon.until(sent.data["id"], "cancelled")
        assert daemon.until(later.data["id"], "done")["source"] == "another"

    ask(conversation)


def test_one_that_is_waited_for_was_heard(daemon: Vox, ask: Ask) -> None:
    async def conversation(assistant: Assistant) -> None:
        heard = await assistant.ok("speak", text="1 2 3", wait=True)
        assert "was heard" in heard.text
        assert heard.data["state"] == "done"
        assert heard.data["audio_s"] > 0
        again = await assistant.ok("replay", wait=True, speed=2)
        assert "was heard" in again.text
        failed = await assistant.call("speak", text="[fail no luck]", wait=True)
        assert failed.is_error
        assert "no luck" in failed.text

    ask(conversation)


@pytest.mark.slow
def test_a_wait_ends_after_its_time_and_the_job_goes_on(daemon: Vox, ask: Ask) -> None:
    async def conversation(assistant: Assistant) -> None:
        told: list[tuple[float, str | None]] = []

        async def on_progress(progress: float, _total: float | None, message: str | None) -> None:
            told.append((progress, message))

        found = await assistant.client.call_tool(
            "speak",
            {"text": "[say 30s]", "wait": True, "wait_s": 2.5},
            progress_callback=on_progress,
        )
        assert not found.is_error
        assert "goes on" in found.content[0].text
        job_id = found.structured_content["id"]
        assert daemon.client.get(job_id)["exit_code"] is None
        assert daemon.client.get(job_id)["state"] == "speaking"
        assert [progress for progress, _ in told] == sorted({progress for progress, _ in told})
        assert any(message and message.startswith("speaking, ") for _, message in told)
        assert (await assistant.ok("status", id=job_id)).text.startswith(f"{job_id}: speaking, ")

    ask(conversation)


def test_who_gives_a_wait_up_cancels_the_job_and_no_other_one(daemon: Vox, ask: Ask) -> None:
    def jobs_of(source: str) -> list[dict[str, Any]]:
        return [*daemon.client.history(1, Wanted(source=source))]

    async def given_up_once_it_waits(scope: anyio.CancelScope) -> None:
        while not any(job["phase"] for job in await asyncio.to_thread(jobs_of, "given up")):
            await asyncio.sleep(0.02)
        scope.cancel()

    async def conversation(assistant: Assistant) -> None:
        kept = await assistant.ok("speak", text="[say 30s]", source="kept")
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(given_up_once_it_waits, scope)
                await assistant.call("speak", text="[say 29s]", source="given up", wait=True)
        assert scope.cancelled_caught
        # In a thread: the server lives in this loop.
        (job,) = await asyncio.to_thread(jobs_of, "given up")
        await asyncio.to_thread(daemon.until, job["id"], "cancelled")
        assert daemon.client.get(kept.data["id"])["exit_code"] is None
        assert (await assistant.ok("queue", source="kept")).data["total"] == 1

    ask(conversation)


def test_it_stops_pauses_and_goes_on(daemon: Vox, ask: Ask) -> None:
    async def conversation(assistant: Assistant) -> None:
        ids = [
            (await assistant.ok("speak", text="[say 30s]", source=name)).data["id"]
            for name in ("a", "a", "b", "c")
        ]
        assert (await assistant.ok("stop", id=ids[0])).data["cancelled"] == ids[:1]
        assert (await assistant.ok("stop", source="b")).data["cancelled"] == ids[2:3]
        assert set((await assistant.ok("stop")).data["cancelled"]) == {ids[1], ids[3]}
        assert "nothing" in (await assistant.ok("stop")).text
        await assistant.ok("pause")
        sent = await assistant.ok("speak", text="1")
        assert "speech is paused" in sent.text
        assert "paused" in (await assistant.ok("queue")).text
        await assistant.ok("resume")
        daemon.until(sent.data["id"], "done")

    ask(conversation)


def test_it_lists_what_waits_what_was_said_and_what_there_is(daemon: Vox, ask: Ask) -> None:
    async def conversation(assistant: Assistant) -> None:
        long = await assistant.ok("speak", text="[say 30s] " + "word " * 100)
        for number in range(3):
            await assistant.ok("speak", text=f"mango {number}")
        await asyncio.to_thread(daemon.until, long.data["id"], "speaking")
        queue = await assistant.ok("queue", limit=2)
        assert queue.data["jobs"][0]["id"] == long.data["id"]
        assert "2 more" in queue.text
        assert len(queue.data["jobs"][0]["text"]) == 80
        status = await assistant.ok("status")
        assert "3 wait" in status.text
        await assistant.ok("stop")
        found = await assistant.ok("history", search="MANGO", state="cancelled", limit=2)
        assert [job["text"] for job in found.data["jobs"]] == ["mango 2", "mango 1"]
        voices = await assistant.ok("voices", backend="scripted", lang="de")
        assert voices.text == "drei (scripted, de-DE, female)"
        assert "ask with" in (await assistant.ok("voices", limit=1)).text
        backends = await assistant.ok("backends")
        assert "scripted: ready" in backends.text
        assert (await assistant.ok("clones")).data == {"clones": []}

    ask(conversation)


def test_what_was_not_heard_is_listed_and_said_once(daemon: Vox, ask: Ask) -> None:
    async def conversation(assistant: Assistant) -> None:
        source = f"missed {id(assistant)}"
        daemon.client.mute(source, True)
        muted = await assistant.ok("speak", text="1", source=source)
        assert "was not heard" in muted.text
        private = await assistant.ok("speak", text="2", source=source, private=True)
        await assistant.ok("pause")
        expired = await assistant.ok("speak", text="3", source=f"{source} too", expires="100ms")
        daemon.until(expired.data["id"], "expired")
        cancelled = await assistant.ok("speak", text="4", source=f"{source} too")
        await assistant.ok("stop", id=cancelled.data["id"])
        await assistant.ok("resume")
        missed = await assistant.ok("catch_up", since="1h")
        assert "catch_up with speak" in missed.text
        ids = [job["id"] for job in missed.data["jobs"]]
        assert ids[:2] == [expired.data["id"], muted.data["id"]]
        assert not {private.data["id"], cancelled.data["id"]} & set(ids)
        said = await assistant.ok("catch_up", source=source, speak=True)
        (job,) = said.data["jobs"]
        assert daemon.until(job["id"], "done")["first_audio_at"]
        assert (await assistant.ok("catch_up", source=source)).text == "nothing was missed"

    ask(conversation)


@pytest.mark.parametrize(
    ("tool", "given", "line"),
    [
        ("speak", {}, "speak needs the argument text"),
        ("speak", {"text": 5}, "text must be text"),
        ("speak", {"text": ["a"]}, "text must be text"),
        (
            "speak",
            {"text": "Sesame.", "wiat": True},
            "speak has no argument 'wiat'; it has: text, ",
        ),
        ("speak", {"text": "Sesame.", "speed": 9}, "speed 9 must be a number from 0.25 to"),
        ("speak", {"text": "Sesame.", "speed": "fast"}, "speed must be a number"),
        ("speak", {"text": "Sesame.", "wait": "yes"}, "wait must be true or false"),
        ("speak", {"text": "Sesame.", "wait_s": True}, "wait_s must be a number"),
        ("speak", {"text": "Sesame.", "priority": "top"}, "priority 'top' must be high, "),
        ("speak", {"text": "Sesame.", "expires": {}}, "expires must be a number"),
        ("speak", {"text": "Sesame.", "voice": "nobody"}, "nobody"),
        ("speak", {"text": "Sesame.", "output": "/tmp/x.wav"}, "no argument 'output'"),
        ("speak", {"text": " "}, "no text to speak"),
        ("speak", {"text": "", "voice": ""}, "no text to speak"),
        ("speak", {"text": "Sesame " * 300_000}, "limit"),
        ("history", {"since": "sometime"}, "'sometime' is not a time such as"),
        ("history", {"limit": 0}, "limit 0 must be a number from 1 to 100"),
        ("status", {"id": "zzzzzz"}, "there is no job 'zzzzzz'"),
        ("stop", {"id": "../x"}, "there is no job"),
        ("clones", {"x": 1}, "clones has no argument 'x'; it has: none"),
    ],
)
def test_bad_arguments_are_one_line_that_does_not_repeat_the_text(
    daemon: Vox, caplog: pytest.LogCaptureFixture, tool: str, given: dict[str, Any], line: str
) -> None:
    async def main() -> Answered:
        async with Client(make_server(daemon.paths)) as client:
            return await Assistant(client).call(tool, **given)

    with caplog.at_level(logging.DEBUG, "vox"):
        answered = asyncio.run(main())
    assert answered.is_error
    assert line in answered.text
    assert "\n" not in answered.text
    assert "sesame" not in (answered.text + str(answered.data) + caplog.text).lower()


def test_resources_are_the_queue_the_history_and_one_job(daemon: Vox, ask: Ask) -> None:
    async def conversation(assistant: Assistant) -> None:
        client = assistant.client

        async def read(uri: str) -> Any:
            (content,) = (await client.read_resource(uri)).contents
            assert content.mime_type == "application/json"
            return json.loads(content.text)

        listed = [str(each.uri) for each in (await client.list_resources()).resources]
        assert listed == ["vox://queue", "vox://history"]
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "vox://jobs/{id}"
        open_id = (await assistant.ok("speak", text="[say 30s] " + "far " * 90)).data["id"]
        private_id = (await assistant.ok("speak", text="sesame", private=True)).data["id"]
        queue = await read("vox://queue")
        assert [job["id"] for job in queue] == [open_id, private_id]
        assert queue[1]["text"] == "(private)"
        assert {open_id, private_id} <= {job["id"] for job in await read("vox://history")}
        assert (await read(f"vox://jobs/{open_id}"))["text"].endswith("far")
        assert (await read(f"vox://jobs/{private_id}"))["text"] == "(private)"
        for uri in ("vox://jobs/zzzzzz", "vox://jobs/", "vox://elsewhere"):
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert caught.value.data == {"uri": uri}

    ask(conversation)


def test_prompts_and_unknown_names(ask: Ask) -> None:
    async def conversation(assistant: Assistant) -> None:
        client = assistant.client
        names = [each.name for each in (await client.list_prompts()).prompts]
        assert names == ["speak-well", "talk"]
        for name in names:
            (message,) = (await client.get_prompt(name)).messages
            assert "no Markdown" in message.content.text
        with pytest.raises(MCPError, match="there is no prompt"):
            await client.get_prompt("nothing")
        with pytest.raises(MCPError, match="there is no tool"):
            await client.call_tool("nothing")

    ask(conversation)


@pytest.mark.slow
def test_it_works_where_no_daemon_runs_and_leaves_the_speaking_to_one(
    vox: Vox, sound: object
) -> None:
    async def main() -> None:
        async with Client(make_server(vox.paths)) as client:
            assistant = Assistant(client)
            assert "no daemon runs" in (await assistant.ok("status", id="")).text
            assert (await assistant.ok("queue")).data["total"] == 0
            await assistant.ok("pause")
            assert vox.pid is None
            sent = await assistant.ok("speak", text="Hello.", backend="say", voice="")
            assert "speech is paused" in sent.text
            await assistant.ok("resume")
            heard = await assistant.ok("speak", text="Hello.", backend="say", wait=True)
            assert heard.data["state"] == "done"
            assert vox.job(sent.data["id"])["state"] == "done"

    asyncio.run(main())


def test_workers_are_told_of_if_they_are_set(vox: Vox) -> None:
    async def main() -> None:
        async with Client(make_server(vox.paths)) as client:
            assistant = Assistant(client)
            before = await assistant.ok("status")
            assert "workers" not in before.text and before.data["workers"] is None
            (vox.home / "config.toml").write_text('workers = "redis://127.0.0.1:1"\n')
            vox.ok("daemon", "start")
            status = await assistant.ok("status")
            assert "workers: jobs for them wait: the Redis server 127.0.0.1:1 " in status.text
            assert status.data["workers"]["reachable"] is False
            assert "qwen: not installed" in (await assistant.ok("backends")).text

    asyncio.run(main())


def test_a_queue_that_cannot_be_opened_is_a_line(daemon: Vox) -> None:
    broken = Vox(daemon.home / "config.toml")

    async def main() -> Answered:
        async with Client(make_server(broken.paths)) as client:
            return await Assistant(client).call("speak", text="Sesame.")

    answered = asyncio.run(main())
    assert answered.is_error
    assert "config.toml" in answered.text


def test_what_models_read_is_short_and_every_option_is_offered_or_left_out() -> None:
    """Hosts cut what is longer than 2,048 characters, and every token of it costs."""
    from vox.mcp.server import _described

    assert len(prompts.INSTRUCTIONS) < 1_100
    described = [
        _described(tool).model_dump_json(by_alias=True, exclude_none=True) for tool in tools.TOOLS
    ]
    assert sum(map(len, described)) < 7_000
    assert all(len(tool.description) < 300 for tool in tools.TOOLS)
    offered = {*tools.BY_NAME["speak"].options}
    assert {OPTIONS[name].key for name in OPTIONS} == (
        (offered - {"text", "wait", "wait_s"}) | {*tools.NOT_OFFERED}
    )


def test_the_document_lists_the_tools() -> None:
    rows = []
    for tool in tools.TOOLS:
        names = [f"{name}\\*" if name in tool.required else name for name in tool.options]
        about = f"{tool.description.split('. ')[0].rstrip('.')}."
        cells = [f" `{tool.name}` ", f" {', '.join(names)} " if names else " ", f" {about} "]
        rows.append(f"|{'|'.join(cells)}|")
    document = (CHECKOUT / "docs" / "mcp.md").read_text(encoding="utf-8")
    listed = document.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    assert listed.splitlines() == rows
    assert all(uri in document for uri in (*resources.LISTED, "vox://jobs/ID"))
    assert all(f"`{each.name}`" in document for each in prompts.PROMPTS)
