"""Which accelerator this machine has, and which build of an adapter's packages fits it.

The driver is asked, for torch is not installed yet. Knows no backend: an adapter's builds come in.
"""

from __future__ import annotations

import ctypes
import glob
import os
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

from ..backends import registry
from ..backends.base import Accelerator, CudaBuild, Info, install_hint
from ..errors import BackendNotInstalled, BadOption

_PROBE_TIMEOUT_S = 10.0
_DRIVER_FOR_CUDA = {13: 580, 12: 525}
"""The oldest driver for each CUDA: NVIDIA's CUDA Compatibility, "Minor Version Compatibility"."""
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CUdevice_attribute


class Gpu(NamedTuple):
    """An NVIDIA GPU and its driver."""

    name: str
    cuda: tuple[int, int]
    """The newest CUDA version that the driver knows."""
    capability: tuple[int, int] | None
    """Its compute capability, if the driver tells."""
    driver: str | None = None


class Choice(NamedTuple):
    """What an environment is to be built for."""

    accelerator: Accelerator
    gpu: Gpu | None = None
    """The GPU that was found, whether it is used or not."""
    note: str = ""
    """Why a GPU of this machine is not used."""


def detect(device: str = "auto") -> Accelerator:
    """What `device` names, else what the machine has, whatever its driver can."""
    if device.startswith("cuda"):
        return "cuda"
    if device in ("cpu", "mps"):
        return "cpu" if device == "cpu" else "mps"
    if sys.platform == "darwin":
        return "mps" if registry.on_apple_silicon() else "cpu"
    return "cuda" if find_gpu() else "cpu"


def choose(
    info: Info,
    device: str,
    chosen: Accelerator | None = None,
    find: Callable[[], Gpu | None] | None = None,
) -> Choice:
    """What the backend's environment is to be built for.

    `device` is its setting, `chosen` what the user asks for now; `find` looks for a GPU. Raises
    BadOption for a choice that the backend cannot use, BackendNotInstalled for a GPU that none of
    its builds fits.
    """
    if chosen and not info.can_use(chosen):
        hint = install_hint(info.name)
        raise BadOption(f"{info.runs_on}, not on {chosen}", hint, field="device")
    wish = chosen or (device if info.can_use(device) else "auto")
    is_asked = wish.startswith("cuda")
    if not is_asked and (wish != "auto" or sys.platform == "darwin"):
        target = detect(wish)
        return Choice(target if info.can_use(target) else "cpu")
    if not info.can_use("cuda"):
        return Choice("cpu")
    gpu = (find or find_gpu)()
    if gpu is None:
        return Choice("cuda") if is_asked else Choice("cpu", None, unusable_gpu())
    if not info.cuda_builds:
        return Choice("cuda", gpu)
    for build in info.cuda_builds:
        trouble = _trouble(build, gpu)
        if trouble is None:
            return Choice(build.accelerator, gpu)
    # What the oldest build lacks is the least that must change.
    reason, remedy = trouble or ("", "")
    if is_asked:
        raise BackendNotInstalled(
            f"{info.name} cannot use the {gpu.name}: {reason}",
            f"{remedy}, or {install_hint(info.name)} --device cpu",
        )
    return Choice("cpu", gpu, f"the {gpu.name} is not used: {reason}; {remedy}")


def _trouble(build: CudaBuild, gpu: Gpu) -> tuple[str, str] | None:
    """Why this build cannot use the GPU, and what to do; None if it can."""
    if gpu.capability is not None and gpu.capability < build.capability:
        has, needs = _dotted(gpu.capability), _dotted(build.capability)
        return f"its compute capability is {has} and {needs} is needed", "use a newer GPU"
    if gpu.cuda < build.driver_cuda:
        has, needs = _dotted(gpu.cuda), _dotted(build.driver_cuda)
        driver = _DRIVER_FOR_CUDA.get(build.driver_cuda[0])
        update = f"update NVIDIA's driver to {driver} or newer" if driver else "update the driver"
        return f"its driver {gpu.driver or ''} knows CUDA {has} and {needs} is needed", update
    return None


