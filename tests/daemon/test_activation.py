"""A daemon whose sockets are a service manager's: started by who asks, and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.running import Vox
from vox.daemon.activation import Inherited
from vox.tokens import ensure_token

from .service_manager import ServiceManager, service_manager

SCRIPTED = ("-b", "scripted")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture
def manager(vox: Vox, sound: object, tmp_path: Path) -> Iterator[ServiceManager]:
    vox.environ["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    vox.ok("service", "install", "--write-only")
    with service_manager(vox) as found:
        yield found


def until_gone(pid: int) -> None:
    psutil.Process(pid).wait(30)


def test_a_call_starts_the_daemon_and_a_stop_leaves_the_socket(
    vox: Vox, manager: ServiceManager
) -> None:
    inode = os.stat(vox.paths.socket_path).st_ino
    for count in (1, 2):
        assert vox("daemon", "status").out == "not running\n"
        assert vox.ok("daemon", "stop") == "not running"
        assert len(manager.started) == count - 1
        vox.ok(*SCRIPTED, f"{count}")
        assert vox.pid == manager.started[-1]
        assert vox.ok("daemon", "stop") == "stopped"
        assert os.stat(vox.paths.socket_path).st_ino == inode
    assert [job["state"] for job in vox.jobs()] == ["done", "done"]


def test_start_and_restart_have_the_manager_start_it(vox: Vox, manager: ServiceManager) -> None:
    assert vox.ok("daemon", "start") == f"running, PID {vox.pid}"
    assert [vox.pid] == manager.started
    assert vox.ok("daemon", "start") == f"running, PID {vox.pid}"
    assert vox.ok("daemon", "restart").endswith(f"running, PID {vox.pid}")
    assert [vox.pid] == manager.started[1:]


def test_one_that_was_killed_or_left_is_started_by_the_next_request(
    vox: Vox, manager: ServiceManager
) -> None:
    vox.ok("config", "set", "idle_timeout", "0")
    assert vox.client.call("GET", "/health")["pid"] == manager.started[0]
    until_gone(manager.started[0])
    job_id = vox.ok(*SCRIPTED, "--async", "[until go] 1")
    vox.until(job_id, "preparing", "speaking")
    assert vox.pid is not None
    os.kill(vox.pid, 9)
    Path(vox.home, "go").touch()
    vox.ok("wait", job_id)
    assert len(manager.started) >= 3


def test_a_request_over_tcp_starts_it_and_is_answered(
    vox: Vox, sound: object, tmp_path: Path
) -> None:
    port, old_port = free_port(), free_port()
    vox.ok("config", "set", "http", f"127.0.0.1:{port}")
    vox.ok("config", "set", "idle_timeout", "0")
    header = {"Authorization": f"Bearer {ensure_token(vox.paths)}"}
    with service_manager(vox, port) as manager:
        answer = httpx.get(f"http://127.0.0.1:{port}/health", headers=header, timeout=60)
        told = answer.json()
        assert (told["pid"], told["stays_for"]) == (manager.started[0], ["http"])
        vox.ok("config", "set", "http", f"127.0.0.1:{old_port}")
        vox.client.call("POST", "/stop", {})
        until_gone(told["pid"])
        address = vox.client.call("GET", "/health")["http"]["address"]
        assert address == f"127.0.0.1:{old_port}"
        assert "vox service install" in vox.log()


def test_a_socket_that_is_removed_under_it_is_its_own_from_then_on(
    vox: Vox, manager: ServiceManager
) -> None:
    vox.client.call("GET", "/ping")
    os.unlink(vox.paths.socket_path)
    pid = manager.started[0]
    vox.until_health("ok")
    assert vox.client.call("GET", "/health")["pid"] == pid
    assert vox.ok("daemon", "stop") == "stopped"
    assert not os.path.exists(vox.paths.socket_path)


def test_what_is_passed_to_another_process_is_not_ours() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b", "HOME": "/"}
    assert not Inherited.of_process(environ)
    assert environ == {"HOME": "/"}
    assert not Inherited.of_process({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "nonsense"})


def test_systemd_s_own_program_starts_it(vox: Vox, sound: object) -> None:
    program = shutil.which("systemd-socket-activate")
    if program is None:
        pytest.skip("systemd-socket-activate is not installed (apt-get install systemd)")
    os.makedirs(os.path.dirname(vox.paths.socket_path), mode=0o700)
    environ = {**os.environ, **vox.environ, "VOX_HOME": str(vox.home)}
    variables = [f"--setenv={name}" for name in environ]
    with subprocess.Popen(
        [program, f"--listen={vox.paths.socket_path}", *variables, sys.executable, "-m",
         "vox.daemon"],
        env=environ, stderr=subprocess.DEVNULL,
    ) as activated:  # fmt: skip
        while not os.path.exists(vox.paths.socket_path):
            assert activated.poll() is None
        assert vox.client.call("GET", "/health")["pid"] == activated.pid
        vox.ok(*SCRIPTED, "1")
        vox.ok("daemon", "stop")
    assert [job["state"] for job in vox.jobs()] == ["done"]
