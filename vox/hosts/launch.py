"""How a host is started: under which interpreter, with which command, from which adapter.

The pool asks for a handle by backend name; this is the one place that knows of environments.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..backends import registry
from ..backends.base import Settings
from ..bootstrap import bootstrap_args
from ..errors import BackendNotInstalled
from ..install.environments import interpreter_for, made_at
from .handle import Handle, Limits

HOST_MODULE = "vox.hosts.host"


def start_host(
    name: str,
    settings: Settings,
    backends_dir: str,
    limits: Limits,
    on_progress: Callable[[str, float | None], None],
) -> Handle:
    """Start a host for the backend. Raises UnknownBackend, BackendNotInstalled."""
    spec = registry.import_string(name)
    adapter = registry.get(name)
    interpreter = interpreter_for(name, backends_dir)
    if interpreter is None:
        raise BackendNotInstalled(f"{name} is not installed", f"run: vox backends install {name}")
    adapter.prepare(settings)
    environment = made_at(name, backends_dir)
    try:
        host = Handle(
            name,
            [interpreter, *bootstrap_args(HOST_MODULE)],
            spec,
            settings,
            limits,
            on_progress,
        )
        host.environment = environment
        return host
    except OSError as exc:
        raise BackendNotInstalled(
            f"{name} cannot be started: {os.path.basename(interpreter)}: {exc.strerror}",
            f"run: vox backends install {name}",
        ) from exc


def is_current(host: Handle, backends_dir: str) -> bool:
    """False if the host's backend was removed, or installed anew, since it was started."""
    return host.environment == made_at(host.name, backends_dir)
