"""Who may be the daemon, and what it says to whoever started it."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from vox import __version__, files
from vox.daemon.main import StartReport, acquire_lock, bind, remove_own_files, write_pid
from vox.errors import BadConfig
from vox.files import make_private_dir
from vox.paths import Paths, get_paths


@pytest.fixture
def paths(home: Path) -> Paths:
    found = get_paths({"VOX_HOME": str(home)})
    make_private_dir(found.runtime_dir)
    return found


def reported(report: StartReport, read_end: int) -> str:
    with os.fdopen(read_end) as pipe:
        return pipe.read()


def test_a_start_is_reported_once(paths: Paths) -> None:
    read_end, write_end = os.pipe()
    report = StartReport(write_end)
    report.send_notes(["moved aside"])
    report.send_error(BadConfig("too late"))
    assert [json.loads(line) for line in reported(report, read_end).splitlines()] == [
        {"notes": ["moved aside"]}
    ]


def test_a_start_that_failed_is_reported_with_the_error(paths: Paths) -> None:
    read_end, write_end = os.pipe()
    report = StartReport(write_end)
    report.send_error(BadConfig("wrong", "mend it"))
    error = json.loads(reported(report, read_end))["error"]
    assert (error["code"], error["message"], error["hint"]) == ("bad-config", "wrong", "mend it")


def test_nobody_waits_for_a_daemon_of_a_service_manager() -> None:
    StartReport(None).send_notes()


def test_the_control_socket_is_private_and_takes_a_dead_one_s_place(paths: Paths) -> None:
    bind(paths).close()
    with bind(paths):
        assert stat.S_IMODE(os.stat(paths.socket_path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(paths.socket_path)).st_mode) == 0o700
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(paths.socket_path)


def test_the_lock_is_whose_who_comes_first_as_long_as_it_listens(paths: Paths) -> None:
    held = acquire_lock(paths)
    assert held is not None
    with bind(paths) as listener:
        listener.setblocking(True)
        woken = threading.Thread(target=_answer_one, args=(listener,))
        woken.start()
        assert acquire_lock(paths) is None
        woken.join()
    os.close(held)


def test_the_lock_of_a_daemon_that_leaves_is_waited_for(paths: Paths) -> None:
    held = files.lock(paths.lock_path, blocking=False)
    assert held is not None
    leaving = threading.Timer(0.2, os.close, (held,))
    leaving.start()
    taken = acquire_lock(paths)
    assert taken is not None
    os.close(taken)
    leaving.join()


def test_the_pid_file_names_the_process_and_its_version(paths: Paths) -> None:
    write_pid(paths)
    assert Path(paths.pid_path).read_text().split() == [str(os.getpid()), __version__]
    remove_own_files(paths)
    remove_own_files(paths)
    assert not os.path.exists(paths.pid_path)


def _answer_one(listener: socket.socket) -> None:
    """One request, as a daemon that is up answers it."""
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(65536).startswith(b"POST /wake ")
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
