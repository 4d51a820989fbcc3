"""Which service manager this machine has."""

from __future__ import annotations

import os
import sys

from ..paths import Paths
from .launchd import Launchd
from .manager import Manager
from .systemd import SOCKET, Systemd


def manager() -> Manager:
    return Launchd() if sys.platform == "darwin" else Systemd()


def owns_socket(paths: Paths) -> bool:
    """Whether the control socket may be systemd's: whoever connects then starts the daemon."""
    if sys.platform == "darwin":
        return False
    try:
        with open(os.path.join(Systemd().folder, SOCKET), encoding="utf-8") as file:
            return f"ListenStream={paths.socket_path.replace('%', '%%')}\n" in file.read()
    except OSError:
        return False
