"""The command that installs an extra into vox's own environment."""

from __future__ import annotations

import sys
from pathlib import Path

from vox.extras import install_hint


def test_the_command_names_the_environment_that_vox_runs_in(tmp_path: Path) -> None:
    hint = install_hint("mcp", "mcp>=2,<3", str(tmp_path))
    assert hint == f"install it: {sys.executable} -m pip install 'voxqueue[mcp]'"


def test_in_an_environment_of_pipx_it_is_pipx_that_adds_the_package(tmp_path: Path) -> None:
    (tmp_path / "pipx_metadata.json").touch()
    hint = install_hint("mcp", "mcp>=2,<3", str(tmp_path))
    assert hint == "install it: pipx inject voxqueue 'mcp>=2,<3'"
