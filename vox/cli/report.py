"""What a report of a fault of a backend says: of the machine, its packages, and how it speaks.

A user pastes it where everybody reads it. So it holds no names of people and hosts, no tokens, no
texts of theirs, and of the folder of a model its last name alone.
"""

from __future__ import annotations

import getpass
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from typing import Any

from .. import __version__
from ..backends import registry
from ..backends.base import Backend, Settings
from ..install.accelerator import find_gpu, unusable_gpu
from ..install.status import interpreter_for, packages_dir, read_marker
from ..paths import Paths
from ..sizes import megabytes
from .output import engine_of
from .voices import open_catalog

Loaded = dict[str, Any]
"""A host, as `/health` has it."""

_TOKEN = re.compile(r"\bhf_[A-Za-z0-9]{6,}")
_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*")
_CUDA = re.compile(r"^cuda\b[^=]*=\s*'([\d.]+)'", re.MULTILINE)
_TELLING = ("transformers", "onnxruntime", "numpy")
"""Packages whose versions explain faults, though no adapter pins them."""
_PROBE_TIMEOUT_S = 10.0


class Report:
    """The facts, as they become known."""

    def __init__(self, paths: Paths, name: str, model: str | None) -> None:
        """Gathers what is known before the backend speaks. Raises UnknownBackend."""
        settings = open_catalog(paths).settings_for(name, model)
        self._model = os.path.normpath(settings.model) if settings.model else None
        self.facts: dict[str, Any] = {
            "vox": __version__,
            "backend": name,
            "system": _system(),
            "cpu": _cpu(),
            "python": platform.python_version(),
            **_environment(registry.get(name), settings, paths.backends_dir),
            "model": settings.model,
        }

    def add_first(self, model: Loaded | None) -> None:
        """The model after the call that loaded it."""
        if model is None:
            return
        self.facts.update(
            model=model["model"],
            runs_on=engine_of(model),
            device=model["device"],
            dtype=model["dtype"],
            engine=model["engine"],
            load_s=model["load_s"],
            notes=model["notes"],
        )
        if model["jobs"] == 1:
            self.facts["cold_first_sound_s"] = _sum(model["load_s"], model["first_chunk_s"])
        self._add_memory(model)

    def add_second(self, before: Loaded | None, after: Loaded | None) -> None:
        """The model before and after the call that found it warm."""
        if before and after and before["pid"] == after["pid"]:
            audio_s = after["audio_s"] - before["audio_s"]
            work_s = after["synthesis_s"] - before["synthesis_s"]
            self.facts["warm_first_sound_s"] = after["first_chunk_s"]
            self.facts["times_real_time"] = round(audio_s / work_s, 2) if work_s else None
            self._add_memory(after)

    def _add_memory(self, model: Loaded) -> None:
        self.facts.update(memory_mb=model["memory_mb"], vram_mb=model["vram_mb"])

    def add_trouble(self, line: str) -> None:
        if line:
            self.facts["error"] = line

    def make_anonymous(self) -> None:
        """Take out what is private. To be called last."""
        model = self._model or ""
        place = model.removesuffix(os.path.basename(model)) if os.path.isabs(model) else ""
        self.facts = {name: _anonymous(value, place) for name, value in self.facts.items()}

    def text(self) -> str:
        """For people: a line for each fact that is known."""
        known = self.facts.get
        packages = ", ".join(
            f"{name} {version}" for name, version in self.facts["packages"].items()
        )
        speed = known("times_real_time")
        lines = {
            "vox": self.facts["vox"],
            "backend": self.facts["backend"],
            "system": self.facts["system"],
            "CPU": self.facts["cpu"],
            "GPU": known("gpu"),
            "at install": known("gpu_at_install"),
            "built for": known("built_for"),
            "python": f"{self.facts['python']}, the backend's {known('backend_python') or 'none'}",
            "packages": packages,
            "torch's CUDA": known("torch_cuda"),
            "model": known("model"),
            "runs on": known("runs_on"),
            "load": _seconds(known("load_s")),
            "first sound": _joined(
                _seconds(known("cold_first_sound_s"), " with the load"),
                _seconds(known("warm_first_sound_s"), " warm"),
            ),
            "speed": f"{speed:.2f} x real time" if speed else None,
            "memory": _joined(
                megabytes(known("memory_mb")) if known("memory_mb") else None,
                f"VRAM {megabytes(known('vram_mb'))}" if known("vram_mb") else None,
            ),
            "notes": "; ".join(known("notes") or ()),
            "result": f"failed: {known('error')}" if known("error") else "works",
        }
        return "\n".join(f"{name:14}{value}" for name, value in lines.items() if value)


