"""ssh's files get what leads here, and are to the byte what they were once it is taken away."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from vox.errors import StorageError
from vox.ssh.config_file import ConfigFile, Forward
from vox.ssh.login import forwards_to

HERE = "/run/user/1000/vox/remote-build.sock"
BUILD = Forward("build", "me@build", "/run/user/7/vox-remote-%L.sock", HERE)
OTHER = Forward("other", "other", "/home/a b/%L.sock", "/tmp/c d/remote-other.sock")
USERS = [
    b"",
    b"\n\n",
    b"Host *\n    ServerAliveInterval 60\n",
    b"Host build\r\n\tPort 7\r\n",
    b"# no newline at the end, and no UTF-8: \xff\nHost x\n  User y",
    b"Include others.conf\nMatch all\n",
]


@pytest.fixture
def config(tmp_path: Path) -> ConfigFile:
    return ConfigFile(str(tmp_path / "ssh" / "config"))


def write(config: ConfigFile, data: bytes, mode: int = 0o600) -> None:
    path = Path(config.path)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


@pytest.mark.parametrize("users", USERS)
def test_what_was_added_is_taken_away_to_the_byte(config: ConfigFile, users: bytes) -> None:
    write(config, users, 0o640)
    for forward in (BUILD, OTHER):
        assert config.put(forward)
    changed = Path(config.path).read_bytes()
    assert changed == f"Include {config.own_path}\n".encode() + users
    assert config.forwards() == {"build": BUILD, "other": OTHER}
    assert config.remove("build")
    assert Path(config.path).read_bytes() == changed
    assert config.forwards() == {"other": OTHER}
    assert config.remove("other")
    assert Path(config.path).read_bytes() == users
    assert stat.S_IMODE(os.stat(config.path).st_mode) == 0o640
    assert not os.path.exists(config.own_path)


def test_a_file_that_was_not_there_is_not_there_again(config: ConfigFile) -> None:
    assert config.put(BUILD)
    assert stat.S_IMODE(os.stat(config.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(config.own_path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(config.path)).st_mode) == 0o700
    config.put(OTHER)
    config.remove("other")
    config.remove("build")
    assert os.listdir(os.path.dirname(config.path)) == []


def test_one_that_the_user_has_written_to_meanwhile_stays(config: ConfigFile) -> None:
    config.put(BUILD)
    with open(config.path, "ab") as file:
        file.write(b"Host mine\n")
    config.remove("build")
    assert Path(config.path).read_bytes() == b"Host mine\n"


def test_the_same_again_changes_nothing(config: ConfigFile) -> None:
    write(config, USERS[2])
    assert config.put(BUILD)
    before = {path: os.stat(path) for path in (config.path, config.own_path)}
    assert not config.put(BUILD)
    assert {path: os.stat(path) for path in before} == before


def test_what_has_changed_takes_the_place_of_what_was(config: ConfigFile) -> None:
    config.put(BUILD)
    config.put(OTHER)
    new = Forward("build", "you@build", "/elsewhere/%L.sock", HERE)
    assert config.put(new)
    assert config.forwards() == {"build": new, "other": OTHER}
    assert not config.remove("nobody")


def test_a_link_stays_one_and_what_it_leads_to_is_changed(config: ConfigFile) -> None:
    real = Path(config.path).parent.parent / "dotfiles"
    real.write_bytes(USERS[2])
    Path(config.path).parent.mkdir(mode=0o700)
    Path(config.path).symlink_to(real)
    config.put(BUILD)
    assert real.read_bytes().endswith(USERS[2]) and real.read_bytes() != USERS[2]
    config.remove("build")
    assert Path(config.path).is_symlink()
    assert real.read_bytes() == USERS[2]


def test_a_read_only_file_is_refused_and_the_user_told_the_line(config: ConfigFile) -> None:
    write(config, USERS[2], 0o400)
    with pytest.raises(StorageError) as caught:
        config.put(BUILD)
    assert "read-only" in caught.value.line
    assert f"Include {config.own_path}" in caught.value.line
    assert os.listdir(os.path.dirname(config.path)) == ["config"]
    # With the line in it, there is nothing to change.
    write_anyway = f"Include {config.own_path}\n".encode() + USERS[2]
    os.chmod(config.path, 0o600)
    write(config, write_anyway, 0o400)
    assert config.put(BUILD)
    with pytest.raises(StorageError):
        config.remove("build")
    assert config.forwards() == {"build": BUILD}


def test_a_folder_in_its_place_is_one_clear_line(config: ConfigFile) -> None:
    os.makedirs(config.path)
    with pytest.raises(StorageError, match=r"cannot read .*config: Is a directory"):
        config.put(BUILD)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here")
@pytest.mark.parametrize("users", [b"", USERS[2], USERS[3], USERS[5]])
def test_ssh_heeds_it(config: ConfigFile, users: bytes) -> None:
    write(config, users)
    config.put(BUILD)
    config.put(OTHER)
    for forward in (BUILD, OTHER):
        assert forwards_to(forward.host, config.options, forward.here)
        assert forwards_to(f"root@{forward.host}", config.options, forward.here)
    assert not forwards_to("build.example.com", config.options, HERE)
    assert not forwards_to("other", config.options, HERE)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="no ssh here")
def test_an_include_below_a_host_is_not_heeded(config: ConfigFile) -> None:
    write(config, f"Host other\nInclude {config.own_path}\n".encode())
    config.put(BUILD)
    assert not forwards_to("build", config.options, HERE)
