"""How much memory is free, and how much each model needed when it was last loaded.

Knows nothing of hosts. `pool` asks before it loads a model.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys

from .. import files


def free_ram_mb() -> float | None:
    """Memory that a new process can use without swapping, in megabytes; None if unknown."""
    if sys.platform.startswith("linux"):
        return _free_linux_mb()
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        return _free_darwin_mb()
    return None


def oom_kills() -> int | None:
    """How many processes Linux has killed because memory ran out; None on other systems.

    Linux promises more memory than it has. So no allocation fails, but a process is killed.
    """
    with contextlib.suppress(OSError, ValueError), open("/proc/vmstat", encoding="ascii") as stat:
        for line in stat:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def _free_linux_mb() -> float | None:
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo", encoding="ascii") as info:
        for line in info:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 / 1e6
    return None


def _free_darwin_mb() -> float:
    out = subprocess.run(["vm_stat"], capture_output=True, text=True, timeout=5, check=True).stdout
    page = os.sysconf("SC_PAGE_SIZE")
    pages = {
        name.strip(): int(value.strip(" ."))
        for name, _, value in (line.partition(":") for line in out.splitlines()[1:])
        if value.strip(" .").isdigit()
    }
    usable = ("Pages free", "Pages inactive", "Pages speculative", "Pages purgeable")
    return sum(pages.get(name, 0) for name in usable) * page / 1e6


def free_vram_mb(device: str) -> float | None:
    """Free memory of an NVIDIA GPU, in megabytes; None without NVIDIA's library or GPU.

    `device`: "cuda" or "cuda:N".
    """
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        index = int(device.partition(":")[2] or 0)
        info = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(index))
        return float(info.free) / 1e6
    except (pynvml.NVMLError, ValueError):
        return None


class Needs:
    """Remembers how much RAM and VRAM each model took, in a small JSON file.

    A damaged or unwritable file is not an error: it only costs a prediction.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: dict[str, dict[str, float]] = {}
        with (
            contextlib.suppress(OSError, ValueError, RecursionError),
            open(path, encoding="utf-8") as file,
        ):
            known = json.load(file)
            for key, need in known.items() if isinstance(known, dict) else ():
                with contextlib.suppress(TypeError, ValueError, KeyError):
                    self._known[key] = {name: float(need[name]) for name in ("ram_mb", "vram_mb")}

    def get(self, key: str) -> tuple[float, float]:
        """(RAM, VRAM) that the model took, in megabytes; zeros if it was never loaded here."""
        need = self._known.get(key, {})
        return need.get("ram_mb", 0.0), need.get("vram_mb", 0.0)

    def put(self, key: str, ram_mb: float | None, vram_mb: float | None) -> None:
        need = {"ram_mb": ram_mb or 0.0, "vram_mb": vram_mb or 0.0}
        if self._known.get(key) == need:
            return
        self._known[key] = need
        with contextlib.suppress(Exception):
            files.write(self._path, json.dumps(self._known, indent=1))
