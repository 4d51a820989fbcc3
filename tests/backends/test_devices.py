"""Which devices a backend can use, and what is said to those who set another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.conftest import Environment
from vox.backends import registry
from vox.backends.base import Settings
from vox.backends.kit.torch_tools import check_cuda
from vox.errors import BadOption, LoadFailed
from vox.hosts.base import Host
from vox.hosts.handle import Limits
from vox.hosts.inline import InlineHost
from vox.hosts.launch import start_host
from vox.install.accelerator import choose, find_gpu
from vox.install.fetch import run_check

HIBARI, NATIVE = registry.get("hibari").info, registry.get("qwen-native").info
NOTE = "hibari runs on cpu only; device = cuda:0 has no effect"


@pytest.mark.parametrize("name", list(registry.BUILT_IN))
def test_every_backend_that_comes_with_vox_says_what_it_runs_on(name: str) -> None:
    info = registry.get(name).info
    assert info.devices[0] == "cpu"
    assert info.device_note("auto") is info.device_note("cpu") is None


def test_a_device_that_a_backend_cannot_use_is_noted() -> None:
    assert HIBARI.device_note("cuda:0") == NOTE
    note = registry.get("voxtream").info.device_note("mps")
    assert note == "voxtream runs on cpu or cuda only; device = mps has no effect"
    assert NATIVE.device_note("cuda:7") is None


def loaded(name: str, tmp_path: Path, device: str) -> Host:
    settings = Settings(str(tmp_path / "voices"), str(tmp_path / name), device=device)
    adapter = registry.get(name)
    if not adapter.info.package:
        return InlineHost(name, adapter(settings), Limits())
    return start_host(name, settings, str(tmp_path), Limits())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hibari", "say"])
def test_the_first_job_on_a_host_is_told_of_a_device_without_effect(
    name: str, tmp_path: Path
) -> None:
    if registry.get(name).missing(Settings("", "")):
        pytest.skip(f"{name} cannot speak here")
    for device, notes in (("cuda:0", [NOTE.replace("hibari", name)]), ("auto", [])):
        host = loaded(name, tmp_path, device)
        try:
            host.load()
            assert (host.take_notes(), host.take_notes()) == (notes, [])
        finally:
            host.kill()


def test_a_backend_is_installed_for_what_it_can_use() -> None:
    assert choose(HIBARI, "cuda").accelerator == "cpu"
    assert choose(NATIVE, "cuda:1").accelerator in ("cuda", "cuda12")
    assert choose(NATIVE, "cuda:1", "cpu").accelerator == "cpu"
    with pytest.raises(BadOption, match="hibari runs on cpu only, not on cuda") as refused:
        choose(HIBARI, "auto", "cuda")
    assert "vox backends install hibari" in refused.value.hint


@pytest.mark.parametrize(
    ("wish", "is_for_gpus", "gpus", "message", "hint"),
    [
        ("cuda", False, 0, "installed for the CPU", "vox backends install toy --device cuda"),
        ("cuda", True, 0, "finds no GPU", "nvidia-smi"),
        ("cuda:1", True, 1, "no cuda:1 here, but cuda:0", "device = auto"),
        ("cuda:5", True, 3, "no cuda:5 here, but cuda:0 to cuda:2", "device = auto"),
    ],
)
def test_a_gpu_that_cannot_be_had_is_refused_with_the_way_out(
    wish: str, is_for_gpus: bool, gpus: int, message: str, hint: str
) -> None:
    with pytest.raises(LoadFailed, match=message) as refused:
        check_cuda(wish, "toy", is_for_gpus, gpus)
    assert hint in refused.value.hint


def test_a_gpu_that_is_there_is_not_refused() -> None:
    check_cuda("cuda", "toy", True, 1)
    check_cuda("cuda:1", "toy", True, 2)


@pytest.mark.heavy
@pytest.mark.skipif(find_gpu() is not None, reason="this machine has a GPU")
@pytest.mark.parametrize("name", ["qwen-native", "voxtream"])
def test_torch_says_why_it_cannot_use_a_gpu(environment: Environment, name: str) -> None:
    python = environment(name)[0]
    run_check(python, registry.import_string(name), "cpu")
    with pytest.raises(LoadFailed, match=r"^torch [\d.+a-z]+ (cannot use the GPU: |is a build w)"):
        run_check(python, registry.import_string(name), "cuda")
