"""The inbox: asked of the daemon that is up, else of the folder itself."""

from __future__ import annotations

from typing import Any

from ..config import load
from ..paths import Paths
from .jobs import NoDaemon
from .remote import Remote
from .spawn import spawn_daemon


def status(paths: Paths) -> dict[str, Any]:
    """See `inbox.status.status`. Raises StorageError, BadConfig, DaemonUnavailable."""
    try:
        found: dict[str, Any] = Remote(paths).call("GET", "/inbox")
    except NoDaemon:
        from ..inbox.status import status as status_of_folder

        return status_of_folder(paths, load(paths.config_path))
    return found


def retry(paths: Paths) -> list[str]:
    """Put every failed file back, and start a daemon if none is up and something is to be spoken.

    Returns the files' names. Raises StorageError, BadConfig, DaemonUnavailable.
    """
    try:
        names: list[str] = Remote(paths).call("POST", "/inbox/retry")
    except NoDaemon:
        from ..inbox.status import retry as retry_in_folder

        names = retry_in_folder(paths, load(paths.config_path))
        if names:
            spawn_daemon(paths, wait=False)
    return names
