"""`vox backends install`: what it asks on a terminal, and what becomes of it after Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
from pathlib import Path

import pytest

from tests.running import Vox, read_terminal
from vox.backends import registry
from vox.install.status import MARKER

NOWHERE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}


@pytest.fixture
def begun(vox: Vox, empty_venv: Path) -> None:
    """An installation of kokoro was begun: its environment is there, without packages."""
    path = Path(vox.paths.backends_dir, "kokoro", "venv")
    shutil.copytree(empty_venv, path, symlinks=True)


def answered(vox: Vox, answer: str, *args: str) -> tuple[int, str]:
    """The exit code, and what a terminal shows on which the question is answered so."""
    control, terminal = os.openpty()
    call = vox.popen(*args, stdin=terminal, stdout=terminal, stderr=terminal, env=NOWHERE)
    os.close(terminal)
    os.write(control, answer.encode())
    shown = read_terminal(control)
    return call.wait(60), shown.decode()


def sizes_of(vox: Vox, name: str) -> tuple[int, int]:
    """What `vox backends` says of its download and of the disk."""
    found = json.loads(vox.ok("backends", "--json"))
    each = next(each for each in found if each["name"] == name)
    return each["download_mb"], each["disk_mb"]


def test_it_asks_on_a_terminal_and_says_what_it_takes(vox: Vox) -> None:
    code, shown = answered(vox, "n\n", "backends", "install", "kokoro")
    assert code == 1
    assert "licence: MIT, weights Apache-2.0" in shown and "nothing was installed" in shown
    download_mb, disk_mb = sizes_of(vox, "kokoro")
    assert f"kokoro downloads {download_mb} MB and takes {disk_mb} MB on the disk" in shown
    assert re.search(r"; \d+\.\d [GM]B are free", shown)
    assert not Path(vox.paths.backends_dir, "kokoro", "venv").exists()
    row = next(line for line in vox.ok("backends").splitlines() if line.startswith("kokoro\t"))
    assert row.split("\t")[2] == f"{disk_mb} MB"


def test_who_leaves_at_the_question_hears_that_nothing_was_installed(vox: Vox) -> None:
    code, shown = answered(vox, "\x04", "backends", "install", "kokoro")
    assert code != 0 and "nothing was installed" in shown


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize("options", [("--yes",), ()])
def test_yes_goes_on_and_so_does_the_answer(vox: Vox, options: tuple[str, ...]) -> None:
    code, shown = answered(vox, "\n", "backends", "install", "kokoro", *options)
    assert code == 4 and "installing kokoro for cpu" in shown
    assert ("Install it?" in shown) == (not options)


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
def test_in_a_pipe_it_does_not_ask(vox: Vox) -> None:
    told = vox("backends", "install", "kokoro", env=NOWHERE)
    assert told.code == 4
    assert "Install it?" not in told.err and "installing kokoro for cpu" in told.err


@pytest.mark.slow
@pytest.mark.usefixtures("begun")
def test_ctrl_c_says_that_what_was_fetched_is_kept_and_how_to_go_on(vox: Vox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as index:
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        call = vox.popen(
            "backends", "install", "kokoro", "-v", "af_heart", env={"PIP_INDEX_URL": url}
        )
        index.settimeout(60)
        connection, _ = index.accept()
        with connection:
            call.send_signal(signal.SIGINT)
            _, said = call.communicate(timeout=30)
    assert call.returncode == 130
    on = "what was fetched is kept; to go on: vox backends install kokoro -v af_heart"
    assert said.splitlines()[-1] == f"vox: interrupted; {on}"
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["kokoro", "piper", "qwen-native", "voxtream"])
def test_what_its_packages_take_is_what_was_measured(name: str) -> None:
    variable = f"VOX_TEST_ENV_{name.upper().replace('-', '_')}"
    python = os.environ.get(variable)
    if python is None:
        pytest.skip(f"{variable} names no environment")
    record = json.loads(Path(python).parents[2].joinpath(MARKER).read_text())
    adapter = registry.get(name)
    # Where the index of builds for CPUs is out of reach, those for CUDA are installed.
    figures = [adapter.disk_mb(device) for device in (record["accelerator"], "cuda")]
    assert any(record["size_mb"] == pytest.approx(figure, rel=0.05) for figure in figures)
