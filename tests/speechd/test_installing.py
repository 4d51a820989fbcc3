"""What `vox speechd` writes, and that each file is as it was once it is removed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.running import CHECKOUT, Vox
from vox.errors import BadConfig, BadInput
from vox.speechd import installing
from vox.speechd.installing import Places
from vox.speechd.settings import FASTEST, fastest_in

from .driving import MISSING

SYSTEM = b"LogLevel 3\nDefaultVolume 100\n"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "speechd.conf").write_bytes(SYSTEM)
    return Places(
        str(tmp_path / "libexec" / "sd_vox"), str(tmp_path / "share"),
        str(tmp_path / "config" / "speechd.conf"), str(tmp_path / "etc" / "speechd.conf"),
    )  # fmt: skip


def test_without_add_module_lines_the_server_finds_it_by_itself(places: Places) -> None:
    assert installing.configure(places, is_default=False) is False
    assert not os.path.exists(places.config)


def test_where_modules_are_named_it_is_named_too(places: Places) -> None:
    named = b'AddModule "espeak-ng" "sd_espeak-ng" "espeak-ng.conf"\n'
    Path(places.system_config).write_bytes(SYSTEM + named)
    assert installing.configure(places, is_default=False)
    text = Path(places.config).read_bytes()
    assert text.startswith(SYSTEM + named)
    assert b'\nAddModule "vox" "sd_vox" "vox.conf"\n' in text
    assert installing.unconfigure(places)
    assert not os.path.exists(os.path.dirname(places.config))


def test_a_copy_that_the_user_has_changed_stays_without_our_lines(places: Places) -> None:
    assert installing.configure(places, is_default=True)
    assert installing.is_default(places)
    path = Path(places.config)
    path.write_bytes(path.read_bytes().replace(b"100", b"80"))
    assert installing.unconfigure(places)
    assert path.read_bytes() == SYSTEM.replace(b"100", b"80")
    assert not installing.is_default(places)


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"DefaultModule espeak-ng",
        b"DefaultModule espeak-ng\n",
        b"\n\n",
        b"x\r\n",
        b'AddModule "a" "sd_a" "a.conf"\n# a comment\xff',
        b'#AddModule "a" "sd_a" "a.conf"\nDefaultModule vox\n',
    ],
)
def test_a_file_is_as_it_was_byte_for_byte(places: Places, before: bytes) -> None:
    path = Path(places.config)
    path.parent.mkdir()
    path.write_bytes(before)
    path.chmod(0o640)
    for is_default in (True, False, True, True):
        installing.configure(places, is_default)
    assert installing.is_default(places)
    assert installing.configure(places, is_default=True) is False
    installing.unconfigure(places)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o640


def test_lines_that_the_user_wrote_below_ours_stay(places: Places) -> None:
    path = Path(places.config)
    path.parent.mkdir()
    path.write_bytes(b"above\n")
    installing.configure(places, is_default=True)
    with path.open("ab") as file:
        file.write(b"below\n")
    installing.unconfigure(places)
    assert path.read_bytes() == b"above\nbelow\n"


def test_a_part_of_our_lines_is_refused_and_nothing_is_changed(places: Places) -> None:
    path = Path(places.config)
    path.parent.mkdir()
    path.write_bytes(b"above\n")
    installing.configure(places, is_default=True)
    damaged = path.read_bytes().replace(b"# <<<", b"#")
    path.write_bytes(damaged)
    for change in (installing.unconfigure, lambda at: installing.configure(at, True)):
        with pytest.raises(BadConfig, match="a part of what vox had added"):
            change(places)
    assert path.read_bytes() == damaged


def test_a_link_stays_one(places: Places, tmp_path: Path) -> None:
    target = tmp_path / "dotfiles"
    target.write_bytes(SYSTEM)
    path = Path(places.config)
    path.parent.mkdir()
    path.symlink_to(target)
    installing.configure(places, is_default=True)
    assert path.is_symlink() and b"DefaultModule vox" in target.read_bytes()
    installing.unconfigure(places)
    assert path.is_symlink() and target.read_bytes() == SYSTEM


def test_a_program_that_is_not_vox_s_is_left_alone(places: Places) -> None:
    path = Path(places.module)
    path.parent.mkdir()
    path.write_bytes(b"#!/bin/sh\n\xff")
    with pytest.raises(BadInput, match="is not vox's own"):
        installing.install_module(places, {})
    assert installing.remove_module(places) is False
    assert path.read_bytes() == b"#!/bin/sh\n\xff"


def test_the_program_leads_to_the_same_files(places: Places) -> None:
    assert installing.install_module(places, {"VOX_HOME": "/tmp/it's here"})
    assert installing.install_module(places, {"VOX_HOME": "/tmp/it's here"}) is False
    done = subprocess.run(
        [places.module], input=b"INIT\nQUIT\n", capture_output=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == b"210 OK QUIT"
    assert installing.remove_module(places)
    assert not os.path.exists(os.path.dirname(places.module))


def test_the_program_for_packages_is_the_module_too() -> None:
    ours, folder = CHECKOUT / "contrib" / "speechd", os.path.dirname(sys.executable)
    done = subprocess.run(
        [ours / "sd_vox", ours / "vox.conf"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PATH": f"{folder}:{os.environ['PATH']}"},
        input=b"INIT\nQUIT\n", capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == b"210 OK QUIT"
    assert fastest_in(str(ours / "vox.conf")) == FASTEST


@pytest.fixture
def user(vox: Vox, home: Path) -> Iterator[Vox]:
    """A user with a home of their own, and a runtime folder."""
    vox.environ |= {
        "HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_CONFIG_HOME": "",
        "XDG_DATA_HOME": "", "SPEECHD_ADDRESS": "", "LANG": "C.UTF-8",
    }  # fmt: skip
    yield vox
    if (pid := installing.server_pid({"XDG_RUNTIME_DIR": str(home)})) is not None:
        os.kill(pid, signal.SIGTERM)


def test_status_says_what_is_not_there(user: Vox) -> None:
    result = user("speechd", "status")
    assert result.code == 3
    assert "not installed" in result.out
    assert user("speechd", "status", "--json").json()["installed"] is False
    assert user.ok("speechd", "uninstall") == "not installed"


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_a_server_of_the_user_s_finds_it_and_loses_it_again(user: Vox, sound: object) -> None:
    environ = {**os.environ, **user.environ}
    start = ["speech-dispatcher", "--spawn", "--timeout", "0"]
    subprocess.run(start, env=environ, check=True, capture_output=True, timeout=60)

    def modules() -> list[str]:
        """Once it answers: it does not while it loads them."""
        until(lambda: installing.server_modules(environ) is not None)
        found: list[str] = user("speechd", "status", "--json").json()["server_modules"] or []
        return found

    def pid() -> int:
        found = installing.server_pid(environ)
        assert found is not None
        return found

    def until(is_true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not is_true():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def end(server: int) -> None:
        os.kill(server, signal.SIGTERM)
        with contextlib.suppress(ProcessLookupError):
            until(lambda: os.kill(server, 0) is not None)

    assert "vox" not in modules()
    assert "kill" not in user("speechd", "status").out
    user.ok("speechd", "install", "--default")
    assert f"to have it do so: kill {pid()}\n" in user("speechd", "status").out
    user.ok("speechd", "uninstall")
    assert f"kill -HUP {pid()}" in user.ok("speechd", "install")
    assert f"to have it do so: kill -HUP {pid()}\n" in user("speechd", "status").out
    os.kill(pid(), signal.SIGHUP)
    until(lambda: "vox" in modules())
    assert f"kill {pid()}" in user.ok("speechd", "install", "--default")
    end(pid())
    status = user("speechd", "status", "--json").json()
    assert status["default"] and status["server_modules"] is None

    def spd_say(*args: str) -> str:
        """As any program does, it starts the server."""
        done = subprocess.run(
            ["spd-say", *args], env=environ, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout

    assert "heart" in spd_say("-L")  # of the default module
    assert f"kill {pid()}" in user.ok("speechd", "uninstall")
    end(pid())
    assert "vox" not in spd_say("-O").split()
