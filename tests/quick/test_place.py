"""The short way finds the daemon where `vox.paths` has it."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from vox.paths import get_paths
from vox.quick.place import files, runtime_dir

OWN = pwd.getpwuid(os.getuid()).pw_dir


def as_paths_says() -> tuple[str, str]:
    paths = get_paths({})
    return paths.socket_path, paths.pid_path


@pytest.mark.parametrize("home", ["plain", "~/there", "a" * 120])
def test_below_vox_home(home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = get_paths({"VOX_HOME": home})
    assert files({"VOX_HOME": home}) == (paths.socket_path, paths.pid_path)


@pytest.mark.parametrize(
    "what",
    ["usual", "no folder yet", "open to others", "a link", "relative", "other data", "other home"],
)
def test_in_the_user_s_own_folder(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / "run"
    (base / "vox").mkdir(parents=True)
    for folder in (base, base / "vox"):
        folder.chmod(0o700)
    environ = {"HOME": OWN, "XDG_RUNTIME_DIR": str(base)}
    if what == "no folder yet":
        (base / "vox").rmdir()
    elif what == "open to others":
        base.chmod(0o755)
    elif what == "a link":
        (tmp_path / "link").symlink_to(base)
        environ["XDG_RUNTIME_DIR"] = str(tmp_path / "link")
    elif what == "relative":
        environ["XDG_RUNTIME_DIR"] = os.path.relpath(base)
    elif what == "other data":
        environ["XDG_DATA_HOME"] = str(tmp_path)
    elif what == "other home":
        environ["HOME"] = str(tmp_path)
    for name in ("VOX_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert (runtime_dir(environ) is not None) == (what == "usual")
    if runtime_dir(environ) is not None:
        assert files(environ) == as_paths_says()
    assert files(environ) in (as_paths_says(), None)
