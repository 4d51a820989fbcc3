"""How voxtream's transformers run on CUDA: compiled, or as the CUDA graphs of the package.

Both are the package's own; on a CPU there is neither. Compiling takes minutes the first time, and
its results are kept beside the weights. It is left to triton, which needs a C compiler and Python's
headers, and which supports bfloat16 from Ampere on.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import shutil
import sysconfig
from collections.abc import Callable, Mapping
from typing import Any

from ...checks import Key, one_of
from ..base import COMPILED_DIR, Settings

OPTION = "compile"
KEY = Key(
    "auto",
    one_of("auto", "true", "false"),
    "compile the model for CUDA, minutes at its first load: auto (where possible), true or false",
)
_AMPERE = (8, 0)

log = logging.getLogger(__name__)


def environment(settings: Settings) -> dict[str, str]:
    """Variables to set before torch and the package are imported.

    Where torch keeps what it compiles may be set by the user.
    """
    kept = os.path.join(settings.env_dir, COMPILED_DIR)
    return {
        # The codec would compile one small function at every load, and again for a prompt of
        # another length. That takes seconds, and fails where there is no C compiler.
        "NO_TORCH_COMPILE": "1",
        "TORCHINDUCTOR_CACHE_DIR": os.environ.get("TORCHINDUCTOR_CACHE_DIR", kept),
    }


def choose(options: Mapping[str, Any], device: str) -> tuple[bool, str | None]:
    """Whether to compile the model for `device`, and a note if that is not as it was set."""
    wish = str(options.get(OPTION, KEY.default)).lower()
    if wish == "false" or (wish == "auto" and device == "cpu"):
        return False, None
    reason = _obstacle(device)
    if reason is None:
        return True, None
    return False, f"voxtream is not compiled: {reason}" if wish == "true" else None


def _obstacle(device: str) -> str | None:
    """Why the model cannot be compiled for this device; None if it can."""
    if device == "cpu":
        return "it runs on the CPU"
    import torch

    if torch.cuda.get_device_capability(device) < _AMPERE:
        return "the GPU is older than NVIDIA's Ampere"
    if importlib.util.find_spec("triton") is None:
        return "torch has no triton here"
    return missing_tool()


def missing_tool() -> str | None:
    """What triton cannot build its launchers without; None if all is there."""
    if not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        return "there is no C compiler"
    # Debian's own scheme names /usr/local, where the headers are not.
    scheme = sysconfig.get_default_scheme().replace("posix_local", "posix_prefix")
    folder = sysconfig.get_paths(scheme)["include"]
    if not os.path.exists(os.path.join(folder, "Python.h")):
        return f"{folder} has no Python.h (Debian: python3-dev)"
    return None


def warm_up(
    generator: Any, device: str, is_compiled: bool, speak: Callable[[], None]
) -> tuple[str | None, str | None]:
    """Have `speak` compile or capture all there is; returns the engine's name and a note.

    `generator`: the package's SpeechGenerator. If compiling fails, CUDA graphs take over.
    """
    if not is_compiled:
        speak()
        return (None if device == "cpu" else "graphs"), None
    try:
        speak()
    except Exception as exc:
        log.warning("voxtream cannot be compiled", exc_info=True)
        use_graphs(generator)
        speak()
        return "graphs", f"voxtream could not be compiled: {_first_line(exc)}; {_NOT_AGAIN}"
    # Its processes, one for each core, are not needed any more.
    importlib.import_module("torch._inductor.async_compile").shutdown_compile_workers()
    return "compiled", None


_NOT_AGAIN = f"to not try again: vox config set backends.voxtream.{OPTION} false"


def use_graphs(generator: Any) -> None:
    """Put CUDA graphs in place of what is compiled, as a generator has them without `compile`."""
    graphed: Any = importlib.import_module("moshi.utils.compile").CUDAGraphed
    importlib.import_module("voxtream.utils.model").patch_kv_cache_for_cuda_graph()
    model = generator.model
    for compiled, method in COMPILED.items():
        setattr(model, compiled, graphed(getattr(type(model), method).__get__(model)))


COMPILED = {
    "_temp_former": "_temp_former",
    "_dep_former_init": "_dep_former",
    "_dep_former": "_dep_former",
}
"""The model's attributes that are compiled, and the methods that they stand for."""


def _first_line(exc: BaseException) -> str:
    exc = getattr(exc, "inner_exception", exc)  # torch wraps what its compiler raises
    text = str(exc).strip() or type(exc).__name__
    return text.splitlines()[0][:200]
