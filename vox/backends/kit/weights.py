"""Where the files of weights lie: in the backend's folder, or in a package that carries them.

Standard library alone, for it runs in vox's process and in every backend's environment.
"""

from __future__ import annotations

import importlib.util
import os

from ..base import Settings
from .venv import site_packages_in


def weights_dir(settings: Settings) -> str:
    return os.path.join(settings.env_dir, "weights")


def package_dir(settings: Settings, package: str) -> str | None:
    """The folder of a package in the backend's environment or in the running one, unimported."""
    site_packages = site_packages_in(os.path.join(settings.env_dir, "venv"))
    if site_packages is not None:
        folder = os.path.join(site_packages, package)
        if os.path.isdir(folder):
            return folder
    spec = importlib.util.find_spec(package)
    return os.path.dirname(spec.origin) if spec is not None and spec.origin else None
