"""How a host's subprocess is started: under which interpreter, with which command and limits.

This is the one place that knows of environments and of the settings that limit a host's time.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from ..backends import registry
from ..backends.base import Settings, install_hint
from ..bootstrap import bootstrap_args
from ..config import Config
from ..errors import BackendNotInstalled
from ..files import stamp
from ..install.status import gpu_of, interpreter_for, made_at
from .base import Host, HostFactory
from .handle import Handle, Limits
from .inline import InlineHost

HOST_MODULE = "vox.hosts.host"


def subprocess_hosts(backends_dir: str, config: Callable[[], Config]) -> HostFactory:
    """A factory of hosts that run in subprocesses of this machine."""

    def start(name: str, settings: Settings) -> Handle:
        return start_host(name, settings, backends_dir, limits_of(config()))

    return start


def inline_hosts(backends_dir: str, config: Callable[[], Config]) -> HostFactory:
    """As `subprocess_hosts`, but a light backend without a package of its own is in this process.

    For a process that speaks one job and ends.
    """

    def start(name: str, settings: Settings) -> Host:
        adapter = registry.get(name)
        limits = limits_of(config())
        if adapter.info.light and not adapter.info.package:
            return InlineHost(name, adapter(settings), limits)
        return start_host(name, settings, backends_dir, limits)

    return start


def limits_of(config: Config) -> Limits:
    return Limits(
        load_s=config["load_timeout_s"],
        first_chunk_s=config["first_chunk_timeout_s"],
        stall_s=config["stall_timeout_s"],
    )


def start_host(name: str, settings: Settings, backends_dir: str, limits: Limits) -> Handle:
    """Start a host for the backend. Raises as `HostFactory`."""
    spec = registry.import_string(name)
    adapter = registry.get(name)
    interpreter = interpreter_for(name, backends_dir)
    if interpreter is None:
        raise BackendNotInstalled(f"{name} is not installed", install_hint(name))
    adapter.prepare(settings)
    command = [interpreter, *bootstrap_args(HOST_MODULE)]
    runs = functools.partial(_what_runs, name, settings, backends_dir)
    then = runs()
    gpu = gpu_of(name, settings)
    try:
        return Handle(name, command, spec, settings, limits, lambda: runs() == then, gpu)
    except OSError as exc:
        raise BackendNotInstalled(
            f"{name} cannot be started: {os.path.basename(interpreter)}: {exc.strerror}",
            install_hint(name),
        ) from exc


def _what_runs(name: str, settings: Settings, backends_dir: str) -> tuple[int | None, str]:
    """Differs once the environment was made anew, or the files of a model of the user's own."""
    model = os.path.expanduser(settings.model or "")
    return made_at(name, backends_dir), stamp(model) if os.path.isabs(model) else ""
