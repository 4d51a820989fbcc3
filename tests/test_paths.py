"""Where files are kept, and for whose eyes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from vox.errors import StorageError
from vox.files import make_private_dir
from vox.paths import SOCKET_PATH_MAX, choose_runtime_dir, get_paths


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


as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")


@as_root
@pytest.mark.parametrize("what", ["its parent", "itself", "a link"])
def test_a_runtime_folder_of_somebody_else_is_not_used(tmp_path: Path, what: str) -> None:
    base = tmp_path / "runtime"
    usual, other = base / "vox", tmp_path / "other"
    places = [str(usual), str(other)]
    base.mkdir()
    assert choose_runtime_dir(places, "last") == (str(usual), None)
    if what == "its parent":
        os.chown(base, 12345, -1)
    elif what == "itself":
        usual.mkdir()
        os.chown(usual, 12345, -1)
    else:
        base.rename(tmp_path / "elsewhere")
        base.symlink_to(tmp_path / "elsewhere")
        os.chown(base, 12345, -1, follow_symlinks=False)
    owned = usual if what == "itself" else base
    assert choose_runtime_dir(places, "last") == (
        str(other),
        f"{owned} belongs to another user; the runtime folder is {other} instead",
    )
    other.mkdir()
    os.chown(other, 12345, -1)
    assert choose_runtime_dir(places, "last")[0] == "last"


def test_what_is_in_place_of_the_runtime_folder_is_said(tmp_path: Path) -> None:
    for name, lead in (("file", None), ("link", tmp_path)):
        place = tmp_path / name
        place.symlink_to(lead) if lead else place.touch()
        found, note = choose_runtime_dir([str(place), str(tmp_path / "other")], "last")
        assert found == str(tmp_path / "other")
        assert f"{place} is not a folder" in str(note)


def test_a_machine_without_runtime_folders_is_nothing_to_be_told_of(tmp_path: Path) -> None:
    places = [str(tmp_path / "missing" / "vox"), str(tmp_path / "other")]
    assert choose_runtime_dir(places, "last") == (places[1], None)


def test_no_runtime_folder_of_the_system_is_told_of(tmp_path: Path) -> None:
    found, note = choose_runtime_dir([str(tmp_path / "other")], "last", "it is another user's")
    assert (found, str(note).partition(";")[0]) == (str(tmp_path / "other"), "it is another user's")


def test_a_private_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o777)
    make_private_dir(str(open_to_all))
    assert stat.S_IMODE(open_to_all.stat().st_mode) == 0o700
    link = tmp_path / "link"
    link.symlink_to(open_to_all)
    with pytest.raises(StorageError, match="not a folder of yours"):
        make_private_dir(str(link))
