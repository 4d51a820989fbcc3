"""The backends' own environments: made, found, described and removed.

Owns `backends/NAME/`: `venv/` (the packages), `weights/` (the adapter's), `installed.json`, which
is written last, so that an environment without it, or with one that does not fit, is not one. How
packages are installed is `pip`'s business, what an adapter needs is the adapter's.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import __version__, files
from ..backends import registry
from ..backends.base import Accelerator, Backend, Progress, Settings, install_hint
from ..backends.kit.venv import python_in, site_packages_in
from ..errors import BackendNotInstalled, StorageError
from ..files import cannot_write, locked, make_dir
from .fetch import run_fetch
from .pip import Pip, usable_lines

MARKER = "installed.json"
_LOCK = "install.lock"
_PROBE_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class EnvStatus:
    """What `vox backends` shows of one backend's installation."""

    name: str
    installed: bool
    """Its packages are at hand; `missing` may still say what else is not."""
    missing: str | None
    """What beyond its packages it needs to speak (weights, a program), None if nothing."""
    own: bool = False
    """Installed into an environment of its own, not into vox's."""
    python: str | None = None
    """The interpreter that its host runs under."""
    accelerator: str | None = None
    """What its own environment was built for: cpu, cuda or mps."""
    outdated: bool = False
    """Its environment was made from other requirements than this vox has for it."""
    broken: bool = False
    """There is an environment, but its installation did not end well."""
    size_mb: float = 0.0
    """What its folder takes on the disk."""
    installed_at: str | None = None
    """ISO 8601, UTC."""

    @property
    def is_ready(self) -> bool:
        return self.installed and self.missing is None


def interpreter_for(name: str, backends_dir: str) -> str | None:
    """The Python under which the backend's host is to run, None if it is not installed.

    Its own environment comes first, then vox's own if that has the package (an extra). Raises
    UnknownBackend.
    """
    adapter = registry.get(name)
    env_dir = os.path.join(backends_dir, registry.environment_of(name))
    if _marker(env_dir) is not None:
        return python_in(os.path.join(env_dir, "venv"))
    return sys.executable if _is_importable(adapter) else None


def made_at(name: str, backends_dir: str) -> int | None:
    """When the backend's own environment was made, to the nanosecond; None if there is none.

    A host that was started from one made at another time runs what is gone or replaced.
    """
    env_dir = os.path.join(backends_dir, registry.environment_of(name))
    try:
        return os.stat(os.path.join(env_dir, MARKER)).st_mtime_ns
    except OSError:
        return None


def status(name: str, settings: Settings) -> EnvStatus:
    """How the backend's installation stands. Raises UnknownBackend."""
    adapter = registry.get(name)
    interpreter = interpreter_for(name, os.path.dirname(settings.env_dir))
    marker = _marker(settings.env_dir)
    found = EnvStatus(
        name=name,
        installed=interpreter is not None,
        missing=adapter.missing(settings) if interpreter else None,
        python=interpreter,
        size_mb=_size_mb(settings.env_dir),
    )
    if marker is None:
        return replace(found, broken=os.path.isdir(os.path.join(settings.env_dir, "venv")))
    accelerator: Accelerator = marker["accelerator"]
    return replace(
        found,
        own=True,
        accelerator=accelerator,
        outdated=marker["requirements"] != _digest(adapter.requirements(accelerator)),
        installed_at=marker["installed_at"],
    )


def install(
    name: str,
    settings: Settings,
    progress: Progress,
    *,
    accelerator: Accelerator | None = None,
    voices: Sequence[str] = (),
) -> EnvStatus:
    """Make the backend able to speak: its environment, its packages, its weights.

    What is there already is kept; an interrupted installation goes on. `voices` names further
    voices to fetch (the adapter finds them in `settings.options["voices"]`). Where vox's own
    environment has the package, that one is used. Raises UnknownBackend, BackendNotInstalled,
    StorageError, LoadFailed.
    """
    adapter = registry.get(name)
    if voices:
        configured = settings.options.get("voices", ())
        options = {**settings.options, "voices": [*configured, *voices]}
        settings = replace(settings, options=options)
    with _locked(name, settings.env_dir):
        _install_packages(adapter, settings, progress, accelerator or detect(settings.device))
        interpreter = interpreter_for(name, os.path.dirname(settings.env_dir))
        if interpreter is None:
            raise BackendNotInstalled(f"{name} was not installed", install_hint(name))
        run_fetch(interpreter, registry.import_string(name), settings, progress)
        adapter.prepare(settings)
    missing = adapter.missing(settings)
    if missing:
        raise BackendNotInstalled(f"{name} cannot speak yet: {missing}")
    return status(name, settings)


def remove(name: str, backends_dir: str) -> bool:
    """Remove the backend's own environment and weights; False if there were none."""
    env_dir = os.path.join(backends_dir, registry.environment_of(name))
    if not os.path.isdir(env_dir):
        return False
    with _locked(name, env_dir):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(env_dir, MARKER))
        try:
            shutil.rmtree(env_dir)
        except OSError as exc:
            raise cannot_write(env_dir, exc) from exc
    return True


