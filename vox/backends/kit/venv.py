"""Where an environment keeps its interpreter and its packages."""

from __future__ import annotations

import glob
import os


def python_in(venv_dir: str) -> str:
    return os.path.join(venv_dir, "bin", "python")


def site_packages_in(venv_dir: str) -> str | None:
    """The folder that holds the environment's packages, None if there is none."""
    found = glob.glob(os.path.join(glob.escape(venv_dir), "lib", "python3*", "site-packages"))
    return found[0] if found else None
