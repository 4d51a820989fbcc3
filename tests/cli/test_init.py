"""`vox init`, as a user calls it in a home of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_usage import assert_one_line
from tests.inbox.rig import wait_until
from tests.running import Result, Vox
from tests.sound import SoundServer

ALL = "claude-code codex gemini qwen-code cursor copilot vscode opencode goose kiro windsurf cline"
MORE = "junie amp kilo aider claude-desktop zed crush roo warp"


class User:
    """A user of assistants: a home, and a PATH on which only vox is."""

    def __init__(self, vox: Vox, folder: Path) -> None:
        self.vox, self.home = vox, folder / "home"
        self.bin = self.home / ".local" / "bin"
        self.bin.mkdir(parents=True)
        self.program = self.bin / "vox"
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vox "$@"\n')
        self.program.chmod(0o755)
        self.environ = {
            "HOME": str(self.home),
            "PATH": str(self.bin),
            "XDG_CONFIG_HOME": "",
            "CLAUDE_CONFIG_DIR": "",
            "CODEX_HOME": "",
        }

    def __call__(self, *args: str, **environ: str) -> Result:
        return self.vox("init", *args, env={**self.environ, **environ})

    def ok(self, *args: str, **environ: str) -> str:
        result = self(*args, **environ)
        assert (result.code, result.err) == (0, "")
        return result.out

    def put(self, path: str, text: str = "") -> Path:
        full = self.home / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)
        return full

    def tree(self) -> dict[str, bytes | None]:
        return {
            str(path.relative_to(self.home)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.home.rglob("*"))
        }


@pytest.fixture
def user(vox: Vox, tmp_path: Path) -> User:
    return User(vox, tmp_path)


def states(user: User) -> dict[str, tuple[str, str]]:
    """Of each assistant: whether it was found, and whether it is set up."""
    rows = [line.split("\t") for line in user.ok("--list").splitlines()]
    return {row[0]: (row[1], row[2]) for row in rows}


def test_all_that_are_found_are_set_up_once_and_leave_no_trace(user: User) -> None:
    (user.home / ".codex").mkdir()
    user.put(".cursor/mcp.json", '{\n  // mine\n  "mcpServers": {}\n}\n')
    before = user.tree()
    told = user.ok()
    assert told.startswith("Codex CLI: set up\n")
    assert "\n  now start codex, type /hooks and trust the 3 hooks of vox\n" in told
    assert "\n  changed ~/.cursor/mcp.json\n" in told
    assert told.endswith("\nto undo: vox init --remove\n")
    assert "Claude" not in told
    there = user.tree()
    assert user.ok() == "Codex CLI: already set up\nCursor: already set up\n"
    assert user.tree() == there
    assert states(user)["codex"] == ("yes", "yes")
    assert states(user)["gemini"] == ("no", "no")
    removed = user.ok("--remove")
    assert "\n  removed ~/.codex/hooks.json\n" in removed
    assert user.tree() == before
    assert user.ok("--remove") == "nothing to do\n"


def test_one_that_is_not_there_is_set_up_by_its_name(user: User) -> None:
    before = user.tree()
    assert user.ok("claude").startswith("Claude Code: set up\n")
    assert states(user)["claude-code"] == ("no", "yes")
    hooks = json.loads((user.home / ".claude/skills/vox/hooks/hooks.json").read_text())
    line = hooks["hooks"]["Stop"][0]["hooks"][0]["command"]
    assert line.endswith("/vox hook claude:Stop; exit 0")
    user.ok("--remove", "claude-code")
    assert user.tree() == before


@pytest.mark.slow
def test_after_it_a_turn_that_ends_is_heard(user: User, sound: SoundServer) -> None:
    user.ok("claude-code")
    hooks = json.loads((user.home / ".claude/skills/vox/hooks/hooks.json").read_text())
    turn = {"session_id": "s", "hook_event_name": "Stop", "last_assistant_message": "All done."}
    done = subprocess.run(
        ["sh", "-c", hooks["hooks"]["Stop"][0]["hooks"][0]["command"]],
        input=json.dumps({**turn, "cwd": str(user.home)}),
        env={**os.environ, **user.vox.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wait_until(lambda: len(user.vox.jobs()) == 1)
    (job,) = user.vox.jobs()
    assert (job["text"], job["via"], job["source"]) == ("All done.", "hook", "home")
    user.vox.ok("wait", job["id"])
    assert user.vox.job(job["id"])["state"] == "done"


def test_every_assistant_can_be_set_up_and_removed(user: User) -> None:
    before = user.tree()
    names = f"{ALL} {MORE}".split()
    assert list(states(user)) == names
    user.ok(*names)
    assert all(state == "yes" for _, state in states(user).values())
    user.ok("--remove")
    assert user.tree() == before


def test_variables_say_where_assistants_are(user: User) -> None:
    user.ok("claude", CLAUDE_CONFIG_DIR="~/.work")
    assert (user.home / ".work/rules/vox.md").exists()
    user.ok("codex", CODEX_HOME=str(user.home / "codex"))
    assert (user.home / "codex/config.toml").exists()
    user.ok("zed", XDG_CONFIG_HOME=str(user.home / "settings"))
    assert (user.home / "settings/zed/settings.json").exists()


def test_print_shows_files_and_changes_and_does_nothing(user: User) -> None:
    user.put(".cursor/mcp.json", '{\n  "mcpServers": {}\n}\n')
    before = user.tree()
    told = user.ok("cursor", "codex", "--print")
    assert "==> ~/.cursor/mcp.json (Cursor, changed)\n@@" in told
    assert '\n+    "vox": {\n' in told
    assert '==> ~/.codex/config.toml (Codex CLI, new)\n[mcp_servers.vox]\ncommand = "' in told
    assert told.count("==> ~/.agents/skills/vox/SKILL.md") == 1
    assert user.tree() == before
    user.ok("cursor")
    there = user.tree()
    assert "==> ~/.cursor/hooks.json (Cursor, removed)\n" in user.ok("--remove", "--print")
    assert user.tree() == there
    assert user.ok("cursor", "--print") == "nothing to do\n"


def test_of_a_damaged_file_one_line_is_said_and_the_others_are_set_up(user: User) -> None:
    (user.home / ".codex").mkdir()
    path = user.put(".cursor/mcp.json", '{\n"mcpServers": {\n')
    result = user()
    assert result.code == 2
    assert result.err == (
        f"vox: Cursor: {path} is not valid JSON at line 3; fix it and try again\n"
    )
    assert path.read_text() == '{\n"mcpServers": {\n'
    assert not (user.home / ".cursor/hooks.json").exists()
    assert result.out.startswith("Codex CLI: set up\n") and "Cursor" not in result.out


def test_a_folder_that_cannot_be_made_is_one_line(user: User) -> None:
    user.put(".codex", "a file")
    result = user("codex")
    assert result.code in (1, 2) and result.err.count("\n") >= 1
    assert "Traceback" not in result.err and ".codex" in result.err
    assert (user.home / ".codex").read_text() == "a file"
    user("--remove")
    assert (user.home / ".codex").read_text() == "a file"


def test_a_skill_that_several_read_goes_with_the_last(user: User) -> None:
    user.ok("codex", "opencode")
    user.ok("--remove", "opencode")
    assert (user.home / ".agents/skills/vox/SKILL.md").exists()
    assert states(user)["codex"] == ("no", "yes")
    user.ok("--remove", "codex")
    assert not (user.home / ".agents").exists()


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("emacs",), 2, ("'emacs'", "claude-code, codex")),
        ((), 4, ("no assistant was found", "vox init claude-code")),
        (("--list", "--remove"), 2, ("--list goes with no other option",)),
    ],
)
def test_what_cannot_be_done_is_one_line(
    user: User, args: tuple[str, ...], code: int, words: tuple[str, ...]
) -> None:
    assert_one_line(user(*args), code, *words)


def test_without_the_package_mcp_the_rest_is_set_up_and_one_line_says_so(
    user: User, tmp_path: Path
) -> None:
    other = tmp_path / "packages" / "mcp-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: mcp\nVersion: 9.9\n")
    path = f"{other.parent}:{user.vox.environ['PYTHONPATH']}"
    result = user("codex", PYTHONPATH=path)
    assert result.code == 0 and result.out.startswith("Codex CLI: set up\n")
    assert result.err.startswith("vox: MCP is left out: the Python package mcp is version 9.9, not")
    assert result.err.endswith("'voxqueue[mcp]', then: vox init\n")
    assert not (user.home / ".codex/config.toml").exists()
    result = user("zed", PYTHONPATH=path)
    assert result.code == 4 and "vox: Zed: has MCP alone; the Python package mcp" in result.err
    assert not (user.home / ".config").exists()
    # With it, what is missing is added.
    assert "\n  wrote ~/.codex/config.toml\n" in user.ok()
    user.ok("--remove")
    assert not (user.home / ".codex").exists()


def test_two_at_once_leave_what_one_leaves(user: User) -> None:
    user.ok("codex", "cursor")
    there = user.tree()
    user.ok("--remove")
    calls: list[subprocess.Popen[Any]] = [
        user.vox.popen("init", "codex", "cursor", env=user.environ) for _ in range(2)
    ]
    assert [call.wait() for call in calls] == [0, 0]
    assert user.tree() == there


def test_names_are_completed(user: User) -> None:
    environ = {
        "_VOX_COMPLETE": "bash_complete",
        "COMP_WORDS": "vox init c",
        "COMP_CWORD": "2",
    }
    answer = user.vox(env={**user.environ, **environ})
    names = "claude-code codex cursor copilot cline claude-desktop crush"
    assert answer.out.split() == [f"plain,{name}" for name in names.split()]


def test_a_copy_of_vox_that_will_be_gone_sets_up_nothing(user: User, tmp_path: Path) -> None:
    program = tmp_path / "uv" / "archive-v0" / "x" / "bin" / "vox"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!{sys.executable}\nimport vox.cli\nvox.cli.main()\n")
    program.chmod(0o755)
    done = subprocess.run(
        [program, "init", "codex"],
        env={**os.environ, **user.vox.environ, **user.environ, "PATH": "/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_one_line(
        Result(done.returncode, done.stdout, done.stderr), 4, "copy of vox", "uv tool install"
    )
    assert not (user.home / ".codex").exists()
