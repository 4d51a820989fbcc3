"""Installs and removes what a backend needs: its environment, its packages, its weights.

Writes `backends/NAME/`: `venv/` (the packages), `weights/` (the adapter's), `installed.json` last
(see `status`). How packages are installed is `pip`'s business, what an adapter needs is the
adapter's.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.util
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import __version__, files
from ..backends import registry
from ..backends.base import Accelerator, Backend, Progress, Settings, install_hint
from ..backends.kit.venv import python_in, site_packages_in
from ..errors import BackendNotInstalled, LoadFailed, StorageError
from ..files import cannot_write, locked, make_dir
from ..sizes import megabytes
from .accelerator import Choice, choose
from .fetch import run_check, run_fetch
from .figures import Figures, figures_of
from .locks import Lock, read_lock
from .pip import Pip, usable_lines
from .pythons import venv_command
from .status import (
    MARKER,
    EnvStatus,
    digest_of,
    interpreter_for,
    is_importable,
    read_marker,
    size_mb,
    status_of,
)

_LOCK = "install.lock"
_REMOVED = "removed"
"""Where things lie that are being removed."""
_MADE_FOR = "made-for"
"""Names the device that the environment is for, from before it is filled."""


Confirm = Callable[[Figures, float], bool]
"""Whether to install what takes this, with so many megabytes free on the disk."""


class Declined(Exception):
    """The user does not want it installed."""


@dataclass(frozen=True, slots=True)
class _Packages:
    """The packages that an environment is to get."""

    lines: list[str]
    lock: Lock | None
    accelerator: Accelerator
    """The device that they are for."""
    figured_for: Accelerator
    """The device for whose builds they take room."""


def install(
    name: str,
    settings: Settings,
    progress: Progress,
    *,
    accelerator: Accelerator | None = None,
    voices: Sequence[str] = (),
    confirm: Confirm = lambda _figures, _free_mb: True,
) -> EnvStatus:
    """Install what the backend needs to speak: its environment, its packages, its weights.

    What is there already is kept; an interrupted installation goes on. `voices` names further
    voices to fetch (the adapter finds them in `settings.options["voices"]`). If vox's own
    environment has the package, no other is made. `confirm` is asked before anything is fetched.
    Raises UnknownBackend, BackendNotInstalled, StorageError, LoadFailed, BadOption (an
    `accelerator` that the backend cannot use), Declined.
    """
    adapter = registry.get(name)
    choice = choose(adapter.info, settings.device, accelerator)
    if voices:
        configured = settings.options.get("voices", ())
        options = {**settings.options, "voices": [*configured, *voices]}
        settings = replace(settings, options=options)
    with _locked(name, settings.env_dir):
        shutil.rmtree(os.path.join(settings.env_dir, _REMOVED), ignore_errors=True)
        packages = _missing_packages(adapter, settings, progress, choice)
        figured_for = packages.figured_for if packages else choice.accelerator
        figures = figures_of(adapter, figured_for, settings, has_packages=packages is None)
        is_to_come = packages is not None or figures.download_mb > 0
        if is_to_come and not confirm(figures, _free_mb(settings.env_dir)):
            raise Declined
        if packages is not None:
            _install_packages(adapter, settings, progress, choice, packages, figures.peak_mb)
        interpreter = interpreter_for(name, os.path.dirname(settings.env_dir))
        if interpreter is None:
            raise BackendNotInstalled(f"{name} was not installed", install_hint(name))
        run_fetch(interpreter, registry.import_string(name), settings, progress)
        adapter.prepare(settings)
    missing = adapter.missing(settings)
    if missing:
        raise BackendNotInstalled(f"{name} cannot speak yet: {missing}")
    return status_of(name, settings)


def remove(name: str, backends_dir: str) -> bool:
    """Remove the backend's own environment and weights; False if there were none."""
    env_dir = os.path.join(backends_dir, registry.environment_of(name))
    if not os.path.isdir(env_dir):
        return False
    with _locked(name, env_dir):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(env_dir, MARKER))
        try:
            _set_aside(env_dir)
            shutil.rmtree(env_dir)
        except OSError as exc:
            raise cannot_write(env_dir, exc) from exc
    return True


