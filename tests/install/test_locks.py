"""Every built-in backend has locks that hold what its adapter pins, and say where they apply."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from vox.backends import registry
from vox.backends.base import Accelerator, Backend
from vox.backends.qwen.mlx import QwenMlx
from vox.backends.qwen.native import QwenNative
from vox.errors import BackendNotInstalled
from vox.install.locks import Lock, project_of, read_lock, this_platform
from vox.install.pythons import venv_command

ROOT = Path(__file__).parents[2]
ADAPTERS = [registry.get(name) for name in registry.BUILT_IN]
CASES: list[tuple[type[Backend], Accelerator]] = [
    (adapter, accelerator)
    for adapter in [each for each in ADAPTERS if each.info.requirements] + [QwenMlx]
    for accelerator in ("cpu", "cuda", "mps")
] + [(QwenNative, "cuda12")]


def lock_of(adapter: type[Backend], accelerator: Accelerator) -> Lock:
    lock = read_lock(adapter.lock(accelerator))
    assert lock is not None, "run contrib/lock"
    return lock


@pytest.mark.skipif(sys.platform != "linux", reason="the locks for the CPU are for Linux")
@pytest.mark.parametrize(("adapter", "accelerator"), CASES)
def test_a_lock_holds_every_pin_of_its_adapter(
    adapter: type[Backend], accelerator: Accelerator
) -> None:
    lock = lock_of(adapter, accelerator)
    lines = adapter.requirements(accelerator)
    left = lock.left_to_pip(lines)
    for line in lines:
        if line not in left and not line.startswith("-"):
            pin = re.sub(r"\[.*?\]", "", line)
            assert re.search(rf"^{re.escape(pin)} ", lock.text, re.MULTILINE), "run contrib/lock"
    # Only an extra index may leave something open, and only torch's.
    assert {project_of(line) for line in left if not line.startswith("-")} <= {
        "torch",
        "torchaudio",
    }
    assert bool(left) == (lines[0].startswith("--extra-index-url"))


@pytest.mark.parametrize("path", sorted((ROOT / "vox").rglob("locks/*.txt")), ids=lambda p: p.stem)
def test_every_package_of_a_lock_has_a_version_and_checksums(path: Path) -> None:
    rows = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", path.read_text(), flags=re.MULTILINE))
    hashes = r"( \\\n    --hash=sha256:[0-9a-f]{64})+"
    for row in rows:
        assert re.fullmatch(rf"[a-z0-9-]+==[\w.]+( ; [^\\\n]+)?{hashes}\n?", row), row
    assert not re.search(r"^gradio", path.read_text(), re.MULTILINE)


def test_no_lock_is_left_over() -> None:
    used = {Path(adapter.lock(accelerator)) for adapter, accelerator in CASES}
    assert {*(ROOT / "vox").rglob("locks/*.txt")} == used


def test_macs_with_intel_get_no_torch_and_old_pythons_no_new_packages() -> None:
    for adapter, accelerator in CASES:
        lock = lock_of(adapter, accelerator)
        serves = lock.serves
        assert "3.11" in serves["linux-x86_64"]
        assert set(re.findall(r"^# downloads: (\S+) \d+ MB$", lock.text, re.MULTILINE)) == {*serves}
        assert ("darwin-x86_64" in serves) == (adapter.info.package in ("kokoro_onnx", "piper"))
    voxtream = lock_of(registry.get("voxtream"), "cuda")
    assert [*voxtream.serves["linux-x86_64"]] == ["3.11", "3.12", "3.13"]


def lock_for(*versions: str) -> Lock:
    return Lock("", "", {this_platform(): versions})


def test_vox_s_own_python_is_taken_if_it_will_do() -> None:
    command = venv_command("toy", lock_for("3.11", "3.12"), "venv", (3, 12))
    assert command == [sys.executable, "-m", "venv", "--clear", "venv"]
    assert venv_command("toy", None, "venv", (3, 99)) == command


def test_else_another_python_or_uv_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    lock = lock_for("3.11", "3.12")
    with pytest.raises(BackendNotInstalled, match=r"needs Python 3\.11 or 3\.12.* under 3\.15"):
        venv_command("toy", lock, "venv", (3, 15))
    uv = tmp_path / "uv"
    uv.symlink_to(sys.executable)
    command = venv_command("toy", lock, "venv", (3, 15))
    assert command == [str(uv), "venv", "--clear", "--seed", "--python", "3.12", "venv"]
    python = tmp_path / "python3.11"
    python.symlink_to(sys.executable)
    (tmp_path / "python3.12").write_text("#!/bin/sh\nexit 1\n")  # as Debian's without -venv
    (tmp_path / "python3.12").chmod(0o755)
    assert venv_command("toy", lock, "venv", (3, 15))[0] == str(python)
