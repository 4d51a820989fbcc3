"""Where assistants keep their files, and which vox they start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from vox.agents.places import Places, Program, find_program
from vox.errors import BadInput, NotAvailable


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_variable_moves_a_folder_and_an_empty_one_does_not() -> None:
    places = Places({"HOME": "/home/you", "A": "/elsewhere", "B": "~/b", "C": ""}, is_mac=False)
    assert places.folder("A", ".a", "below") == "/elsewhere/below"
    assert places.folder("B", ".b") == "/home/you/b"
    assert places.folder("C", ".c", "below") == "/home/you/.c"
    assert places.folder("D", "/etc/d") == "/etc/d"


def test_on_macos_programs_with_windows_keep_settings_elsewhere(tmp_path: Path) -> None:
    home = str(tmp_path)
    mac = Places({"HOME": home}, is_mac=True)
    assert mac.code_users() == [f"{home}/Library/Application Support/Code/User"]
    linux = Places({"HOME": home, "XDG_CONFIG_HOME": f"{home}/x"}, is_mac=False)
    assert linux.code_users() == [f"{home}/x/Code/User"]
    for name in ("VSCodium", "Code - Insiders"):
        (tmp_path / "x" / name / "User").mkdir(parents=True)
    assert linux.code_users() == [f"{home}/x/Code - Insiders/User", f"{home}/x/VSCodium/User"]


def test_paths_in_the_home_are_shown_as_people_write_them() -> None:
    places = Places({"HOME": "/home/you"}, is_mac=False)
    assert places.shown("/home/you/.a/b") == "~/.a/b"
    assert places.shown("/home/young/.a") == "/home/young/.a"


def test_the_link_that_outlives_an_update_is_taken(tmp_path: Path) -> None:
    real = program(tmp_path / "venvs" / "1" / "bin" / "vox")
    link = tmp_path / ".local" / "bin" / "vox"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    environ = {"HOME": str(tmp_path), "PATH": "/bin"}
    assert find_program(environ, str(real)) == Program(str(link))
    other = program(tmp_path / "bin" / "vox")
    environ["PATH"] = str(other.parent)
    assert find_program(environ, str(real)) == Program(str(link))
    assert find_program(environ, str(other)) == Program(str(other))


def test_what_does_not_last_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"HOME": str(tmp_path), "PATH": "/bin"}
    cached = program(tmp_path / "uv" / "archive-v0" / "x" / "bin" / "vox")
    with pytest.raises(NotAvailable, match="a copy of vox that is removed again"):
        find_program(environ, str(cached))
    with pytest.raises(BadInput, match="cannot stand in files"):
        find_program(environ, str(program(tmp_path / "a\nb" / "vox")))
    monkeypatch.setattr(sys, "executable", os.devnull)
    with pytest.raises(NotAvailable, match="no program vox"):
        find_program(environ, "/usr/lib/python/vox/__main__.py")