def _set_aside(env_dir: str) -> None:
    """Move all but the lock out of the way, each whole.

    If the removal is killed, the next installation finds no half of an environment or model.
    """
    removed = make_dir(os.path.join(env_dir, _REMOVED))
    shutil.rmtree(removed)
    os.mkdir(removed)
    for name in os.listdir(env_dir):
        if name not in (_LOCK, _REMOVED):
            os.rename(os.path.join(env_dir, name), os.path.join(removed, name))


def _missing_packages(
    adapter: type[Backend], settings: Settings, progress: Progress, choice: Choice
) -> _Packages | None:
    """What is to be installed; None: the packages are there, or it needs none."""
    env_dir, name = settings.env_dir, adapter.info.name
    adapter.weights_mb(settings)  # first: it refuses a model that there is not
    marker = read_marker(env_dir)
    if not adapter.requirements("cpu"):
        return None
    if marker is None and is_importable(adapter):
        site_packages = _folder_with(adapter.info.package)
        if site_packages is not None:
            adapter.after_install(site_packages)
        return None
    accelerator = choice.accelerator
    if choice.note:
        progress(choice.note, None)
    if marker is not None and marker["requirements"] == digest_of(adapter, accelerator):
        progress(f"the packages of {name} are installed", None)
        return None
    lines = adapter.requirements(accelerator)
    usable = usable_lines(lines, progress)
    # Without the extra index pip takes the builds for CUDA, even for a CPU.
    figured_for: Accelerator = accelerator if len(usable) == len(lines) else "cuda"
    return _Packages(usable, read_lock(adapter.lock(accelerator)), accelerator, figured_for)


def _install_packages(
    adapter: type[Backend],
    settings: Settings,
    progress: Progress,
    choice: Choice,
    packages: _Packages,
    needed_mb: int,
) -> None:
    env_dir, name, accelerator = settings.env_dir, adapter.info.name, packages.accelerator
    began = time.monotonic()
    command = venv_command(name, packages.lock, os.path.join(env_dir, "venv"))
    progress(_announcement(name, accelerator, needed_mb, env_dir), None)
    _check_disk(name, needed_mb, env_dir)
    marker = read_marker(env_dir)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(env_dir, MARKER))
    _remove_another_build(env_dir, accelerator, marker)
    _fill(adapter, env_dir, command, packages.lines, packages.lock, progress)
    _check_device(adapter, env_dir, accelerator, progress)
    _write_marker(adapter, env_dir, choice, time.monotonic() - began)


def _remove_another_build(
    env_dir: str, accelerator: Accelerator, marker: Mapping[str, Any] | None
) -> None:
    """Remove an environment for another device: its torch would pass for the one that is wanted."""
    note = os.path.join(env_dir, _MADE_FOR)
    made_for = marker["accelerator"] if marker else accelerator
    with contextlib.suppress(OSError), open(note, encoding="ascii") as file:
        made_for = file.read()
    if made_for != accelerator:
        shutil.rmtree(os.path.join(env_dir, "venv"), ignore_errors=True)
    files.write(note, accelerator)


