"""What is installed of a backend: where its environment lies, and how complete it is.

Reads `backends/NAME/` and changes nothing there; `installer` makes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from dataclasses import dataclass, replace
from typing import Any

from ..backends import registry
from ..backends.base import Accelerator, Backend, Settings
from ..backends.kit.venv import python_in, site_packages_in
from .locks import read_lock

MARKER = "installed.json"
"""Written last by an installation: an environment without it does not count."""


@dataclass(frozen=True, slots=True)
class EnvStatus:
    """What `vox backends` shows of one backend's installation."""

    name: str
    installed: bool
    """Its packages are there; `missing` names what else it lacks."""
    missing: str | None
    """What it lacks besides packages (weights, a program); None: nothing."""
    own: bool = False
    """It has an environment of its own."""
    python: str | None = None
    """The interpreter that its host runs under."""
    accelerator: str | None = None
    """What its own environment was built for: cpu, cuda or mps."""
    outdated: bool = False
    """Its environment was made from other requirements than those of this vox."""
    broken: bool = False
    """Its environment is there, but its installation was not completed."""
    size_mb: float = 0.0
    """Size of its folder on the disk, in megabytes."""
    installed_at: str | None = None
    """ISO 8601, UTC."""

    @property
    def is_ready(self) -> bool:
        return self.installed and self.missing is None


def interpreter_for(name: str, backends_dir: str) -> str | None:
    """The Python under which the backend's host runs; None if the backend is not installed.

    That of its own environment, else vox's own if that has the package (an extra). Raises
    UnknownBackend.
    """
    adapter = registry.get(name)
    env_dir = os.path.join(backends_dir, registry.environment_of(name))
    if read_marker(env_dir) is not None:
        return python_in(os.path.join(env_dir, "venv"))
    return sys.executable if is_importable(adapter) else None


def made_at(name: str, backends_dir: str) -> int | None:
    """When the backend's own environment was made, in nanoseconds; None if it has none.

    A host that runs from one made at another time is outdated.
    """
    env_dir = os.path.join(backends_dir, registry.environment_of(name))
    try:
        return os.stat(os.path.join(env_dir, MARKER)).st_mtime_ns
    except OSError:
        return None


def gpu_of(name: str, settings: Settings) -> Accelerator | None:
    """The GPU that the backend was installed for and is to use; None: a CPU will do.

    Raises UnknownBackend.
    """
    marker = read_marker(settings.env_dir)
    if marker is None or settings.device != "auto":
        return None
    adapter = registry.get(name)
    accelerator: Accelerator = marker["accelerator"]
    # Many a backend has one build, for CPUs, whatever the machine has.
    differs = adapter.requirements(accelerator) != adapter.requirements("cpu")
    return accelerator if differs else None


def status_of(name: str, settings: Settings) -> EnvStatus:
    """The state of the backend's installation. Raises UnknownBackend."""
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
        outdated=marker["requirements"] != digest_of(adapter, accelerator),
        installed_at=marker["installed_at"],
    )


def read_marker(env_dir: str) -> dict[str, Any] | None:
    """The contents of `installed.json`; None unless its environment still works."""
    try:
        with open(os.path.join(env_dir, MARKER), encoding="utf-8") as file:
            marker: dict[str, Any] = json.load(file)
        # If the system's Python was replaced, this link dangles or leads to another version.
        python = os.path.realpath(python_in(os.path.join(env_dir, "venv")), strict=True)
        fits = os.path.basename(python) == marker["executable"] and os.access(python, os.X_OK)
        return marker if fits and marker["requirements"] and marker["accelerator"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def digest_of(adapter: type[Backend], accelerator: Accelerator) -> str:
    """Of everything that says which packages its environment is to have."""
    lock = read_lock(adapter.lock(accelerator))
    wanted = [*adapter.requirements(accelerator), lock.text if lock else ""]
    return hashlib.sha256("\n".join(wanted).encode()).hexdigest()


def packages_dir(env_dir: str) -> str | None:
    """The folder of the packages of the backend's own environment; None if it has none."""
    return site_packages_in(os.path.join(env_dir, "venv"))


def size_mb(folder: str) -> float:
    """What it takes on the disk, in megabytes. A file with several links counts once."""
    sizes = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                info = os.lstat(os.path.join(parent, name))
                sizes[info.st_dev, info.st_ino] = info.st_blocks * 512
    return sum(sizes.values()) / 1e6


def is_importable(adapter: type[Backend]) -> bool:
    try:
        return adapter.importable()
    except (ImportError, ValueError):
        return False
