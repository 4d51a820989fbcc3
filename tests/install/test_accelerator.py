"""A GPU is found by asking its driver, and gets the build that it and its driver can use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vox.backends.base import Info
from vox.backends.kokoro import Kokoro
from vox.backends.qwen.native import QwenNative
from vox.backends.voxtream.adapter import Voxtream
from vox.errors import BackendNotInstalled
from vox.install.accelerator import Gpu, absent, choose, detect, find_gpu, unusable_gpu

Driver = Callable[..., None]
QWEN, VOXTREAM = QwenNative.info, Voxtream.info


@pytest.mark.parametrize(
    ("device", "accelerator"),
    [("cpu", "cpu"), ("cuda:1", "cuda"), ("cuda", "cuda"), ("mps", "mps")],
)
def test_a_configured_device_decides_the_build(device: str, accelerator: str) -> None:
    assert detect(device) == accelerator


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """Called with rows of `name, driver, compute capability`: an nvidia-smi says so."""
    if sys.platform != "linux":
        pytest.skip("NVIDIA GPUs are looked for on Linux")
    if Path("/proc/driver/nvidia").exists():
        pytest.skip("the driver of this machine would be asked, too")
    program = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def says(*rows: str, knows_capability: bool = True) -> None:
        refusal = "case $* in *compute_cap*) exit 2;; esac\n" if not knows_capability else ""
        lines = "".join(f"echo '{row}'\n" for row in rows) or "exit 6\n"
        program.write_text(f"#!/bin/sh\n{refusal}{lines}")
        program.chmod(0o755)

    return says


def test_a_gpu_is_found_by_the_driver_s_program(driver: Driver) -> None:
    driver("Toy 1, 580.95.05, 7.5", "Toy 2, 580.95.05, 12.0")
    assert find_gpu() == Gpu("Toy 2", (13, 0), (12, 0), "580.95.05")
    assert detect() == "cuda"
    driver("Old toy, 470.256.02", knows_capability=False)
    assert find_gpu() == Gpu("Old toy", (11, 0), None, "470.256.02")
    driver()
    assert find_gpu() is None
    assert detect() == "cpu"


@pytest.mark.parametrize(
    ("row", "info", "accelerator"),
    [
        ("Toy, 580.95.05, 8.6", QWEN, "cuda"),
        ("Toy, 575.57.08, 8.6", QWEN, "cuda12"),
        ("Toy, 525.60.13, 8.0", QWEN, "cuda12"),
        ("Toy, 580.95.05, 7.0", QWEN, "cuda12"),  # Volta: CUDA 13 has dropped it
        ("Toy, 580.95.05, 12.0", VOXTREAM, "cuda"),
        ("Toy, 535.183.01, 8.9", VOXTREAM, "cuda"),
        ("Toy, 580.95.05, [N/A]", QWEN, "cuda"),
        ("Toy, 580.95.05, 8.6", Kokoro.info, "cpu"),
        ("Toy, 470.256.02, 8.6", Info("third", "party's", ""), "cuda"),
    ],
)
def test_the_build_is_what_driver_and_gpu_can_use(
    driver: Driver, row: str, info: Info, accelerator: str
) -> None:
    driver(row)
    choice = choose(info, "auto")
    assert (choice.accelerator, choice.note) == (accelerator, "")


@pytest.mark.parametrize(
    ("row", "reason", "remedy"),
    [
        (
            "Toy, 470.256.02, 8.6",
            "its driver 470.256.02 knows CUDA 11.0 and 12.0",
            "to 525 or newer",
        ),
        ("Toy, 580.95.05, 6.1", "its compute capability is 6.1 and 7.0", "use a newer GPU"),
    ],
)
def test_a_gpu_that_no_build_fits_is_said_to_be_unused(
    driver: Driver, row: str, reason: str, remedy: str
) -> None:
    driver(row)
    choice = choose(QWEN, "auto")
    assert choice.accelerator == "cpu" and choice.gpu and choice.gpu.name == "Toy"
    assert f"the Toy is not used: {reason} is needed" in choice.note and remedy in choice.note
    with pytest.raises(BackendNotInstalled, match=reason) as caught:
        choose(QWEN, "cuda")
    assert remedy in caught.value.hint
    assert caught.value.hint.endswith("run: vox backends install qwen-native --device cpu")
    assert choose(QWEN, "cuda", "cpu").accelerator == "cpu"


def test_gpus_that_vox_cannot_use_are_named(tmp_path: Path) -> None:
    assert unusable_gpu(str(tmp_path)) == ""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "kfd").touch()
    assert unusable_gpu(str(tmp_path)) == "the AMD GPU is not used: ROCm is not supported"
    bus = tmp_path / "sys" / "bus" / "pci" / "devices"
    for number, (vendor, kind) in enumerate((("0x10de", "0x0403"), ("0x1002", "0x0300"))):
        (bus / f"0000:0{number}:00.0").mkdir(parents=True)
        (bus / f"0000:0{number}:00.0" / "vendor").write_text(vendor + "\n")
        (bus / f"0000:0{number}:00.0" / "class").write_text(kind + "00\n")
    assert "AMD" in unusable_gpu(str(tmp_path))
    (bus / "0000:00:00.0" / "class").write_text("0x030200\n")
    assert "its driver does not answer" in unusable_gpu(str(tmp_path))


LIBCUDA = """
#include <string.h>
int cuDriverGetVersion(int *version) { *version = 12080; return 0; }
int cuInit(unsigned flags) { return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Toy", length); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 8 : attribute == 76 ? 9 : -1;
    return 0;
}
"""


def test_a_device_that_this_machine_does_not_have_is_named(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    driver("Toy, 580.95.05, 7.5", "Toy, 580.95.05, 7.5")
    for there in ("auto", "cpu", "cuda", "cuda:0", "cuda:1"):
        assert absent(there) is None
    assert absent("cuda:2") == "this machine has cuda:0 to cuda:1"
    assert absent("mps") == "this is no Mac with Apple silicon"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert absent("cuda:0") is None
    assert absent("cuda:1") == "this machine has cuda:0 alone"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "check: nvidia-smi" in (absent("cuda") or "")


@pytest.mark.skipif(not shutil.which("cc"), reason="there is no C compiler")
@pytest.mark.skipif(sys.platform != "linux", reason="NVIDIA GPUs are looked for on Linux")
def test_without_the_driver_s_program_its_library_is_asked(tmp_path: Path) -> None:
    source = tmp_path / "cuda.c"
    source.write_text(LIBCUDA)
    library = tmp_path / "libcuda.so.1"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    code = "from vox.install.accelerator import find_gpu; print(find_gpu())"
    environ = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path), "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(Gpu("Toy", (12, 8), (8, 9)))
