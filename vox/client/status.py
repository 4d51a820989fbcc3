"""How it is: asked of the daemon that is up, else of the job table and the inbox's folder."""

from __future__ import annotations

from typing import Any

from ..config import load
from ..files import is_locked
from ..paths import Paths
from .jobs import NoDaemon
from .remote import Remote, obstacles_in

OF_DAEMON = ("status", "pid", "uptime", "http", "wyoming", "audio", "workers")
"""What is null where no daemon is up."""


def status(paths: Paths) -> dict[str, Any]:
    """The answer of `GET /status`, whether a daemon is `running`, and the `obstacles` (see `Jobs`).

    Raises StorageError, BadConfig, DaemonUnavailable.
    """
    try:
        found: dict[str, Any] = Remote(paths).call("GET", "/status")
    except NoDaemon:
        return {"running": False, **_of_table(paths)}
    return {"running": True, "obstacles": obstacles_in(found), **found}


def _of_table(paths: Paths) -> dict[str, Any]:
    from ..inbox.status import status as status_of_folder
    from .local import Local

    local = Local(paths)
    return {
        **dict.fromkeys(OF_DAEMON),
        "status": "changing" if is_locked(paths.lock_path) else None,
        "obstacles": local.obstacles(),
        **local.overview(),
        "loaded_models": [],
        "inbox": status_of_folder(paths, load(paths.config_path)),
    }


def line_of_workers(found: dict[str, Any] | None, is_short: bool = False) -> str | None:
    """What `/health` says of the workers, in one line; None if none are set.

    `found` is None where no daemon, or an earlier one, is up. `is_short`: without advice.
    """
    if not found or found["server"] is None:
        return None
    if not found["reachable"]:
        reason = found["reason"].partition(";")[0] if is_short else found["reason"]
        return f"jobs for them wait: {reason}"
    where, others = found["server"], found["incompatible"]
    some = f"{found['busy']} of {found['count']} busy at {where}"
    shown = some if found["count"] else f"none at {where}; jobs for them wait"
    return shown + (f"; {others} of another version" if others else "")
