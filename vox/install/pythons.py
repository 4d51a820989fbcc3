"""Which Python an environment is made with: vox's own if the packages have wheels for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence

from ..backends.base import install_hint
from ..errors import BackendNotInstalled
from .locks import Lock, this_platform

_PROBE_TIMEOUT_S = 30.0
_UV = "https://docs.astral.sh/uv"


def venv_command(
    name: str, lock: Lock | None, venv_dir: str, running: tuple[int, int] = sys.version_info[:2]
) -> list[str]:
    """The command that makes an environment for the backend, with pip in it.

    Without a lock vox's own Python will do. Else it is taken if the lock serves it, then another
    one on the PATH, then one that uv finds or fetches. Raises BackendNotInstalled, if there is
    none or if the lock does not serve this platform.
    """
    own = f"{running[0]}.{running[1]}"
    versions = lock.serves.get(this_platform(), ()) if lock else (own,)
    if lock and not versions:
        raise BackendNotInstalled(
            f"{name} cannot be installed: its packages are for {_listed([*lock.serves])}, "
            f"and this is {this_platform()}",
            "choose another backend: vox backends",
        )
    if own in versions:
        return [sys.executable, "-m", "venv", "--clear", venv_dir]
    for version in reversed(versions):
        python = shutil.which(f"python{version}")
        if python and _makes_environments(python):
            return [python, "-m", "venv", "--clear", venv_dir]
    uv = shutil.which("uv")
    if uv:
        return [uv, "venv", "--clear", "--seed", "--python", versions[-1], venv_dir]
    raise BackendNotInstalled(
        f"{name} needs Python {_listed(versions)}, and vox runs under {own}",
        f"install Python {versions[-1]} or uv ({_UV}), then {install_hint(name)}",
    )


def _makes_environments(python: str) -> bool:
    try:
        done = subprocess.run(
            [python, "-c", "import ensurepip, venv"],
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _listed(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
