"""The files themselves: links, modes, what others do at the same time, what cannot be done."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from vox.agents import plan, receipts, writing
from vox.agents.changes import OwnFile

from .user import User


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


@pytest.fixture
def mcp_json(user: User) -> Path:
    """A file that Cursor and its user write into."""
    path = user.home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_text('{"mcpServers": {"mine": {"command": "x"}}}')
    return path


def test_a_link_stays_a_link_and_modes_stay(user: User, mcp_json: Path) -> None:
    target = user.home / "dotfiles" / "mcp.json"
    target.parent.mkdir()
    mcp_json.rename(target)
    mcp_json.symlink_to(target)
    target.chmod(0o640)
    before = target.read_bytes()
    assert not user.init("cursor").troubles
    assert mcp_json.is_symlink() and b"vox" in target.read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert not user.remove("cursor").troubles
    assert mcp_json.is_symlink() and target.read_bytes() == before
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_file_that_is_read_only_is_left_in_one_line(user: User, mcp_json: Path) -> None:
    mcp_json.chmod(0o444)
    before = mcp_json.read_bytes()
    (trouble,) = user.init("cursor").troubles
    assert trouble.line == f"{mcp_json} is read-only; allow writing to it and try again"
    assert mcp_json.read_bytes() == before
    assert (user.home / ".cursor" / "hooks.json").exists()
    assert not user.remove("cursor").troubles
    assert not (user.home / ".cursor" / "hooks.json").exists()


def test_what_somebody_writes_in_between_is_kept(user: User, mcp_json: Path) -> None:
    known = receipts.load(user.receipts_path)
    found = plan.set_up(user.agents["cursor"], known)
    mcp_json.write_text('{"of": "another program"}')
    writing.carry_out(found, known)
    (trouble,) = found.troubles
    assert trouble.line == f"{mcp_json} has just been changed by another program; try again"
    assert mcp_json.read_text() == '{"of": "another program"}'
    assert not user.init("cursor").troubles
    assert json.loads(mcp_json.read_text())["of"] == "another program"


def test_a_file_that_comes_to_be_in_between_is_kept(user: User) -> None:
    known = receipts.load(user.receipts_path)
    found = plan.set_up(user.agents["cursor"], known)
    path = user.home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_text("{}")
    writing.carry_out(found, known)
    assert len(found.troubles) == 1
    assert path.read_text() == "{}"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{"a": "\xff"}', "is not UTF-8"),
        (b" " * (plan.SIZE_MAX + 1), "is larger than 5 MB"),
        (b'{"mcpServers": []}', "has something else than an object where"),
        (b'{"mcpServers": {}, "mcpServers": {}}', "twice"),
        (b"[]", "has something else than an object"),
    ],
)
def test_what_cannot_be_edited_is_told_of(
    user: User, mcp_json: Path, content: bytes, why: str
) -> None:
    mcp_json.write_bytes(content)
    (trouble,) = user.init("cursor").troubles
    assert why in trouble.line and trouble.exit_code == 2 and trouble.hint
    assert mcp_json.read_bytes() == content


def test_what_is_no_file_is_told_of(user: User, mcp_json: Path) -> None:
    mcp_json.unlink()
    os.mkfifo(mcp_json)
    (trouble,) = user.init("cursor").troubles
    assert trouble.line.endswith("is not a file; move it away and try again")


def test_an_entry_of_that_name_that_is_not_ours_is_left(user: User, mcp_json: Path) -> None:
    mcp_json.write_text('{"mcpServers": {"vox": {"command": "/x/vox", "args": ["serve"]}}}')
    before = mcp_json.read_bytes()
    (trouble,) = user.init("cursor").troubles
    assert "has an entry vox that is not of this vox" in trouble.line
    assert (user.home / ".cursor" / "hooks.json").exists()
    user.remove("cursor")
    assert mcp_json.read_bytes() == before


def test_when_vox_has_moved_only_its_path_is_changed(tmp_path: Path, mcp_json: Path) -> None:
    old = User(tmp_path, "/old place/vox")
    before = old.tree()
    old.init("cursor")
    text = mcp_json.read_text()
    mcp_json.write_text(text.replace('"mcp"', '/* mine */ "mcp"'))
    hooks = old.home / ".cursor" / "hooks.json"
    hooks.write_text(hooks.read_text().replace('"timeout": 10', '"timeout": 10, "mine": 1', 1))
    changed = mcp_json.read_text(), hooks.read_text()
    new = User(tmp_path, "/new/vox")
    assert not new.init("cursor").troubles
    quoted = shlex.quote("/old place/vox")
    assert mcp_json.read_text() == changed[0].replace("/old place/vox", "/new/vox")
    assert hooks.read_text() == changed[1].replace(quoted, "/new/vox")
    assert not new.remove("cursor").troubles
    assert {path for path in new.tree() if new.tree()[path] is not None} == {".cursor/mcp.json"}
    assert json.loads(mcp_json.read_text()) == json.loads(before[".cursor/mcp.json"] or b"")


def test_moved_and_removed_without_other_changes_it_is_as_before(tmp_path: Path) -> None:
    for name in ("codex", "cursor", "qwen-code", "aider"):
        User(tmp_path, "/old place/vox").init(name)
        new = User(tmp_path, "/new/vox")
        assert new.init(name).needed and not new.init(name).needed
        assert b"old place" not in b"".join(filter(None, new.tree().values()))
        assert not new.remove(name).troubles
        assert new.tree() == {}


def test_a_file_of_ours_that_its_user_edited_is_never_written_over(user: User) -> None:
    user.init("claude-code")
    rule = user.home / ".claude" / "rules" / "vox.md"
    rule.write_text("Mine.")
    (trouble,) = user.init("claude-code").troubles
    assert trouble.line == f"{rule} was edited, so it is left as it is; move it away and try again"
    (trouble,) = user.remove("claude-code").troubles
    assert trouble.hint == "remove it yourself"
    assert [path for path, text in user.tree().items() if text] == [".claude/rules/vox.md"]


def test_an_old_file_of_ours_is_renewed(tmp_path: Path) -> None:
    User(tmp_path, "/old/vox").init("claude-code")
    new = User(tmp_path, "/new/vox")
    assert not new.init("claude-code").troubles
    assert not any(b"/old/vox" in (text or b"") for text in new.tree().values())


def test_a_file_that_several_read_stays_until_the_last_of_them_goes(user: User) -> None:
    skill = user.home / ".agents" / "skills" / "vox" / "SKILL.md"
    user.init("codex")
    user.init("opencode")
    user.remove("codex")
    assert skill.exists()
    user.remove("opencode")
    assert user.tree() == {}


def test_a_folder_in_which_something_else_lies_stays(user: User) -> None:
    user.init("codex")
    other = user.home / ".codex" / "auth.json"
    other.write_text("{}")
    assert not user.remove("codex").troubles
    assert user.tree() == {".codex": None, ".codex/auth.json": b"{}"}


def test_of_a_group_that_others_put_hooks_into_only_ours_goes(user: User) -> None:
    path = user.home / ".qwen" / "settings.json"
    user.init("qwen-code")
    settings = json.loads(path.read_text())
    settings["hooks"]["Stop"][0]["hooks"].append({"type": "command", "command": "say done"})
    path.write_text(json.dumps(settings))
    assert not user.remove("qwen-code").troubles
    assert json.loads(path.read_text()) == {
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]}
    }


def test_without_the_package_mcp_nothing_starts_it(user: User) -> None:
    for name in ("claude-code", "gemini", "cursor", "codex", "roo"):
        user.program = type(user.program)(user.program.path, has_mcp=False)
        assert not user.init(name, has_mcp=False).troubles
    assert not any(b'"mcp"' in (text or b"") for text in user.tree().values())
    assert not (user.home / ".cursor" / "mcp.json").exists()
    assert not (user.home / ".roo").exists()


def test_what_codex_writes_after_it_stays(user: User) -> None:
    path = user.home / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text('model = "x"\n')
    user.init("codex")
    mine = '\n[hooks.state."a"]\ntrusted_hash = "b"\n'
    tools = '\n[mcp_servers.vox.tools.speak]\napproval_mode = "approve"\n'
    path.write_text(path.read_text() + tools + mine)
    assert not user.init("codex").needed
    assert not user.remove("codex").troubles
    assert path.read_text() == f'model = "x"\n{mine}'


@pytest.mark.parametrize(
    "text",
    ['mcp_servers = { a = { command = "x" } }\n', "mcp_servers = 1\n", "[[mcp_servers]]\n"],
)
def test_toml_that_has_no_room_for_the_table_is_left(user: User, text: str) -> None:
    path = user.home / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text(text)
    (trouble,) = user.init("codex").troubles
    assert str(path) in trouble.line
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("notifications-command: say done\n", "has notifications-command of its own"),
        ("notifications: false\n", "has notifications of its own"),
        ("{model: x}\n", "no plain keys"),
        ("model: x\n---\nmodel: y\n", "more than one"),
        ("read:\n\t- x\n", "tabs"),
    ],
)
def test_yaml_of_another_kind_is_left(user: User, text: str, why: str) -> None:
    path = user.home / ".aider.conf.yml"
    path.write_text(text)
    troubles = user.init("aider").troubles
    assert why in troubles[0].line
    assert text in path.read_text()
    user.remove("aider")
    assert path.read_text() == text


# -- the line that assistants run ----------------------------------------------------------------


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("folder", ["plain", "with a blank", "it's"])
def test_the_line_runs_vox_and_without_it_succeeds_silently(
    tmp_path: Path, folder: str, shell: str
) -> None:
    vox = tmp_path / folder / "vox"
    vox.parent.mkdir()
    user = User(tmp_path, str(vox))
    line = user.program.hook("claude:Stop")

    def run() -> tuple[int, str]:
        done = subprocess.run(
            [shell, "-c", line], input="{}", capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    assert run() == (0, "")
    vox.write_text('#!/bin/sh\nprintf "%s|" "$@"; cat\n')
    vox.chmod(0o755)
    assert run() == (0, "hook|claude:Stop|{}")
    user.init("qwen-code")
    assert user.init("qwen-code").needed == []
    user.forget()
    assert not user.remove("qwen-code").troubles
    assert b" hook " not in b"".join(filter(None, user.tree().values()))


def test_hooks_of_cline_are_programs(user: User) -> None:
    user.init("cline")
    programs = [each for each in user.agents["cline"].changes if isinstance(each, OwnFile)]
    for each in programs:
        assert os.access(each.path, os.X_OK) == each.is_program
    assert sum(each.is_program for each in programs) == 2
