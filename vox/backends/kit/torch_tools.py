"""Shared by the adapters on torch: choosing a device, GPU memory, errors of full memory.

Runs in a host, under the interpreter of the backend's own environment. Knows no model. torch is
imported inside the functions, for vox's own process imports the adapters too.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import sys
import warnings
from collections.abc import Iterator

from ...errors import LoadFailed, OutOfMemory, VoxError
from ..base import Accelerator, Info

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")
_OUT_OF_MEMORY = (
    "out of memory",
    "can't allocate memory",
    "metal::malloc",
    "Insufficient Memory",
)


def cpu_index(accelerator: Accelerator) -> tuple[str, ...]:
    """The line of a requirements file that offers torch for the CPU alone, where it is wanted.

    PyPI's torch for Linux carries gigabytes of CUDA. A local version (2.13.0+cpu) wins over it.
    """
    wanted = accelerator == "cpu" and sys.platform == "linux"
    return ("--extra-index-url https://download.pytorch.org/whl/cpu",) if wanted else ()


def run_a_kernel(accelerator: Accelerator) -> None:
    """Run a kernel on the GPU, if the environment is for one. Raises LoadFailed."""
    if not accelerator.startswith("cuda"):
        return
    import torch

    build = f"torch {torch.__version__}"
    if torch.version.cuda is None:
        raise LoadFailed(
            f"{build} is a build without CUDA", "look where pip takes torch from: pip config list"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.cuda.init()  # unlike `is_available` it says what is wrong
            square = torch.ones(64, 64, device="cuda")
            total = float((square @ square).sum())
    except Exception as exc:
        why = next(iter(str(exc).splitlines()), type(exc).__name__)
        raise LoadFailed(
            f"{build} cannot use the GPU: {why}", "update NVIDIA's driver (see: nvidia-smi)"
        ) from exc
    if total != 64**3:
        raise LoadFailed(f"{build} computes wrongly on the GPU: {total:g} instead of {64**3}")


def pick_device(wish: str, info: Info) -> str:
    """`cpu`, `mps`, `cuda` or `cuda:N` from `settings.device`; `auto` is the best there is.

    A device that the backend cannot use counts as `auto`: the user is told (`Info.device_note`).
    Raises LoadFailed for a device that is unknown or that this machine or this torch lacks.
    """
    import torch

    if not _DEVICE.fullmatch(wish):
        raise LoadFailed(f"unknown device {wish!r}", "use one of: auto, cpu, cuda, cuda:N, mps")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    if wish == "auto" or not info.can_use(wish):
        has = {"cuda": bool(gpus), "mps": has_mps}
        return next((each for each in has if has[each] and info.can_use(each)), "cpu")
    if wish.startswith("cuda"):
        is_for_gpus = bool(torch.version.cuda or torch.version.hip)
        check_cuda(wish, info.name, is_for_gpus, gpus)
    if wish == "mps" and not has_mps:
        raise LoadFailed("torch finds no device 'mps' here", "choose device = auto or cpu")
    return wish


def check_cuda(wish: str, name: str, is_for_gpus: bool, gpus: int) -> None:
    """Raise LoadFailed, with the way out, unless the backend can have `cuda` or `cuda:N`.

    `is_for_gpus`: its torch is a build for GPUs. `gpus`: how many of them that torch can use.
    """
    if not is_for_gpus:
        raise LoadFailed(
            f"{name} was installed for the CPU and cannot use {wish}",
            f"run: vox backends install {name} --device cuda",
        )
    if not gpus:
        raise LoadFailed(
            f"{name} finds no GPU that it can use: {wish} is not available",
            "look at the driver: nvidia-smi; or choose device = auto or cpu",
        )
    if int(wish.partition(":")[2] or 0) >= gpus:
        there_are = "cuda:0" if gpus == 1 else f"cuda:0 to cuda:{gpus - 1}"
        raise LoadFailed(f"there is no {wish} here, but {there_are}", "choose device = auto")


def vram_mb(device: str) -> float | None:
    """Megabytes (10**6 bytes) of GPU memory that torch holds on `device`; None for a CPU."""
    import torch

    if device.startswith("cuda"):
        # Reserved, not allocated: the cache that torch keeps is taken from other processes too.
        return float(torch.cuda.memory_reserved(device)) / 1e6
    if device == "mps":
        return float(torch.mps.driver_allocated_memory()) / 1e6
    return None


def translate_oom(exc: BaseException) -> VoxError | None:
    """OutOfMemory if `exc`, or what it was raised from, means that memory ran out; else None.

    By name and message, not by class: torch's own error exists only where torch does, MPS, the CPU
    allocator and MLX's Metal raise a plain RuntimeError, and libraries wrap all of them.
    """
    seen: BaseException | None = exc
    while seen is not None:
        names = {cls.__name__ for cls in type(seen).__mro__}
        text = str(seen)
        if names & {"OutOfMemoryError", "MemoryError"} or (
            isinstance(seen, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
        ):
            first_line = text.strip().splitlines()[0] if text.strip() else type(seen).__name__
            return OutOfMemory(f"the model does not fit into memory: {first_line}")
        seen = seen.__cause__ or seen.__context__
    return None


@contextlib.contextmanager
def no_initial_values() -> Iterator[None]:
    """Build modules without filling their weights with random numbers.

    Only for modules whose parameters are all loaded from a file afterwards: until then they are
    arbitrary.
    """
    init = importlib.import_module("torch.nn.init")
    names = ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_")
    originals = {name: getattr(init, name) for name in names}
    for name in names:
        setattr(init, name, lambda tensor, *_args, **_kwargs: tensor)
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(init, name, original)
