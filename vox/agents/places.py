"""Where assistants keep their files, by the variables that they heed, and where vox itself is.

Folders are absolute paths. Nothing is looked for but what is asked.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import BadInput, NotAvailable

_CACHES = ("/uv/archive-", "/uv/builds-", "/pipx/.cache/", "/.cache/uv/")
"""In the path of a program that is removed again after its run."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of one user."""

    environ: Mapping[str, str]
    is_mac: bool = sys.platform == "darwin"

    @property
    def home(self) -> str:
        return os.path.abspath(os.path.expanduser(self.environ.get("HOME") or "~"))

    def folder(self, variable: str, usual: str, below: str = "") -> str:
        """The folder that the variable names, `below` appended, else `usual` in the home."""
        named = self.environ.get(variable)
        if not named:
            return os.path.join(self.home, usual)
        return os.path.abspath(os.path.join(self.in_home(named), below))

    def in_home(self, path: str) -> str:
        return os.path.join(self.home, path[2:]) if path.startswith("~/") else path

    @property
    def config(self) -> str:
        """$XDG_CONFIG_HOME, which programs of other systems' habits heed on macOS too."""
        return self.folder("XDG_CONFIG_HOME", ".config")

    @property
    def applications(self) -> str:
        """Where programs with windows keep settings."""
        if self.is_mac:
            return os.path.join(self.home, "Library", "Application Support")
        return self.config

    def code_users(self) -> list[str]:
        """The `User` folders of VS Code and its relatives that exist, else where one would be."""
        names = ("Code", "Code - Insiders", "VSCodium")
        folders = [os.path.join(self.applications, name, "User") for name in names]
        return [each for each in folders if os.path.isdir(each)] or folders[:1]

    def storages(self, extension: str) -> list[str]:
        """The folders of an extension of VS Code that exist."""
        folders = [os.path.join(each, "globalStorage", extension) for each in self.code_users()]
        return [each for each in folders if os.path.isdir(each)]

    def shown(self, path: str) -> str:
        """The path as people write it, with ~ for the home."""
        inside = path.removeprefix(os.path.join(self.home, ""))
        return path if inside == path else os.path.join("~", inside)


def exists(*paths: str) -> str | None:
    """The first of the paths that exists."""
    return next((path for path in paths if os.path.exists(path)), None)


@dataclass(frozen=True, slots=True)
class Program:
    """The program `vox` that assistants are to start."""

    path: str
    has_mcp: bool = True
    """Whether it can start as an MCP server: the package for that is installed."""

    def hook(self, event: str, rest: str = "") -> str:
        """The line for a shell that tells vox of the event, "claude:Stop" for example.

        It succeeds without a word also after vox was removed: some assistants take any other exit
        code for a veto.
        """
        vox = shlex.quote(self.path)
        return f"[ -x {vox} ] && exec {vox} hook {event}{rest}; exit 0"


def find_program(environ: Mapping[str, str], started: str = "") -> Program:
    """The `vox` that runs, by a path that lasts. `started`: how it was called, `sys.argv[0]`.

    A link on PATH, or in ~/.local/bin, that leads to it is preferred: it outlives an update.
    Raises NotAvailable, BadInput.
    """
    beside = os.path.join(os.path.dirname(sys.executable), "vox")
    path = next((each for each in (started, beside) if _is_vox(each)), None)
    links = (
        shutil.which("vox", path=environ.get("PATH")) or "",
        os.path.join(Places(environ).home, ".local", "bin", "vox"),
    )
    if path is None:
        path = next((each for each in links if _is_vox(each)), None)
    if path is None:
        raise NotAvailable("no program vox that assistants could start", "run: contrib/setup")
    real = os.path.realpath(path)
    if any(cache in real for cache in _CACHES):
        raise NotAvailable(
            f"{path} is a copy of vox that is removed again",
            "install vox first: uv tool install voxqueue, or pipx install voxqueue",
        )
    same = (each for each in links if _is_vox(each) and os.path.realpath(each) == real)
    path = os.path.abspath(next(same, path))
    if not path.isprintable():
        raise BadInput(f"the path of vox, {path!r}, cannot stand in files", "install vox elsewhere")
    return Program(path)


def _is_vox(path: str) -> bool:
    return (
        os.path.basename(path) == "vox"
        and os.path.dirname(path) != ""
        and os.path.isfile(path)
        and os.access(path, os.X_OK)
    )
