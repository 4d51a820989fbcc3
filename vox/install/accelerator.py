"""Which accelerator this machine has. The driver is asked, for torch is not installed yet."""

from __future__ import annotations

import subprocess
import sys

from ..backends import registry
from ..backends.base import Accelerator, Info, install_hint
from ..errors import BadOption

_PROBE_TIMEOUT_S = 10.0


def detect(device: str = "auto") -> Accelerator:
    """What an environment is to be built for: what `device` names, else what the machine has."""
    if device.startswith("cuda"):
        return "cuda"
    if device in ("cpu", "mps"):
        return "cpu" if device == "cpu" else "mps"
    if sys.platform == "darwin":
        return "mps" if registry.on_apple_silicon() else "cpu"
    return "cuda" if _has_nvidia_gpu() else "cpu"


def target_of(info: Info, device: str, chosen: Accelerator | None) -> Accelerator:
    """What the backend's environment is to be built for.

    `device` is its setting, `chosen` what the user asks for now. Raises BadOption for a choice that
    the backend cannot use.
    """
    if chosen and not info.can_use(chosen):
        raise BadOption(
            f"{info.runs_on}, not on {chosen}",
            install_hint(info.name),
            field="device",
        )
    target = chosen or detect(device if info.can_use(device) else "auto")
    return target if info.can_use(target) else "cpu"


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
    """For containers that have the driver's library but no nvidia-smi."""
    import ctypes

    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return False
    return count.value > 0