def detect(device: str = "auto") -> Accelerator:
    """What environments are to be built for here, unless `device` says it.

    Asks the driver, not torch, which is not installed yet.
    """
    if device.startswith("cuda"):
        return "cuda"
    if device in ("cpu", "mps"):
        return "cpu" if device == "cpu" else "mps"
    if sys.platform == "darwin":
        return "mps" if registry.on_apple_silicon() else "cpu"
    return "cuda" if _has_nvidia_gpu() else "cpu"


def _has_nvidia_gpu() -> bool:
    try:
        command = ["nvidia-smi", "-L"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
        return done.returncode == 0 and "GPU" in done.stdout
    except (OSError, subprocess.TimeoutExpired):
        return _cuda_driver_answers()


def _cuda_driver_answers() -> bool:
    """Containers may have the driver's library without nvidia-smi."""
    import ctypes

    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return False
    return count.value > 0


def _install_packages(
    adapter: type[Backend], settings: Settings, progress: Progress, accelerator: Accelerator
) -> None:
    env_dir, name = settings.env_dir, adapter.info.name
    lines = adapter.requirements(accelerator)
    marker = _marker(env_dir)
    if not lines or (marker is None and _is_importable(adapter)):
        return
    if marker is not None and marker["requirements"] == _digest(lines):
        progress(f"the packages of {name} are installed", None)
        return
    began = time.monotonic()
    usable = usable_lines(lines, progress)
    # Without the index of the small builds come those for CUDA, whatever they run on.
    needed_mb = adapter.disk_mb(accelerator if len(usable) == len(lines) else "cuda")
    progress(_what_it_takes(name, accelerator, needed_mb, env_dir), None)
    _check_disk(name, needed_mb, env_dir)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(env_dir, MARKER))
    venv_dir, temp_dir = os.path.join(env_dir, "venv"), os.path.join(env_dir, "tmp")
    make_dir(temp_dir)
    try:
        pip = Pip(name, venv_dir, temp_dir, progress)
        pip.make_venv()
        pip.probe(next(line for line in lines if not line.startswith("-")))
        pip.install(usable)
    finally:
        shutil.rmtree(temp_dir, ignore_errors=True)
    site_packages = site_packages_in(venv_dir)
    if site_packages is None:
        raise BackendNotInstalled(
            f"{name} was not installed: {venv_dir} is empty", install_hint(name)
        )
    adapter.after_install(site_packages)
    pip.check_import(adapter.info.package)
    _write_marker(env_dir, lines, accelerator, time.monotonic() - began)


def _what_it_takes(name: str, accelerator: Accelerator, needed_mb: int, env_dir: str) -> str:
    if not needed_mb:
        return f"installing {name} for {accelerator} into {env_dir}"
    need, free = _gigabytes(needed_mb), _gigabytes(_free_mb(env_dir))
    return f"installing {name} for {accelerator}: {need} of {free} free in {env_dir}"


def _check_disk(name: str, needed_mb: int, env_dir: str) -> None:
    # A started installation has taken its share already.
    if needed_mb and _free_mb(env_dir) + _size_mb(env_dir) < needed_mb:
        need, free = _gigabytes(needed_mb), _gigabytes(_free_mb(env_dir))
        raise StorageError(
            f"{name} needs {need} and {env_dir} has {free} free",
            f"make room, then {install_hint(name)}",
        )


def _free_mb(folder: str) -> float:
    return shutil.disk_usage(folder).free / 1e6


def _gigabytes(megabytes: float) -> str:
    return f"{megabytes / 1000:.1f} GB"


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _marker(env_dir: str) -> dict[str, Any] | None:
    """What `installed.json` says, None unless the environment it describes is still there."""
    try:
        with open(os.path.join(env_dir, MARKER), encoding="utf-8") as file:
            marker: dict[str, Any] = json.load(file)
        # A dangling link or another minor version: the system's Python was replaced.
        python = os.path.realpath(python_in(os.path.join(env_dir, "venv")), strict=True)
        fits = os.path.basename(python) == marker["executable"] and os.access(python, os.X_OK)
        return marker if fits and marker["requirements"] and marker["accelerator"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write_marker(
    env_dir: str, lines: Sequence[str], accelerator: Accelerator, took_s: float
) -> None:
    python = python_in(os.path.join(env_dir, "venv"))
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    marker = {
        "requirements": _digest(lines),
        "lines": list(lines),
        "accelerator": accelerator,
        "python": platform.python_version(),
        "executable": os.path.basename(os.path.realpath(python)),
        "vox": __version__,
        "installed_at": now.replace("+00:00", "Z"),
        "took_s": round(took_s, 1),
        "size_mb": round(_size_mb(env_dir), 1),
    }
    files.write(os.path.join(env_dir, MARKER), json.dumps(marker, indent=2))


def _size_mb(folder: str) -> float:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_blocks * 512
    return total / 1e6


def _is_importable(adapter: type[Backend]) -> bool:
    try:
        return adapter.importable()
    except (ImportError, ValueError):
        return False


@contextlib.contextmanager
def _locked(name: str, env_dir: str) -> Iterator[None]:
    """Keep a second installation of the same backend out. Raises BackendNotInstalled."""
    make_dir(env_dir)
    with locked(os.path.join(env_dir, _LOCK), blocking=False) as lock:
        if lock is None:
            raise BackendNotInstalled(
                f"{name} is being installed or removed by another vox", "wait for it to end"
            )
        yield
