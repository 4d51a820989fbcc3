"""Environments are made by real pip from a local index, and never look better than they are."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vox.backends.base import Backend, Settings
from vox.backends.kokoro import Kokoro
from vox.backends.piper.adapter import Piper
from vox.backends.qwen.mlx import QwenMlx
from vox.backends.qwen.native import QwenNative
from vox.backends.voxtream.adapter import Voxtream
from vox.errors import BackendNotInstalled, LoadFailed, StorageError, UnknownBackend
from vox.install.installer import install, remove
from vox.install.locks import this_platform
from vox.install.status import MARKER, interpreter_for, status_of

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
PLUGIN = Path(__file__).parent.parent / "plugins" / "toy"
NOWHERE = "http://127.0.0.1:9/simple"
Lines = list[str]


def make_wheel(folder: Path, code: str = "import sys\nWHO = sys.prefix\n", wants: str = "") -> Path:
    info = "toytts-1.0.dist-info"
    files = {
        "toytts/__init__.py": code,
        "toy_backend.py": (PLUGIN / "toy_backend.py").read_text(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: toytts\nVersion: 1.0\n{wants}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    path = folder / "toytts-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


@pytest.fixture
def plugin(register: Callable[[str], None]) -> None:
    """The toy is registered as a third party's backend is: by an entry point."""
    register("toy")


