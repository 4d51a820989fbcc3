"""A megabyte is 10**6 bytes wherever memory is counted: what is free is compared with what is held.

torch, mlx and NVIDIA's library are stand-ins: this machine has no GPU, and only the arithmetic
is ours.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from vox.backends.base import Settings
from vox.backends.kit import torch_tools
from vox.backends.qwen.mlx import QwenMlx
from vox.hosts import memory

GPU_BYTES = 20 * 10**9
GPU_MB = 20_000.0


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, **attributes: Any) -> None:
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


def test_free_gpu_memory_is_told_in_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        monkeypatch,
        "pynvml",
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda _handle: SimpleNamespace(free=GPU_BYTES),
    )
    assert memory.free_vram_mb("cuda:0") == GPU_MB


def test_what_torch_holds_is_told_in_the_same_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        monkeypatch,
        "torch",
        cuda=SimpleNamespace(memory_reserved=lambda _device: GPU_BYTES),
        mps=SimpleNamespace(driver_allocated_memory=lambda: GPU_BYTES),
    )
    assert torch_tools.vram_mb("cuda:0") == GPU_MB
    assert torch_tools.vram_mb("mps") == GPU_MB
    assert torch_tools.vram_mb("cpu") is None


def test_what_mlx_holds_is_told_in_the_same_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    core: dict[str, Any] = {
        "gpu": "gpu",
        "default_device": lambda: "gpu",
        "get_active_memory": lambda: GPU_BYTES // 2,
        "get_cache_memory": lambda: GPU_BYTES // 2,
    }
    stand_in(monkeypatch, "mlx", core=SimpleNamespace(**core))
    stand_in(monkeypatch, "mlx.core", **core)
    backend = QwenMlx(Settings("voices", "env"))
    backend._models["Base"] = object()
    assert backend.vram_mb() == GPU_MB
