"""What is written for each assistant, file by file: `golden/NAME.txt` holds it.

After a change that is meant: VOX_TEST_GOLDEN=write pytest tests/agents/test_golden.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.inbox.rig import wait_until
from vox.agents.changes import OwnFile
from vox.agents.texts import plugin
from vox.hooks.agents import AGENTS

from .user import NAMES, PROGRAM, User

GOLDEN = Path(__file__).parent / "golden"

FOREIGN = {
    "codex": {
        ".codex/config.toml": (
            '# mine\r\nmodel = "x"  # the best\r\n\r\n[mcp_servers.files]\r\ncommand = "npx"\r\n'
        ),
        ".codex/hooks.json": '{"hooks": {"Stop": [{"hooks": [{"command": "x"}]}]}}',
    },
    "qwen-code": {
        ".qwen/settings.json": (
            '// mine\n{\n\t"theme": "dark", // as at night\n\t"hooks": {\n\t\t"Stop": [\n'
            '\t\t\t{"hooks": []},\n\t\t],\n\t},\n}\n'
        )
    },
    "opencode": {".config/opencode/opencode.jsonc": '{ "mcp": { "servers": {} } } // mine'},
    "vscode": {
        ".config/Code/User/mcp.json": '{\r\n    "servers": {\r\n        "a": {}\r\n    } // b\r\n}',
        ".config/VSCodium/User/mcp.json": "",
    },
    "aider": {".aider.conf.yml": "# mine\nnotifications: true\nmodel: x"},
}
"""By assistant: what its user has written before."""


def shown(user: User) -> str:
    """All files, with the ends of lines to be seen where they are not the usual ones."""
    parts = []
    for path, data in user.tree().items():
        if data is not None:
            mode = ", a program" if os.access(user.home / path, os.X_OK) else ""
            parts.append(f"=== {path}{mode}\n{data.decode().replace(chr(13), '<CR>')}\n")
    return "".join(parts)


def compare(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("VOX_TEST_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", NAMES)
def test_in_a_new_home_these_files_are_written(tmp_path: Path, name: str) -> None:
    user = User(tmp_path)
    user.init(name)
    compare(name, shown(user))


@pytest.mark.parametrize("name", FOREIGN)
def test_beside_what_its_user_wrote_these_lines_are_added(tmp_path: Path, name: str) -> None:
    user = User(tmp_path)
    for path, text in FOREIGN[name].items():
        (user.home / path).parent.mkdir(parents=True, exist_ok=True)
        (user.home / path).write_bytes(text.encode())
    before = user.tree()
    assert not user.init(name).troubles
    own = {each.path for each in user.agents[name].changes if isinstance(each, OwnFile)}
    for path in own:  # the other test shows them
        os.unlink(path)
    compare(f"{name} with others", shown(user))
    user.remove(name)
    assert {path: data for path, data in user.tree().items() if data is not None} == {
        path: data for path, data in before.items() if data is not None
    }


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_can_be_read(tmp_path: Path, name: str) -> None:
    user = User(tmp_path)
    user.init(name)
    for path, data in user.tree().items():
        if data is not None and path.endswith(".json"):
            json.loads(data)
        if data is not None and path.endswith(".toml"):
            tomllib.loads(data.decode())


@pytest.mark.parametrize("name", NAMES)
def test_every_hook_that_is_written_is_one_that_vox_understands(tmp_path: Path, name: str) -> None:
    user = User(tmp_path)
    user.init(name)
    text = shown(user)
    found = re.findall(r" hook (\w+):(\w+)", text)
    for agent, event in found:
        assert event in AGENTS[agent].events
    says_something = bool(user.agents[name].speaks)
    assert bool(found) == says_something or name in ("opencode", "kilo", "amp")
    assert (PROGRAM in text) or not found


def test_plugins_tell_the_events_that_vox_understands() -> None:
    for file, hook in (("opencode.js", "opencode"), ("opencode.js", "kilo"), ("amp.ts", "amp")):
        text = plugin(file, hook, PROGRAM)
        told = set(re.findall(r'tell\("(\w+)"', text)) or set(re.findall(rf'"{hook}:(\w+)"', text))
        assert told == set(AGENTS[hook].events)
        assert "@" not in text.replace("@VOX@", "")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not here")
def test_the_plugin_runs_vox_with_what_happened(tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    vox = tmp_path / "it's" / "vox"
    vox.parent.mkdir()
    vox.write_text(f'#!/bin/sh\nprintf "%s %s %s\\n" "$@" "$(cat)" >> "{heard}"\n')
    vox.chmod(0o755)
    script = tmp_path / "vox.mjs"
    script.write_text(plugin("opencode.js", "opencode", str(vox)))
    (tmp_path / "run.mjs").write_text(RUN)
    subprocess.run(["node", str(tmp_path / "run.mjs")], check=True, timeout=60)
    wait_until(lambda: heard.exists() and heard.read_text().count("\n") == 4)
    lines = heard.read_text().splitlines()
    told = {line.split(" ", 2)[1]: json.loads(line.split(" ", 2)[2]) for line in lines}
    assert told == {
        "opencode:end": {"session_id": "s", "cwd": "/p", "text": "All\ndone."},
        "opencode:permission": {
            "session_id": "s", "cwd": "/p", "text": "bash", "patterns": ["git push"],
        },
        "opencode:question": {"session_id": "s", "cwd": "/p", "questions": [{"question": "Q?"}]},
        "opencode:error": {"session_id": "s", "cwd": "/p", "error": "429"},
    }  # fmt: skip


RUN = """
import { Vox } from "./vox.mjs"
const parts = [{ type: "text", text: "All" }, { type: "tool" }, { type: "text", text: "done." }]
const messages = [{ info: { role: "assistant" }, parts }, { info: { role: "user" }, parts: [] }]
const client = { session: {
  get: async ({ path }) => ({ data: path.id === "child" ? { parentID: "s" } : {} }),
  messages: async () => ({ data: messages }),
} }
const { event } = await Vox({ client, directory: "/p" })
const tell = (type, properties) => event({ event: { type, properties } })
await tell("session.idle", { sessionID: "s" })
await tell("session.idle", { sessionID: "child" })
await tell("permission.asked", { sessionID: "s", permission: "bash", patterns: ["git push"] })
await tell("question.asked", { sessionID: "s", questions: [{ question: "Q?" }] })
const error = { name: "APIError", data: { message: "429" } }
await tell("session.error", { sessionID: "s", error })
await tell("session.error", { sessionID: "s", error: { name: "MessageAbortedError" } })
await tell("message.updated", undefined)
"""
