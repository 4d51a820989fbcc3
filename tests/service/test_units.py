"""The units that start the daemon: also for unusual folders, checked with their own readers."""

from __future__ import annotations

import configparser
import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import Vox
from vox.config import load
from vox.errors import BadConfig
from vox.paths import get_paths
from vox.service.launchd import Launchd
from vox.service.spec import Spec, make_spec
from vox.service.systemd import Systemd

ODD = 'in & box [1] 100% "x" $HOME <>'


@pytest.fixture
def odd_home(tmp_path: Path) -> Path:
    folder = tmp_path / ODD
    for name in ("piper", "done", "failed", ".work"):
        (folder / "inbox" / name).mkdir(parents=True)
    return folder


def spec_of(home: Path, *settings: str) -> Spec:
    (home / "config.toml").write_text("\n".join(settings))
    environ = {"VOX_HOME": str(home), "XDG_DATA_HOME": "/elsewhere"}
    paths = get_paths(environ)
    return make_spec(paths, load(paths.config_path, {}), environ)


def read_unit(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def test_a_service_listens_where_the_settings_say(odd_home: Path) -> None:
    spec = spec_of(odd_home, 'http = "127.0.0.1:8765"')
    paths = get_paths({"VOX_HOME": str(odd_home)})
    assert spec.socket_paths == [paths.socket_path]
    heard = spec_of(odd_home, 'remote_hosts = ["build"]')
    assert heard.socket_paths == [paths.socket_path, paths.remote_socket_path("build")]
    assert spec.addresses == ["127.0.0.1:8765"]
    assert spec_of(odd_home).addresses == []
    with pytest.raises(BadConfig, match="reachable from other machines"):
        spec_of(odd_home, 'http = "0.0.0.0:8765"')
    both = spec_of(odd_home, 'http = "0.0.0.0:8765"', "http_allow_remote = true")
    assert both.addresses == ["0.0.0.0:8765"]
    two = spec_of(odd_home, 'http = "127.0.0.1:8765"', 'wyoming = "127.0.0.1:10200"')
    assert two.addresses == ["127.0.0.1:8765", "127.0.0.1:10200"]


def test_a_service_watches_an_inbox_that_is_on(odd_home: Path) -> None:
    inbox = str(odd_home / "inbox")
    assert spec_of(odd_home).inbox_folders == [inbox, f"{inbox}/piper"]
    assert spec_of(odd_home, "inbox.enabled = false").inbox_folders == []


def test_the_systemd_units_are_good(odd_home: Path, tmp_path: Path) -> None:
    units = Systemd().units(spec_of(odd_home, 'http = "127.0.0.1:8765"'))
    texts = {os.path.basename(path): text for path, text in units.items()}
    service = read_unit(texts["vox.service"])
    environment = service["Service"]["Environment"]
    for escaped, plain in (("%%", "%"), ('\\"', '"')):
        environment = environment.replace(escaped, plain)
    assert environment == f'"VOX_HOME={odd_home}"'
    assert service["Service"]["ExecStart"] == f'"{sys.executable}" "-m" "vox.daemon"'
    assert texts["vox.socket"].count("ListenStream=") == 2
    assert "\nListenStream=127.0.0.1:8765\n" in texts["vox.socket"]
    escaped = str(odd_home / "inbox").replace("%", "%%")
    watched = texts["vox-inbox.path"]
    for folder in (escaped, f"{escaped}/piper"):
        assert f"PathChanged={folder}\n" in watched
    assert "/*.[tT][xX][tT]\n" in watched and "/done" not in watched
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    folder = tmp_path / "units"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    for unit in texts:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--user", "--man=no", unit],
            cwd=folder,
            env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        ours = [line for line in done.stderr.splitlines() if "vox" in line]
        assert (done.returncode, ours) == (0, []), done.stderr


def test_without_an_inbox_there_is_no_unit_for_one(odd_home: Path) -> None:
    units = Systemd().units(spec_of(odd_home, "inbox.enabled = false"))
    assert sorted(map(os.path.basename, units)) == ["vox.service", "vox.socket"]


def test_the_launchd_agent_is_good(odd_home: Path) -> None:
    ((path, text),) = Launchd().units(spec_of(odd_home)).items()
    assert path.endswith("/Library/LaunchAgents/vox.plist")
    agent = plistlib.loads(text.encode())
    assert agent["Label"] == "vox" and agent["RunAtLoad"] is True
    assert agent["ProgramArguments"] == [sys.executable, "-m", "vox.daemon"]
    assert agent["EnvironmentVariables"] == {"VOX_HOME": str(odd_home)}
    inbox = odd_home / "inbox"
    assert agent["WatchPaths"] == [str(inbox), str(inbox / "piper")]


SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> {log}
case "$*" in
    *show-environment) [ -e {folder}/runs ] && echo HOME=/home/you || exit 1 ;;
    *is-active*) echo active ;;
esac
"""


@pytest.fixture
def systemctl(vox: Vox, tmp_path: Path) -> Path:
    """The folder of a stand-in for systemctl, whose manager runs if there is a file `runs`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemctl"
    program.write_text(SYSTEMCTL.format(log=folder / "log", folder=folder))
    program.chmod(0o755)
    vox.environ |= {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    return folder


def test_without_a_systemd_that_answers_one_line_says_what_to_do(
    vox: Vox, systemctl: Path, tmp_path: Path
) -> None:
    answer = vox("service", "install")
    assert (answer.code, answer.out, answer.err.count("\n")) == (3, "", 1)
    assert "enable-linger" in answer.err and "vox inbox on" in answer.err
    assert not (tmp_path / "config").exists()
    assert (vox("service", "status").code, vox.ok("service", "uninstall")) == (3, "not installed")
    assert "wrote" in vox.ok("service", "install", "--write-only")
    answer = vox("service", "status")
    assert answer.code == 0 and "nothing starts the daemon by itself" in answer.err
    vox.ok("service", "uninstall")
    assert list((tmp_path / "config/systemd/user").iterdir()) == []


def test_what_is_installed_is_told_changed_and_taken_away(
    vox: Vox, systemctl: Path, tmp_path: Path
) -> None:
    (systemctl / "runs").touch()
    folder = tmp_path / "config/systemd/user"
    said = vox.ok("service", "install").splitlines()
    names = {"vox.service", "vox.socket", "vox-inbox.path"}
    assert set(os.listdir(folder)) == names
    assert said[:3] == [f"wrote {folder}/{name}" for name in ("vox.service", "vox.socket",
                                                              "vox-inbox.path")]  # fmt: skip
    assert said[-1] == "to undo: vox service uninstall"
    log = (systemctl / "log").read_text().splitlines()
    assert log[-3:] == [f"--user restart {name}" for name in ("vox.socket", "vox-inbox.path",
                                                              "vox.service")]  # fmt: skip
    changed = vox("config", "set", "inbox.enabled", "false")
    assert changed.err == "vox: takes effect for the service after: vox service install\n"
    said = vox.ok("service", "install").splitlines()
    assert said[:3] == [
        f"unchanged {folder}/vox.service",
        f"unchanged {folder}/vox.socket",
        f"removed {folder}/vox-inbox.path",
    ]
    told = vox("service", "status", "--json").json()
    assert told["units"] == {"vox.service": "active", "vox.socket": "active"}
    assert vox.ok("service", "uninstall").count("removed") == 2
    assert os.listdir(folder) == []
