"""Fixtures for every test: a home of its own, and a sound server that can be recorded."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.backends.worlds import Worlds
from tests.faults.chance import SEED_VARIABLE, choose_seed
from tests.running import CHECKOUT, Vox
from tests.sound import Recorder, SoundServer
from vox.backends import registry

# How long an example takes says more of the machine's other work than of ours.
# The same examples in every run: what fails once fails again.
settings.register_profile("vox", deadline=None, derandomize=True)
settings.load_profile("vox")

# Read before the tests' own homes clear variables.
_NAMED = {name: value for name, value in os.environ.items() if name.startswith("VOX_TEST_")}


# Before pytest starts workers: all of them draw the same cases.
SEED = choose_seed()


def pytest_report_header() -> str:
    return f"faults: {SEED_VARIABLE}={SEED}"


@pytest.fixture(scope="session", autouse=True)
def heed_signals() -> None:
    """Programs ignore what whoever started us had us ignore: under nohup, a SIGHUP would be lost.

    A handler of ours, unlike SIG_IGN, is not inherited.
    """
    for signum in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) is signal.SIG_IGN:
            signal.signal(signum, lambda _signum, _frame: None)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh VOX_HOME, short enough for sockets; of other VOX_ variables only VOX_TEST_* stay.

    Nor does the size of the terminal count in which the tests were started, nor what the user has
    from Hugging Face.
    """
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    for name in list(os.environ):
        if name.startswith(("VOX_", "HF_")) and not name.startswith("VOX_TEST_"):
            monkeypatch.delenv(name)
    path = tempfile.mkdtemp(prefix="vox-", dir="/tmp")
    monkeypatch.setenv("VOX_HOME", path)
    monkeypatch.setenv("HF_HOME", os.path.join(path, "huggingface"))
    yield Path(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Called with a folder of `plugins`: its backends are registered, as a third party's are."""

    def forget() -> None:
        registry.import_strings.cache_clear()
        registry.get.cache_clear()

    def register(name: str) -> None:
        monkeypatch.syspath_prepend(str(CHECKOUT / "tests" / "plugins" / name))
        forget()

    yield register
    forget()


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    """The backends that have environments of their own, with weights that are small."""
    return Worlds(_NAMED, tmp_path_factory.mktemp("worlds"))


@pytest.fixture(scope="session")
def empty_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing but pip. It takes seconds to make, so tests copy it."""
    path = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", path], check=True, capture_output=True)
    return path


@pytest.fixture(scope="session")
def sound_server() -> Iterator[SoundServer]:
    """One private PulseAudio for the whole run; this process and its children play into it."""
    try:
        server = SoundServer()
        server.start()
    except RuntimeError as exc:
        pytest.fail(str(exc))
    before = {name: os.environ.get(name) for name in server.environ}
    os.environ.update(server.environ)
    yield server
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    server.stop()


@pytest.fixture
def sound(sound_server: SoundServer) -> SoundServer:
    """For tests that make sound: what they play can be recorded with `recorder`."""
    return sound_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundServer]:
    """A PulseAudio of the test's own, which it may kill, stop and start again."""
    server = SoundServer()
    server.start()
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    yield server
    server.stop()


@pytest.fixture
def recorder(sound: SoundServer) -> Iterator[Recorder]:
    """Records everything that is heard during the test."""
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def vox(home: Path) -> Iterator[Vox]:
    """The command line, with its own home; its daemon is stopped at the end."""
    command = Vox(home)
    yield command
    command.stop()
