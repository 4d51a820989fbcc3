"""Setting up and removing, for each assistant: nothing of anybody else's is lost."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vox.agents import jsonc

from .test_jsonc import documents
from .user import EDITED, NAMES, User

JSON = """\
// my settings
{
    "theme": "dark", // as at night
    "hooks": {
        "Stop": [
            { "hooks": [{ "type": "command", "command": "say done" }] },
        ],
    },
    "mcpServers": {
        "files": { "command": "npx", "args": ["-y", "files"] },
    },
    /* the end */
}
"""
TOML = """\
# my settings
model = "x"   # the best

[mcp_servers.files]
command = 'npx'
args = [
  "-y",
  "files",
]

# of mine
[profiles.work]
model = "y"
"""
YAML = """\
# my settings
model: x   # the best
read:
  - notes.md
"""
FOREIGN = {".json": JSON, ".toml": TOML, ".yml": YAML}
STYLES: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "mark": lambda text: "\ufeff" + text,
    "no end of line": lambda text: text.rstrip("\n"),
    "empty": lambda _text: "",
    "blank": lambda _text: "\n\n",
}


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def write(path: Path, text: str) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return text.encode()


def read(path: Path) -> Any:
    """What the file says."""
    text = path.read_bytes().decode().removeprefix("\ufeff")
    if path.suffix == ".toml":
        return tomllib.loads(text)
    if path.suffix == ".yml":
        return yaml.safe_load(text) or {}
    return jsonc.parse(text).value if text.strip() else {}


@pytest.mark.parametrize("name", NAMES)
def test_in_a_new_home_all_is_made_once_and_removed_again(user: User, name: str) -> None:
    assert not user.init(name).troubles
    there = user.tree()
    assert there
    again = user.init(name)
    assert not again.needed and not again.troubles
    assert user.tree() == there
    assert not user.remove(name).troubles
    assert user.tree() == {}
    assert not os.path.exists(user.receipts_path)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", EDITED)
def test_what_others_wrote_is_kept_and_ours_goes_without_a_trace(
    user: User, name: str, style: str
) -> None:
    before = {path: write(path, STYLES[style](FOREIGN[path.suffix])) for path in user.shared(name)}
    meant = {path: read(path) for path in before}
    there = user.tree()
    assert not user.init(name).troubles
    for path, old in before.items():
        now = path.read_bytes()
        assert now != old
        assert now.startswith(b"\xef\xbb\xbf") == old.startswith(b"\xef\xbb\xbf")
        assert b"\r\n" not in old or now.count(b"\r\n") == now.count(b"\n")
        assert_kept(meant[path], read(path))
        for line in old.decode().removeprefix("\ufeff").splitlines():
            assert line.rstrip().rstrip(",") in now.decode()
    assert not user.init(name).needed
    assert not user.remove(name).troubles
    assert user.tree() == there


def assert_kept(old: Any, new: Any) -> None:
    """Whether all that was there still is."""
    if isinstance(old, dict):
        for key, value in old.items():
            assert_kept(value, new[key])
    elif isinstance(old, list):
        assert new[: len(old)] == old
    else:
        assert new == old


@pytest.mark.parametrize("is_forgotten", [False, True])
@pytest.mark.parametrize("name", EDITED)
def test_ours_is_taken_out_of_a_file_that_was_changed_since(
    user: User, name: str, is_forgotten: bool
) -> None:
    paths = user.shared(name)
    for path in paths:
        write(path, FOREIGN[path.suffix])
    meant = {path: read(path) for path in paths}
    user.init(name)
    for path in paths:
        comment = "//" if path.suffix == ".json" else "#"
        path.write_text(f"{comment} of today\n{path.read_text()}")
    if is_forgotten:
        user.forget()
    assert not user.remove(name).troubles
    for path in paths:
        left = path.read_text()
        assert "vox" not in left and "of today" in left
        now = read(path)
        now.pop("version", None)  # Cursor wants one where hooks are, and others' are left
        if is_forgotten:  # whose an empty container is cannot be known then
            now = {key: value for key, value in now.items() if value and value is not True}
            if "hooks" in now:
                now["hooks"] = {key: value for key, value in now["hooks"].items() if value}
            if now.get("hooks") == {}:
                del now["hooks"]
        assert now == meant[path]


@pytest.mark.parametrize("name", EDITED)
def test_a_damaged_file_is_refused_and_nothing_is_done_for_that_assistant(
    user: User, name: str
) -> None:
    path = user.shared(name)[-1]
    damaged = "a: [\n- }\n---\n{" if path.suffix == ".yml" else '{\n"a": 1\n<<<<<<<\n'
    write(path, damaged)
    there = user.tree()
    done = user.init(name)
    assert user.tree() == there
    (trouble,) = done.troubles
    assert trouble.exit_code == 2
    assert str(path) in trouble.line and "fix it and try again" in trouble.line
    assert user.remove(name).troubles == []
    assert user.tree() == there


@pytest.mark.slow
@settings(max_examples=50)
@given(documents(), st.sampled_from(["cursor", "qwen-code", "opencode", "zed"]))
def test_any_json_is_left_as_it_was(text: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        user = User(Path(folder))
        for path in user.shared(name):
            write(path, text)
        there = user.tree()
        user.init(name)
        assert not user.init(name).needed
        user.remove(name)
        assert user.tree() == there
        # And where somebody has changed the files since.
        meant = {path: read(path) for path in user.shared(name)}
        refused = user.init(name).troubles
        for path in meant:
            now = path.read_bytes().decode()
            mark = "\ufeff" if now.startswith("\ufeff") else ""
            write(path, f"{mark}// today\n{now.removeprefix(mark)}")
        user.remove(name)
        for path, old in meant.items():
            left = read(path)
            if "version" not in old:  # Cursor wants one where hooks are
                left.pop("version", None)
            assert left == old or refused
