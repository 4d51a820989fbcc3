"""The units that start vox on a drop: also for unusual folders, checked with their own readers."""

from __future__ import annotations

import configparser
import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[2] / "contrib/install-inbox-units"
ODD = 'in & box [1] 100% "x" $HOME <>'


@pytest.fixture
def vox_command(tmp_path: Path) -> Path:
    """A vox command beside its Python, as pip installs it."""
    folder = tmp_path / "an environment/bin"
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(sys.executable)
    script = folder / "vox"
    root = Path(__file__).parents[2]
    script.write_text(f"#!/bin/sh\nPYTHONPATH='{root}' exec '{sys.executable}' -m vox \"$@\"\n")
    script.chmod(0o755)
    return script


def install(command: Path, home: Path, vox_home: Path, *arguments: str) -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "VOX": str(command),
        "VOX_HOME": str(vox_home),
    }
    subprocess.run(
        [INSTALL, "--write-only", *arguments], env=environ, check=True, timeout=60,
        stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip


def test_without_a_systemd_that_answers_one_line_says_what_to_do(
    vox_command: Path, inbox: Path, tmp_path: Path
) -> None:
    systemctl = tmp_path / "bin/systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text("#!/bin/sh\necho Failed to connect to bus >&2\nexit 1\n")
    systemctl.chmod(0o755)
    environ = {
        "PATH": f"{systemctl.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "VOX": str(vox_command),
        "VOX_HOME": str(inbox.parent),
    }

    def run(*arguments: str) -> tuple[int, list[str]]:
        done = subprocess.run(
            [INSTALL, "--systemd", *arguments], env=environ, check=False, timeout=60,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        lines = done.stderr.splitlines()
        return done.returncode, [line for line in lines if ": wrote " not in line]

    code, (line,) = run()
    assert code == 1
    assert "run this again" in line and "vox inbox on" in line
    assert run("--remove") == (0, [])
    assert list((tmp_path / ".config/systemd/user").iterdir()) == []


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / ODD / "inbox"
    (folder / "piper").mkdir(parents=True)
    return folder


def test_the_systemd_units_are_good(vox_command: Path, inbox: Path, tmp_path: Path) -> None:
    install(vox_command, tmp_path, inbox.parent, "--systemd")
    units = tmp_path / ".config/systemd/user"
    parser = configparser.RawConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(units / "vox-inbox.service")
    environment = parser["Service"]["Environment"]
    for escaped, plain in (("%%", "%"), ('\\"', '"')):
        environment = environment.replace(escaped, plain)
    assert environment == f'"VOX_HOME={inbox.parent}"'
    assert "@" not in (units / "vox-inbox.path").read_text()
    assert parser["Service"]["ExecStart"].endswith('/an environment/bin/python" -m vox.daemon')
    escaped = str(inbox).replace("%", "%%")
    text = (units / "vox-inbox.path").read_text()
    for folder in (escaped, f"{escaped}/piper"):
        assert f"PathChanged={folder}\n" in text
    assert "/*.[tT][xX][tT]\n" in text and "/done" not in text
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    for unit in ("vox-inbox.path", "vox-inbox.service"):
        done = subprocess.run(
            ["systemd-analyze", "verify", "--user", "--man=no", unit],
            cwd=units,
            env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        ours = [line for line in done.stderr.splitlines() if "vox-inbox" in line]
        assert (done.returncode, ours) == (0, []), done.stderr


def test_the_launchd_agent_is_good(vox_command: Path, inbox: Path, tmp_path: Path) -> None:
    install(vox_command, tmp_path, inbox.parent, "--launchd")
    path = tmp_path / "Library/LaunchAgents/vox-inbox.plist"
    agent = plistlib.loads(path.read_bytes())
    assert agent["Label"] == "vox-inbox" and agent["RunAtLoad"] is True
    assert agent["ProgramArguments"][0].endswith("/an environment/bin/python")
    assert agent["ProgramArguments"][1:] == ["-m", "vox.daemon"]
    assert agent["EnvironmentVariables"] == {"VOX_HOME": str(inbox.parent)}
    assert agent["WatchPaths"] == [str(inbox), str(inbox / "piper")]
