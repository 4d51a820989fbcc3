"""What is installed of a backend: where its environment lies, and how complete it is.

Reads `backends/NAME/` and changes nothing there; `installer` makes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..backends import registry
from ..backends.base import Accelerator, Backend, Settings
from ..backends.kit.venv import python_in

MARKER = "installed.json"
"""Written last by an installation: an environment without it, or one that it does not fit, counts
as none."""


@dataclass(frozen=True, slots=True)
class EnvStatus:
    """What `vox backends` shows of one backend's installation."""

    name: str
    installed: bool
    """Its packages are at hand; `missing` may still say what else is not."""
    missing: str | None
    """What beyond its packages it needs to speak (weights, a program), None if nothing."""
    own: bool = False
    """Installed into an environment of its own, not into vox's."""
    python: str | None = None
    """The interpreter that its host runs under."""
    accelerator: str | None = None
    """What its own environment was built for: cpu, cuda or mps."""
    outdated: bool = False
    """Its environment was made from other requirements than this vox has for it."""
    broken: bool = False
    """There is an environment, but its installation did not end well."""
    size_mb: float = 0.0
    """What its folder takes on the disk."""
    installed_at: str | None = None
    """ISO 8601, UTC."""

    @property
    def is_ready(self) -> bool:
        return self.installed and self.missing is None


def interpreter_for(name: str, backends_dir: str) -> str | None:
    """The Python under which the backend's host is to run, None if it is not installed.

    Its own environment comes first, then vox's own if that has the package (an extra). Raises
    UnknownBackend.
    """
    adapter = registry.get(name)
    env_dir = os.path.join(backends_dir, registry.environment_of(name))
    if read_marker(env_dir) is not None:
        return python_in(os.path.join(env_dir, "venv"))
    return sys.executable if is_importable(adapter) else None


def made_at(name: str, backends_dir: str) -> int | None:
    """When the backend's own environment was made, to the nanosecond; None if there is none.

    A host that was started from one made at another time runs what is gone or replaced.
    """
    env_dir = os.path.join(backends_dir, registry.environment_of(name))
    try:
        return os.stat(os.path.join(env_dir, MARKER)).st_mtime_ns
    except OSError:
        return None


def status_of(name: str, settings: Settings) -> EnvStatus:
    """How the backend's installation stands. Raises UnknownBackend."""
    adapter = registry.get(name)
    interpreter = interpreter_for(name, os.path.dirname(settings.env_dir))
    marker = read_marker(settings.env_dir)
    found = EnvStatus(
        name=name,
        installed=interpreter is not None,
        missing=adapter.missing(settings) if interpreter else None,
        python=interpreter,
        size_mb=size_mb(settings.env_dir),
    )
    if marker is None:
        return replace(found, broken=os.path.isdir(os.path.join(settings.env_dir, "venv")))
    accelerator: Accelerator = marker["accelerator"]
    return replace(
        found,
        own=True,
        accelerator=accelerator,
        outdated=marker["requirements"] != digest_of(adapter.requirements(accelerator)),
        installed_at=marker["installed_at"],
    )


def read_marker(env_dir: str) -> dict[str, Any] | None:
    """What `installed.json` says, None unless the environment it describes is still there."""
    try:
        with open(os.path.join(env_dir, MARKER), encoding="utf-8") as file:
            marker: dict[str, Any] = json.load(file)
        # A dangling link or another minor version: the system's Python was replaced.
        python = os.path.realpath(python_in(os.path.join(env_dir, "venv")), strict=True)
        fits = os.path.basename(python) == marker["executable"] and os.access(python, os.X_OK)
        return marker if fits and marker["requirements"] and marker["accelerator"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest_of(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def size_mb(folder: str) -> float:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
    return total / 1e6


def is_importable(adapter: type[Backend]) -> bool:
    try:
        return adapter.importable()
    except (ImportError, ValueError):
        return False