def unusable_gpu(root: str = "/") -> str:
    """A note about a GPU without a driver that vox could use; "" if there is none."""
    for device in glob.glob(os.path.join(glob.escape(root), "sys/bus/pci/devices/*")):
        # Class 03 is a display controller, 10de is NVIDIA.
        if _word(device, "vendor") == "0x10de" and _word(device, "class").startswith("0x03"):
            return "an NVIDIA GPU is not used: its driver does not answer; check: nvidia-smi"
    if os.path.exists(os.path.join(root, "dev/kfd")):
        return "the AMD GPU is not used: ROCm is not supported"
    return ""


def _word(*path: str) -> str:
    try:
        with open(os.path.join(*path), encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def find_gpu() -> Gpu | None:
    """The NVIDIA GPU with the highest compute capability, as torch chooses it; None if none is."""
    if gpus := _of_driver():
        return max(gpus, key=lambda gpu: gpu.capability or (0, 0))
    return _of_libcuda()


def _of_driver() -> list[Gpu]:
    gpus = _of_nvidia_smi("name,driver_version,compute_cap")
    return gpus or _of_nvidia_smi("name,driver_version")  # before driver 510


def absent(device: str) -> str | None:
    """Why this machine cannot have models there; None: it can, as far as is known.

    `device`: see `config.device`.
    """
    if device == "mps":
        return None if registry.on_apple_silicon() else "this is no Mac with Apple silicon"
    if not device.startswith("cuda"):
        return None
    count = _count_gpus()
    if count == 0:
        return unusable_gpu() or "no NVIDIA GPU answers; check: nvidia-smi"
    if int(device.partition(":")[2] or 0) < count:
        return None
    return f"this machine has {'cuda:0 alone' if count == 1 else f'cuda:0 to cuda:{count - 1}'}"


def _count_gpus() -> int:
    """How many NVIDIA GPUs a process may use."""
    count = len(_of_driver()) or _count_of_libcuda()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return count
    return min(count, len([each for each in visible.split(",") if each.strip() not in ("", "-1")]))


def _of_nvidia_smi(query: str) -> list[Gpu]:
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    rows = [row for row in rows if len(row) == query.count(",") + 1]
    if done.returncode != 0 or not rows:
        return []
    known = _cuda_of_libcuda()
    return [
        Gpu(row[0], known or _cuda_of_driver(row[1]), _version(row[2:]), row[1]) for row in rows
    ]


def _cuda_of_driver(driver: str) -> tuple[int, int]:
    major = int(driver.partition(".")[0] or 0) if driver[:1].isdigit() else 0
    return next(
        ((cuda, 0) for cuda, oldest in _DRIVER_FOR_CUDA.items() if major >= oldest), (11, 0)
    )


def _version(cells: list[str]) -> tuple[int, int] | None:
    """ "8.6" as numbers; None for "[N/A]" and for nothing."""
    major, _, minor = "".join(cells).partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def _libcuda() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None


def _cuda_of_libcuda() -> tuple[int, int] | None:
    """What the driver's library says, which in a container may be newer than the driver."""
    library, version = _libcuda(), ctypes.c_int(0)
    if library is None or library.cuDriverGetVersion(ctypes.byref(version)) != 0:
        return None
    return version.value // 1000, version.value % 1000 // 10


def _count_of_libcuda() -> int:
    library, count = _libcuda(), ctypes.c_int(0)
    if library is None or library.cuInit(0) != 0:
        return 0
    return count.value if library.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


def _of_libcuda() -> Gpu | None:
    """For containers that have the driver's library but no nvidia-smi."""
    library, cuda = _libcuda(), _cuda_of_libcuda()
    if library is None or cuda is None or not _count_of_libcuda():
        return None
    name = ctypes.create_string_buffer(100)
    library.cuDeviceGetName(name, len(name), 0)
    numbers = (ctypes.c_int(0), ctypes.c_int(0))
    for number, attribute in zip(numbers, (_CAPABILITY_MAJOR, _CAPABILITY_MINOR), strict=True):
        if library.cuDeviceGetAttribute(ctypes.byref(number), attribute, 0) != 0:
            return Gpu(name.value.decode(errors="replace"), cuda, None)
    capability = (numbers[0].value, numbers[1].value)
    return Gpu(name.value.decode(errors="replace"), cuda, capability)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