def _system() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}, {platform.machine()}"
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release()}, {platform.machine()}"


def _cpu() -> str:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            found = re.search(r"^model name\s*:\s*(.+)$", file.read(), re.MULTILINE)
        model = found[1] if found else model
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} threads, {memory_gb:.0f} GB of memory"


def _environment(adapter: type[Backend], settings: Settings, backends_dir: str) -> dict[str, Any]:
    """Of what the backend's environment consists, and for which GPU it was made."""
    marker = read_marker(settings.env_dir) or {}
    interpreter = interpreter_for(adapter.info.name, backends_dir)
    site_packages = packages_dir(settings.env_dir)
    at_install = _joined(
        marker.get("gpu"),
        f"driver {marker['driver']}" if marker.get("driver") else None,
        f"CUDA {marker['cuda']}" if marker.get("cuda") else None,
    )
    own = [site_packages] if marker and site_packages else sys.path
    folders = own if interpreter else []
    return {
        "gpu": _gpu(),
        "gpu_at_install": at_install or None,
        "built_for": marker.get("accelerator"),
        "backend_python": _version_of(interpreter) if interpreter else None,
        "packages": _versions(adapter, folders),
        "torch_cuda": _torch_cuda(folders),
    }


def _gpu() -> str | None:
    """The NVIDIA GPU of the machine, now, and what its driver knows."""
    gpu = find_gpu()
    if gpu is None:
        return unusable_gpu() or None
    capability = ".".join(map(str, gpu.capability or ()))
    return _joined(
        gpu.name,
        f"driver {gpu.driver}" if gpu.driver else None,
        f"CUDA {'.'.join(map(str, gpu.cuda))}",
        f"compute capability {capability}" if capability else None,
    )


def _version_of(interpreter: str) -> str | None:
    code = "import platform; print(platform.python_version())"
    try:
        done = subprocess.run(
            [interpreter, "-I", "-c", code],
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _versions(adapter: type[Backend], folders: list[str]) -> dict[str, str]:
    """The versions of the packages that the adapter pins and of some others, if installed.

    Of an adapter that pins none, that of the package that does its work.
    """
    pinned = [_REQUIREMENT.match(line) for line in adapter.info.requirements]
    names = [found[0] for found in pinned if found]
    imported = f"{adapter.info.package}/__init__.py"
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions(path=folders):
        found.setdefault(_normal(distribution.name), distribution.version)
        if not names and imported in map(str, distribution.files or ()):
            names = [distribution.name]
    wanted = dict.fromkeys([*names, *_TELLING])
    return {name: found[_normal(name)] for name in wanted if _normal(name) in found}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _torch_cuda(folders: list[str]) -> str | None:
    for folder in folders:
        try:
            with open(os.path.join(folder, "torch", "version.py"), encoding="utf-8") as file:
                found = _CUDA.search(file.read())
        except OSError:
            continue
        return found[1] if found else "none"
    return None


def _anonymous(value: Any, place: str) -> Any:
    """The value without tokens, the user's name and home, and `place`, where the model lies."""
    if isinstance(value, list):
        return [_anonymous(each, place) for each in value]
    if not isinstance(value, str):
        return value
    value = value.replace(place, ".../") if len(place) > 1 else value
    value = _TOKEN.sub("hf_...", value)
    value = value.replace(os.path.expanduser("~"), "~") if os.path.expanduser("~") != "/" else value
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        return value
    return re.sub(rf"(?<=/){re.escape(user)}(?=/|$)", "USER", value)


def _joined(*parts: str | None) -> str:
    return ", ".join(part for part in parts if part)


def _seconds(value: float | None, after: str = "") -> str | None:
    return None if value is None else f"{value:.2f} s{after}"


def _sum(*values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known), 3) if len(known) == len(values) else None
