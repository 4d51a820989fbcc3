"""Who may be the daemon, and what becomes of its lock, PID file and socket while it runs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vox import __version__, files
from vox.client import http
from vox.daemon.own_files import REFUSALS, OwnFiles, Superseded
from vox.errors import DaemonUnavailable, StorageError
from vox.files import make_private_dir
from vox.paths import Paths, get_paths

HOLD = """
import sys
from vox import files
fd = files.lock(sys.argv[1])
files.sign(fd)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def paths(home: Path) -> Paths:
    found = get_paths({"VOX_HOME": str(home)})
    make_private_dir(found.runtime_dir)
    return found


@pytest.fixture
def mine(paths: Paths) -> OwnFiles:
    acquired = OwnFiles.acquire(paths)
    assert acquired is not None
    return acquired


@contextlib.contextmanager
def another_holds(path: str) -> Iterator[int]:
    """Another process that has the lock, and has signed it; its PID."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process.pid
        finally:
            process.kill()


def test_the_control_socket_is_private_and_takes_a_dead_one_s_place(
    paths: Paths, mine: OwnFiles
) -> None:
    mine.begin().close()
    with mine.begin():
        assert stat.S_IMODE(os.stat(paths.socket_path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(paths.socket_path)).st_mode) == 0o700
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(paths.socket_path)


def test_the_lock_is_whose_who_comes_first_as_long_as_it_listens(
    paths: Paths, mine: OwnFiles
) -> None:
    with mine.begin() as listener:
        listener.setblocking(True)
        woken = threading.Thread(target=_answer_one, args=(listener,))
        woken.start()
        assert OwnFiles.acquire(paths) is None
        woken.join()


def test_the_lock_of_a_daemon_that_leaves_is_waited_for(paths: Paths) -> None:
    held = files.lock(paths.lock_path, blocking=False)
    assert held is not None
    leaving = threading.Timer(0.2, os.close, (held,))
    leaving.start()
    assert OwnFiles.acquire(paths) is not None
    leaving.join()


def test_a_daemon_that_neither_listens_nor_leaves_is_not_waited_for_forever(paths: Paths) -> None:
    with (
        another_holds(paths.lock_path) as pid,
        pytest.raises(DaemonUnavailable, match=f"another daemon, PID {pid}, neither answers"),
    ):
        OwnFiles.acquire(paths, wait_s=0.2)


def test_one_that_listens_under_another_runtime_folder_is_the_daemon(
    paths: Paths, home: Path
) -> None:
    other = dataclasses.replace(paths, runtime_dir=str(home / "other"))
    theirs = OwnFiles.acquire(other)
    assert theirs is not None
    with theirs.begin() as listener:
        listener.setblocking(True)
        with another_holds(paths.consumer_lock_path):
            Path(paths.consumer_lock_path).write_text(other.socket_path)
            woken = threading.Thread(target=_answer_one, args=(listener,))
            woken.start()
            assert OwnFiles.acquire(paths) is None
            woken.join()
            assert not files.is_locked(paths.lock_path)
            theirs.remove_socket()
            assert OwnFiles.acquire(paths) is not None


def test_the_pid_file_names_the_process_and_its_version(paths: Paths, mine: OwnFiles) -> None:
    with mine.begin():
        assert Path(paths.pid_path).read_text().split() == [str(os.getpid()), __version__]
    mine.remove()
    mine.remove()
    assert os.listdir(paths.runtime_dir) == ["daemon.lock"]


def test_what_a_killed_daemon_had_half_written_is_removed(paths: Paths, mine: OwnFiles) -> None:
    Path(paths.runtime_dir, ".vox-0123.part").touch()
    with mine.begin():
        assert not [name for name in os.listdir(paths.runtime_dir) if name.endswith(".part")]


def test_what_lies_in_the_way_is_named_with_what_to_do(paths: Paths, mine: OwnFiles) -> None:
    os.mkdir(paths.socket_path)
    with pytest.raises(StorageError, match=r"vox\.sock is a folder$"):
        mine.begin()
    os.rename(paths.runtime_dir, f"{paths.runtime_dir}-moved")
    Path(paths.runtime_dir).touch()
    with pytest.raises(StorageError, match="it is not a folder"):
        OwnFiles.acquire(paths)


# -- files that go ---------------------------------------------------------------------------------


def _replace(path: str) -> None:
    """Another file in its place, and the old one still there, so that its inode is not reused."""
    os.rename(path, f"{path}.old")
    Path(path).write_text("of somebody else")


LOSSES: dict[str, Callable[[Paths], None]] = {
    "the socket": lambda paths: os.unlink(paths.socket_path),
    "the PID file": lambda paths: os.unlink(paths.pid_path),
    "the lock": lambda paths: os.unlink(paths.lock_path),
    "the folder": lambda paths: shutil.rmtree(paths.runtime_dir),
    "all of them, replaced": lambda paths: [
        _replace(path) for path in (paths.socket_path, paths.pid_path, paths.lock_path)
    ],  # type: ignore[dict-item,return-value]
}


@pytest.mark.parametrize("what", LOSSES)
def test_what_has_gone_is_made_again(paths: Paths, mine: OwnFiles, what: str) -> None:
    listener = mine.begin()
    assert mine.look() is None
    LOSSES[what](paths)
    again = mine.look() or listener
    assert mine.look() is None
    with again, socket.socket(socket.AF_UNIX) as client:
        client.connect(paths.socket_path)
        assert stat.S_IMODE(os.stat(paths.runtime_dir).st_mode) == 0o700
        assert Path(paths.pid_path).read_text().split()[0] == str(os.getpid())
        code = f"from vox.files import holder; print(holder({paths.lock_path!r}))"
        told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert int(told.stdout) == os.getpid()
        assert (again is listener) == (what in ("the PID file", "the lock"))
        mine.remove()
    listener.close()
    for path in (paths.socket_path, paths.pid_path):
        assert not os.path.exists(path)


def test_what_cannot_be_made_again_is_said_once_and_tried_again(
    paths: Paths, mine: OwnFiles, caplog: pytest.LogCaptureFixture
) -> None:
    mine.begin().close()
    shutil.rmtree(paths.runtime_dir)
    Path(paths.runtime_dir).touch()
    assert mine.look() is None
    assert mine.look() is None
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    while not mine.are_lost:
        assert mine.look() is None
    os.unlink(paths.runtime_dir)
    again = mine.look()
    assert again is not None and not mine.are_lost
    again.close()


def test_who_finds_its_lock_taken_is_superseded_and_removes_nothing_of_its_successor(
    paths: Paths, mine: OwnFiles
) -> None:
    with mine.begin():
        shutil.rmtree(paths.runtime_dir)
        make_private_dir(paths.runtime_dir)
        with another_holds(paths.lock_path):
            with pytest.raises(Superseded):
                mine.look()
            for path in (paths.socket_path, paths.pid_path):
                Path(path).touch()
            mine.remove()
            assert os.path.exists(paths.socket_path)
            assert os.path.exists(paths.pid_path)


def test_a_lock_that_nobody_signs_is_a_daemon_s_if_it_stays(paths: Paths, mine: OwnFiles) -> None:
    mine.begin().close()
    os.unlink(paths.lock_path)
    with files.locked(paths.lock_path):
        for _ in range(REFUSALS - 1):
            assert mine.look() is None
        with pytest.raises(Superseded):
            mine.look()


def test_the_queue_s_lock_is_taken_again(paths: Paths, mine: OwnFiles) -> None:
    mine.begin().close()
    mine.lock_queue()
    os.unlink(paths.consumer_lock_path)
    mine.look()
    assert Path(paths.consumer_lock_path).read_text() == paths.socket_path
    assert files.is_locked(paths.consumer_lock_path)


def test_a_socket_that_takes_no_more_connections_is_a_daemon_s_that_does_not_answer(
    paths: Paths,
) -> None:
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(paths.socket_path)
        listener.listen(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                waiting = opened.enter_context(socket.socket(socket.AF_UNIX))
                waiting.setblocking(False)
                waiting.connect(paths.socket_path)
        with pytest.raises(TimeoutError):
            http.request(paths.socket_path, "GET", "/ping", timeout_s=0.2)


def _answer_one(listener: socket.socket) -> None:
    """One request, as a daemon that is up answers it."""
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(65536).startswith(b"POST /wake ")
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