def _fill(
    adapter: type[Backend],
    env_dir: str,
    venv_command: list[str],
    lines: Sequence[str],
    lock: Lock | None,
    progress: Progress,
) -> None:
    """Make the environment and install its packages."""
    name = adapter.info.name
    venv_dir, temp_dir, cache_dir = (
        os.path.join(env_dir, folder) for folder in ("venv", "tmp", "downloads")
    )
    make_dir(temp_dir)
    pip = Pip(name, venv_dir, temp_dir, cache_dir, progress)
    try:
        pip.make_venv(venv_command)
        pip.probe(next(line for line in lines if not line.startswith("-")))
        pip.install(lines, lock)
    finally:
        shutil.rmtree(temp_dir, ignore_errors=True)
    site_packages = site_packages_in(venv_dir)
    if site_packages is None:
        raise BackendNotInstalled(
            f"{name} was not installed: {venv_dir} is empty", install_hint(name)
        )
    adapter.after_install(site_packages)
    pip.check_import(adapter.info.package)
    shutil.rmtree(cache_dir, ignore_errors=True)


def _check_device(
    adapter: type[Backend], env_dir: str, accelerator: Accelerator, progress: Progress
) -> None:
    """Raise BackendNotInstalled if the packages cannot use the device that they are for."""
    if accelerator == "cpu":
        return
    name = adapter.info.name
    progress(f"checking that its packages can use {accelerator}", None)
    python = python_in(os.path.join(env_dir, "venv"))
    try:
        run_check(python, f"{adapter.__module__}:{adapter.__qualname__}", accelerator)
    except LoadFailed as exc:
        remedy = f"{exc.hint}; or " if exc.hint else ""
        raise BackendNotInstalled(
            f"{name} was not installed for {accelerator}: {exc.message}",
            f"{remedy}{install_hint(name)} --device cpu",
        ) from exc


def _folder_with(package: str) -> str | None:
    """The folder in which vox's own environment has this package; None for "" and namespaces."""
    spec = importlib.util.find_spec(package) if package else None
    return os.path.dirname(os.path.dirname(spec.origin)) if spec and spec.origin else None


def _announcement(name: str, accelerator: Accelerator, needed_mb: int, env_dir: str) -> str:
    if not needed_mb:
        return f"installing {name} for {accelerator} into {env_dir}"
    need, free = megabytes(needed_mb), megabytes(_free_mb(env_dir))
    return f"installing {name} for {accelerator}: up to {need} of {free} free in {env_dir}"


def _check_disk(name: str, needed_mb: int, env_dir: str) -> None:
    # An interrupted installation has used some of it already.
    used_mb = size_mb(os.path.join(env_dir, "venv"))
    if needed_mb and _free_mb(env_dir) + used_mb < needed_mb:
        need, free = megabytes(needed_mb), megabytes(_free_mb(env_dir))
        raise StorageError(
            f"{name} needs {need} and {env_dir} has {free} free",
            f"free disk space, then {install_hint(name)}",
        )


def _free_mb(folder: str) -> float:
    return shutil.disk_usage(folder).free / 1e6


def _write_marker(adapter: type[Backend], env_dir: str, choice: Choice, took_s: float) -> None:
    python = os.path.realpath(python_in(os.path.join(env_dir, "venv")))
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    gpu = choice.gpu
    marker = {
        "requirements": digest_of(adapter, choice.accelerator),
        "lines": list(adapter.requirements(choice.accelerator)),
        "accelerator": choice.accelerator,
        "gpu": gpu.name if gpu else None,
        "driver": gpu.driver if gpu else None,
        "cuda": ".".join(map(str, gpu.cuda)) if gpu else None,
        "executable": os.path.basename(python),
        "vox": __version__,
        "installed_at": now.replace("+00:00", "Z"),
        "took_s": round(took_s, 1),
        "size_mb": round(size_mb(env_dir), 1),
    }
    files.write(os.path.join(env_dir, MARKER), json.dumps(marker, indent=2))


@contextlib.contextmanager
def _locked(name: str, env_dir: str) -> Iterator[None]:
    """Raise BackendNotInstalled while another process installs or removes the backend."""
    make_dir(env_dir)
    with locked(os.path.join(env_dir, _LOCK), blocking=False) as lock:
        if lock is None:
            raise BackendNotInstalled(
                f"{name} is being installed or removed by another vox", "wait for it to end"
            )
        yield
