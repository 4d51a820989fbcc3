"""Where files are kept, and for whose eyes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vox.errors import StorageError
from vox.files import make_private_dir
from vox.paths import SOCKET_PATH_MAX, get_paths


def test_vox_home_holds_everything(tmp_path: Path) -> None:
    paths = get_paths({"VOX_HOME": str(tmp_path)})
    for name in ("config_path", "db_path", "inbox_dir", "spool_dir", "socket_path", "log_path"):
        assert getattr(paths, name).startswith(f"{tmp_path}/")


def test_a_home_begins_at_the_user_s_and_is_a_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert get_paths({"VOX_HOME": "here"}).data_dir == f"{tmp_path}/here"
    assert get_paths({"VOX_HOME": "~/there"}).data_dir == os.path.expanduser("~/there")


def test_a_socket_path_that_is_too_long_goes_to_a_short_private_folder(tmp_path: Path) -> None:
    homes = [str(tmp_path / ("long" * 40) / name) for name in ("a", "b")]
    sockets = [get_paths({"VOX_HOME": home}).socket_path for home in homes]
    assert all(len(os.fsencode(path)) <= SOCKET_PATH_MAX for path in sockets)
    assert sockets[0] != sockets[1]
    assert f"-{os.getuid()}-" in sockets[0]


def test_another_home_than_the_user_s_own_has_a_daemon_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    places = []
    for name in ("a", "b"):
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / name))
        places.append(get_paths({}).runtime_dir)
    assert len(set(places)) == 2


def test_a_private_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o777)
    make_private_dir(str(open_to_all))
    assert stat.S_IMODE(open_to_all.stat().st_mode) == 0o700
    link = tmp_path / "link"
    link.symlink_to(open_to_all)
    with pytest.raises(StorageError, match="not a folder of yours"):
        make_private_dir(str(link))
