"""vox runs under an interpreter that has no vox installed, and brings nothing along."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from vox.bootstrap import bootstrap_args, environ_for, vox_dir
from vox.redis_url import PASSWORD_VARIABLE


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=True)
    return str(folder / "bin" / "python")


def run(python: str, module: str, cwd: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [python, *bootstrap_args(module), *args]
    env = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_bare_environment_can_import_vox(bare_python: str, tmp_path: Path) -> None:
    # `registry` has no main(): that the error names it shows that its import worked.
    done = run(bare_python, "vox.backends.registry", tmp_path)
    assert "has no attribute 'main'" in done.stderr


def test_a_module_in_the_current_folder_is_not_picked_up(bare_python: str, tmp_path: Path) -> None:
    (tmp_path / "dataclasses.py").write_text("raise SystemExit('picked up')")
    (tmp_path / "vox").mkdir()
    (tmp_path / "vox" / "__init__.py").write_text("raise SystemExit('picked up')")
    done = run(bare_python, "vox.backends.registry", tmp_path)
    assert "picked up" not in done.stderr


def test_the_folder_is_that_of_the_running_package() -> None:
    import vox

    assert vox_dir() == str(Path(vox.__file__).parent)
    assert sys.modules["vox"] is vox


def test_libraries_of_a_host_report_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    subprocess.run(
        [sys.executable, "-c", "import onnxruntime"], env=environ_for(sys.executable), check=True
    )
    assert list(tmp_path.rglob("*")) == []  # else a device id, and events on their way


def test_a_host_does_not_get_the_password_of_the_workers_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert "secret" not in environ_for(sys.executable).values()