@pytest.fixture
def index(plugin: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which pip finds the toy's wheel, and nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    make_wheel(folder)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(str(tmp_path / "voices"), str(tmp_path / "backends" / "toy"), device="cpu")


@pytest.fixture
def begun(settings: Settings, empty_venv: Path) -> None:
    """An installation was begun: its environment is there, without packages."""
    shutil.copytree(empty_venv, Path(settings.env_dir, "venv"), symlinks=True)


def run_install(settings: Settings, **more: object) -> Lines:
    lines: Lines = []
    install("toy", settings, lambda text, _: lines.append(text), **more)  # type: ignore[arg-type]
    return lines


def weights(settings: Settings) -> Path:
    return Path(settings.env_dir) / "weights" / "toy.bin"


def marker(settings: Settings) -> Path:
    return Path(settings.env_dir) / MARKER


def backends_dir(settings: Settings) -> str:
    return os.path.dirname(settings.env_dir)


@pytest.mark.slow
def test_install_makes_an_environment_that_status_and_hosts_find(
    index: Path, settings: Settings
) -> None:
    assert interpreter_for("toy", backends_dir(settings)) is None
    lines = run_install(settings, voices=["zamenhof"])
    assert "up to 1 MB of" in lines[0] and "free" in lines[0]
    python = interpreter_for("toy", backends_dir(settings))
    assert python == os.path.join(settings.env_dir, "venv", "bin", "python")
    # The weights were fetched under the environment's own interpreter.
    assert weights(settings).read_text() == f"{settings.env_dir}/venv zamenhof"
    found = status_of("toy", settings)
    assert found.is_ready and found.own and not found.outdated and not found.broken
    assert found.accelerator == "cpu" and found.size_mb > 1
    assert list(Path(settings.env_dir).glob("venv/lib/python3*/site-packages/mended"))

    made_at = marker(settings).stat().st_mtime_ns
    assert "the packages of toy are installed" in run_install(settings)
    assert marker(settings).stat().st_mtime_ns == made_at

    check_a_damaged_one_is_none(settings)
    assert remove("toy", backends_dir(settings))
    assert not os.path.exists(settings.env_dir)
    assert not remove("toy", backends_dir(settings))


def check_a_damaged_one_is_none(settings: Settings) -> None:
    good = marker(settings).read_text()
    other = json.dumps({**json.loads(good), "requirements": "of another version"})
    marker(settings).write_text(other)
    assert status_of("toy", settings).outdated
    for damage in (good[: len(good) // 2], "[]", "", json.dumps({"requirements": "x"})):
        marker(settings).write_text(damage)
        assert interpreter_for("toy", backends_dir(settings)) is None
        assert status_of("toy", settings).broken
    marker(settings).write_text(good)
    python = Path(settings.env_dir, "venv", "bin", "python")
    target = os.readlink(python)
    python.unlink()
    python.symlink_to("/no/such/python3")
    assert interpreter_for("toy", backends_dir(settings)) is None
    python.unlink()
    python.symlink_to(target)
    assert status_of("toy", settings).is_ready


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
def test_a_failed_installation_looks_broken_and_goes_on(
    index: Path, settings: Settings, tmp_path: Path
) -> None:
    wheel = make_wheel(index)
    hidden = wheel.rename(tmp_path / wheel.name)
    with pytest.raises(BackendNotInstalled, match="toytts") as caught:
        run_install(settings)
    assert caught.value.exit_code == 4
    assert "vox backends install toy" in caught.value.line
    assert interpreter_for("toy", backends_dir(settings)) is None
    assert status_of("toy", settings).broken
    hidden.rename(wheel)
    lines = run_install(settings)
    assert "making the environment" not in lines
    assert status_of("toy", settings).is_ready
    # Killed while it unpacked: pip wrote what the package is called, but not all of it.
    marker(settings).unlink()
    (site_packages,) = Path(settings.env_dir).glob("venv/lib/python3*/site-packages")
    (site_packages / "toytts-1.0.dist-info" / "INSTALLER").unlink()
    (site_packages / "toytts" / "__init__.py").unlink()
    make_wheel(index, code="import what_there_is_not")
    with pytest.raises(BackendNotInstalled, match=r"cannot be imported: .*what_there_is_not"):
        run_install(settings)
    assert status_of("toy", settings).broken
    (site_packages / "toytts-1.0.dist-info" / "INSTALLER").unlink()
    make_wheel(index)
    run_install(settings)
    assert status_of("toy", settings).is_ready


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
def test_no_network_is_one_line(
    index: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE)
    with pytest.raises(BackendNotInstalled, match=f"no connection to {NOWHERE}") as caught:
        run_install(settings)
    assert caught.value.hint == "connect, then run: vox backends install toy"


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
def test_weights_that_cannot_be_fetched_leave_the_packages(index: Path, settings: Settings) -> None:
    offline = Settings(settings.voices_dir, settings.env_dir, options={"offline": True})
    with pytest.raises(LoadFailed, match="no connection to the toy shop"):
        run_install(offline)
    found = status_of("toy", settings)
    assert found.installed and not found.is_ready
    assert found.missing == "its weights are not fetched"
    assert "the packages of toy are installed" in run_install(settings)
    assert status_of("toy", settings).is_ready


def test_a_second_installation_at_the_same_time_is_refused(index: Path, settings: Settings) -> None:
    os.makedirs(settings.env_dir)
    with open(os.path.join(settings.env_dir, "install.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackendNotInstalled, match="being installed"):
            run_install(settings)
        with pytest.raises(BackendNotInstalled, match="being installed"):
            remove("toy", backends_dir(settings))


def test_a_removal_that_was_killed_leaves_no_half_and_is_completed_by_the_next(
    plugin: None, settings: Settings
) -> None:
    env_dir = Path(settings.env_dir)
    for folder in ("venv", "weights"):
        (env_dir / folder / "some" / "thing").mkdir(parents=True)
    killed = (
        "import os, shutil, sys; from vox.install import installer;"
        "whole = shutil.rmtree;"
        "shutil.rmtree = lambda path: whole(path) if path.endswith('removed') else os._exit(9);"
        "installer.remove('toy', sys.argv[1])"
    )
    command = [sys.executable, "-c", killed, backends_dir(settings)]
    environ = {**os.environ, "PYTHONPATH": f"{PLUGIN}{os.pathsep}{PYPROJECT.parent}"}
    assert subprocess.run(command, env=environ, check=False).returncode == 9
    assert not (env_dir / "venv").exists() and not (env_dir / "weights").exists()
    assert remove("toy", backends_dir(settings)) and not env_dir.exists()


def test_a_disk_too_small_is_said_before_anything_is_made(plugin: None, tmp_path: Path) -> None:
    settings = Settings(str(tmp_path), str(tmp_path / "toy-huge"))
    with pytest.raises(StorageError, match="needs 1000000"):
        install("toy-huge", settings, lambda _text, _done: None, accelerator="cuda")
    assert not (tmp_path / "toy-huge" / "venv").exists()
    # Where the small builds for a CPU cannot be had, the large ones must fit.
    lines: Lines = []
    with pytest.raises(StorageError, match="needs 1000000"):
        install("toy-huge", settings, lambda text, _: lines.append(text), accelerator="cpu")
    assert lines[0] == "http://127.0.0.1:9/ is unreachable; installing the larger builds"
    assert lines[1].startswith("installing toy-huge for cpu: up to 1000000.0 GB of ")


class StallingIndex(http.server.BaseHTTPRequestHandler):
    """Lists the wheel, and never sends it."""

    def __init__(self, asked: threading.Event, release: threading.Event, *args: object) -> None:
        self.asked, self.release = asked, release
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.path.endswith(".whl"):
            self.asked.set()
            self.release.wait(60)
            return
        body = b'<a href="/toytts-1.0-py3-none-any.whl">toytts-1.0-py3-none-any.whl</a>'
        if "toytts" not in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
def test_ctrl_c_in_mid_download_leaves_what_a_second_run_completes(
    index: Path, settings: Settings
) -> None:
    asked, release = threading.Event(), threading.Event()
    handler = functools.partial(StallingIndex, asked, release)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = (
            # Whoever starts the tests in the background may have had it ignored.
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from vox.backends.base import Settings\n"
            "from vox.install.installer import install\n"
            f"settings = Settings({settings.voices_dir!r}, {settings.env_dir!r}, device='cpu')\n"
            "install('toy', settings, lambda text, done: None)\n"
        )
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple",
            "PIP_FIND_LINKS": "",
        }
        del environ["PIP_NO_INDEX"]
        child = subprocess.Popen(
            [sys.executable, "-c", code], env=environ, stderr=subprocess.PIPE, text=True
        )
        try:
            assert asked.wait(60)
            child.send_signal(signal.SIGINT)
            _, said = child.communicate(timeout=30)
        finally:
            release.set()
            server.shutdown()
    assert "KeyboardInterrupt" in said
    assert status_of("toy", settings).broken
    run_install(settings)
    assert status_of("toy", settings).is_ready


def test_vox_s_own_environment_is_used_where_it_has_the_package(tmp_path: Path) -> None:
    assert interpreter_for("hibari", str(tmp_path)) == sys.executable
    found = status_of("hibari", Settings(str(tmp_path), str(tmp_path / "hibari")))
    assert found.is_ready and not found.own and not found.broken


@pytest.mark.parametrize(
    ("extra", "adapter"),
    [
        ("kokoro", Kokoro),
        ("piper", Piper),
        ("qwen", QwenMlx),
        ("qwen-native", QwenNative),
        ("voxtream", Voxtream),
    ],
)
def test_an_extra_has_the_pins_of_its_adapter(extra: str, adapter: type[Backend]) -> None:
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    pins = [line.partition(";")[0] for line in extras[extra] if not line.startswith("voxqueue")]
    assert sorted(pins) == sorted(adapter.info.requirements)


def test_a_backend_that_came_as_an_extra_is_mended_as_in_an_environment_of_its_own(
    plugin: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site_packages = tmp_path / "site-packages"
    (site_packages / "toytts").mkdir(parents=True)
    (site_packages / "toytts" / "__init__.py").write_text("import sys\nWHO = sys.prefix\n")
    monkeypatch.syspath_prepend(str(site_packages))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site_packages), str(PLUGIN)]))
    run_install(settings)
    assert (site_packages / "mended").exists()
    assert not Path(settings.env_dir, "venv").exists()
    assert status_of("toy", settings).is_ready


def test_an_unknown_backend_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(UnknownBackend):
        interpreter_for("nope", str(tmp_path))


@pytest.fixture
def lock(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock for the toy, whose wheel also wants a package that does not exist."""
    wheel = make_wheel(index, wants="Requires-Dist: no-such-demo\n")
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    path = tmp_path / "toy.txt"
    path.write_text(
        f"# serves: {this_platform()} {own}\ntoytts==1.0 \\\n    --hash=sha256:{sha256}\n"
    )
    monkeypatch.setenv("TOY_LOCK", str(path))
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
def test_a_lock_is_installed_to_the_letter(lock: Path, settings: Settings) -> None:
    right = lock.read_text()
    lock.write_text(re.sub("sha256:.*", "sha256:" + "0" * 64, right))
    with pytest.raises(BackendNotInstalled, match=r"(?i)hash"):
        run_install(settings)
    lock.write_text(right)
    run_install(settings)
    assert status_of("toy", settings).is_ready
    lock.write_text(right + "# another one\n")
    assert status_of("toy", settings).outdated
    run_install(settings)
    assert not status_of("toy", settings).outdated


def test_packages_that_do_not_exist_here_are_refused_before_anything_is_made(
    lock: Path, settings: Settings
) -> None:
    lock.write_text("# serves: amiga-68k 3.11\n# serves: linux-vax 3.11\n")
    with pytest.raises(BackendNotInstalled, match="are for amiga-68k or linux-vax, and this"):
        run_install(settings)
    lock.write_text(f"# serves: {this_platform()} 3.4 3.5\n")
    with pytest.raises(BackendNotInstalled, match=r"toy needs Python 3\.4 or 3\.5") as caught:
        run_install(settings)
    assert "install Python 3.5 or uv" in caught.value.hint
    assert not Path(settings.env_dir, "venv").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
def test_an_environment_that_cannot_use_its_device_does_not_count(
    index: Path, settings: Settings
) -> None:
    with pytest.raises(BackendNotInstalled, match=r"not installed for cuda: .* no GPU") as caught:
        run_install(settings, accelerator="cuda")
    assert caught.value.hint == "buy one; or run: vox backends install toy --device cpu"
    assert status_of("toy", settings).broken
    # A torch without CUDA would pass for one with it, and the other way round.
    lines = run_install(settings, accelerator="cpu")
    assert "making the environment" in lines
    found = status_of("toy", settings)
    assert found.is_ready and found.accelerator == "cpu"
    assert json.loads(marker(settings).read_text())["gpu"] is None
