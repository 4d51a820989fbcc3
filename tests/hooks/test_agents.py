"""What each event of each assistant says: golden/AGENT.jsonl has what they send, and the job."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.running import CHECKOUT
from vox.hooks.agents import AGENTS, DRAFT
from vox.hooks.hook import job_of
from vox.hooks.said import Said, said

GOLDEN = Path(__file__).parent / "golden"
CASES = [
    (path.stem, number, json.loads(line))
    for path in sorted(GOLDEN.glob("*.jsonl"))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
]


def read(agent: str, event: str, payload: dict[str, Any]) -> Said | None:
    return said(agent, event, payload, json.loads, "/w")


def job(agent: str, event: str, payload: dict[str, Any]) -> dict[str, Any] | None:
    """What becomes of it: a job without its id, a draft, or nothing."""
    found = read(agent, event, payload)
    if found is None:
        return None
    if found.kind == DRAFT:
        return {"draft": found.text}
    made = job_of(found, now=0.0)
    del made["id"]
    return made


@pytest.mark.parametrize(
    ("agent", "case"),
    [(agent, case) for agent, _, case in CASES],
    ids=[f"{agent}-{number}-{case['event']}" for agent, number, case in CASES],
)
def test_an_event_says_what_it_is_to_say(agent: str, case: dict[str, Any]) -> None:
    assert job(agent, case["event"], case["stdin"]) == case["job"]


def test_there_is_a_case_for_every_event_of_every_assistant() -> None:
    events = {(name, event) for name, agent in AGENTS.items() for event in agent.events}
    assert not events - {(agent, case["event"]) for agent, _, case in CASES}


def test_the_examples_of_the_page_and_of_the_help_say_something() -> None:
    pages = [CHECKOUT / "docs" / "hooks.md", CHECKOUT / "vox" / "cli" / "hook.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in pages)
    found = re.findall(r"echo '(\{.*\})' \| vox hook (\w+):(\w+)", text)
    lines = [read(agent, event, json.loads(data)) for data, agent, event in found]
    assert [line and line.line for line in lines] == [
        "The tests pass.", "Which port?", "The tests pass.",
    ]  # fmt: skip


def test_every_hook_that_vox_init_writes_is_of_an_event_that_is_known() -> None:
    written = CHECKOUT / "tests" / "agents" / "golden"
    texts = [path.read_text(encoding="utf-8") for path in written.glob("*.txt")]
    found = {pair for text in texts for pair in re.findall(r"\bhook (\w+):(\w+)", text)}
    assert len(found) > 20
    assert not [pair for pair in found if pair[1] not in AGENTS[pair[0]].events]


@pytest.mark.parametrize(
    "line",
    [
        '{"type":"assistant.message","data":{"content":"The port is free."}}',
        '{"type":"assistant","message":{"content":[{"type":"text","text":"The port is free."}]}}',
    ],
)
def test_copilot_s_message_comes_from_the_end_of_its_transcript(tmp_path: Path, line: str) -> None:
    transcript = tmp_path / "events.jsonl"
    after = '{"type":"assistant.message","data":{"content":""}}\n{"type":"session.idle"}\n{"ty'
    transcript.write_text("x" * 2_000_000 + f'\n{{"type":"user.message"}}\n{line}\n{after}')
    made = job("copilot", "Stop", {"transcript_path": str(transcript), "cwd": "/p"})
    assert made is not None and made["text"] == "The port is free."


@pytest.mark.parametrize("kind", ["older", "missing", "folder", "pipe", "rubbish"])
def test_a_transcript_that_does_not_tell_the_message_costs_only_its_words(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "events.jsonl"
    if kind == "older":
        old = '{"type":"assistant.message","data":{"content":"Old."}}'
        path.write_text(f'{old}\n{{"type":"user.message","data":{{}}}}\n')
    elif kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "rubbish":
        path.write_bytes(b'\xff{"assistant"' + b"[" * 100_000 + b"\n\0\n[assistant]")
    made = job("copilot", "Stop", {"transcript_path": str(path), "cwd": "/p"})
    assert made is not None and made["text"] == "Copilot is done in p."


def test_the_source_is_the_repository_of_the_session_s_folder(tmp_path: Path) -> None:
    inside = tmp_path / "my repo" / "src"
    inside.mkdir(parents=True)
    (tmp_path / "my repo" / ".git").mkdir()
    found = read("claude", "Stop", {"cwd": str(inside)})
    assert found is not None and found.source == "my repo"
    assert found.key == "hook:claude:my repo"
    root = read("claude", "Stop", {"cwd": "/"})
    assert root is not None and root.source == "claude"


def test_the_same_words_have_one_id_for_a_moment() -> None:
    def id_at(now: float, text: str = "Done.", session: str = "s") -> Any:
        found = read("claude", "Stop", {"last_assistant_message": text, "session_id": session})
        assert found is not None
        return job_of(found, now)["id"]

    assert id_at(1000.0) == id_at(1009.9)
    assert (
        len({id_at(1000.0), id_at(1010.0), id_at(1000.0, "Do."), id_at(1000.0, session="t")}) == 4
    )


STRANGE: list[Any] = [None, 7, True, "", "\ud800", [], {}, [[]], {"x": 1}, "a\nb\x1b[2J", [None]]


@pytest.mark.parametrize(("agent", "event"), sorted({(a, c["event"]) for a, _, c in CASES}))
def test_no_payload_is_taken_for_granted(agent: str, event: str) -> None:
    """Each field of each case is of every other kind, or is away."""
    for name, _, case in CASES:
        if (name, case["event"]) != (agent, event):
            continue
        for key in case["stdin"]:
            for value in STRANGE:
                made = job(agent, event, {**case["stdin"], key: value})
                assert made is None or "draft" in made or isinstance(made["text"], str)
    job(agent, event, {})
