"""Files that are written whole or not at all, private folders, and locks among processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from vox import files
from vox.audio.files import check_output
from vox.errors import BadOutput, StorageError

LONGEST_NAME = "あ" * 83 + ".mp3"  # 253 bytes


@pytest.mark.parametrize("name", ["a.txt", LONGEST_NAME])
def test_a_file_takes_the_place_of_another_in_one_step(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    with files.replacing(str(path)) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_on_the_way_leaves_the_old_file_alone(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_halfway() -> None:
        with files.replacing(str(path)) as file:
            file.write(b"new")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    files.replace(str(link), "text", mode=0o600)
    assert link.is_symlink() and target.read_text() == "text"
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_leftover_of_a_crash_is_no_obstacle(tmp_path: Path) -> None:
    leftover = tmp_path / ".new"
    leftover.write_text("half")
    files.replace(str(tmp_path / "a.txt"), "whole", temporary=str(leftover))
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert not leftover.exists()


def test_write_makes_the_folder_and_names_what_cannot_be_written(tmp_path: Path) -> None:
    files.write(str(tmp_path / "sub" / "a.txt"), "text")
    assert (tmp_path / "sub" / "a.txt").read_text() == "text"
    with pytest.raises(StorageError, match="cannot write"):
        files.write(str(tmp_path / "sub" / "a.txt" / "b.txt"), "text")


def test_a_lock_keeps_other_processes_out_until_it_is_closed(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")

    def other_gets_it() -> bool:
        code = f"from vox import files; raise SystemExit(files.lock({path!r}, False) is None)"
        return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    assert not files.is_locked(path)
    with files.locked(path) as fd:
        assert fd is not None and files.is_locked(path)
        assert not other_gets_it()
        with files.locked(path, blocking=False) as second:
            assert second is None
    assert not files.is_locked(path)
    assert other_gets_it()


def test_asking_for_a_lock_makes_no_file(tmp_path: Path) -> None:
    assert not files.is_locked(str(tmp_path / "lock"))
    assert files.holder(str(tmp_path / "lock")) is None
    assert os.listdir(tmp_path) == []


def test_a_lock_is_of_the_file_that_is_there_now(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    first = files.lock(path)
    assert first is not None
    taken: list[int | None] = []
    waiting = threading.Thread(target=lambda: taken.append(files.lock(path)))
    waiting.start()
    while sum(file.path == path for file in psutil.Process().open_files()) < 2:
        pass  # until it waits, too
    os.unlink(path)
    with files.locked(path, blocking=False) as second:
        assert second is not None and files.is_at(second, path)
        os.close(first)
        waiting.join(0.2)
        assert not taken  # it does not take the removed one for the lock
    waiting.join()
    (third,) = taken
    assert third is not None and files.is_at(third, path)
    os.close(third)


def test_the_system_names_who_has_signed_a_lock(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")

    def named() -> str:
        code = f"from vox import files; print(files.holder({path!r}))"
        return subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.strip()

    with files.locked(path) as fd:
        assert fd is not None
        os.pwrite(fd, b"1", 0)
        assert named() == "None"
        files.sign(fd)
        assert named() == str(os.getpid())
    assert named() == "None"


# -- links of others -----------------------------------------------------------------------------


def test_a_file_is_replaced_through_links_of_ours(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "short").symlink_to("a/../a/b")
    (inner / "link.txt").symlink_to(tmp_path / "end.txt")
    files.replace(str(tmp_path / "short" / "link.txt"), "text")
    assert (tmp_path / "end.txt").read_text() == "text"
    assert (inner / "link.txt").is_symlink()
    assert os.listdir(inner) == ["link.txt"]


def test_where_links_are_not_followed_the_link_itself_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    files.replace(str(link), "new", follows_link=False)
    assert (target.read_text(), link.read_text(), link.is_symlink()) == ("old", "new", False)


def test_links_in_a_circle_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        files.replace(str(tmp_path / "a"), "text")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes links of other users")
@pytest.mark.parametrize("place", ["last", "folder"])
def test_a_link_of_another_user_is_not_followed(tmp_path: Path, place: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chmod(shared, 0o1777)
    (victim / "x.wav").write_text("old")
    link = shared / "x.wav"
    link.symlink_to(victim / "x.wav" if place == "last" else victim)
    os.lchown(link, 65534, 65534)
    path = str(link if place == "last" else link / "x.wav")
    with pytest.raises(PermissionError, match="another user"):
        files.replace(path, "new")
    with pytest.raises(BadOutput, match="another user"):
        check_output(path)
    assert (victim / "x.wav").read_text() == "old"
    assert os.listdir(victim) == ["x.wav"]


def test_what_killed_processes_had_half_written_is_removed_when_it_is_old(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".vox-ab.part", ".vox-cd.part", "my.part"))
    for path in (old, new, other):
        path.touch()
    for path in (old, other):
        os.utime(path, (1, 1))
    files.remove_parts(str(tmp_path))
    assert set(tmp_path.iterdir()) == {new, other}
    files.remove_parts(str(tmp_path / "nowhere"))
