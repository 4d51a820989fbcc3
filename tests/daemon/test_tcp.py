"""What a daemon makes of `http` and `wyoming`: where it listens, or why it does not."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import free_port
from vox.config import load
from vox.daemon.tcp import HTTP, WYOMING, Service, Tcp, open_tcp
from vox.paths import get_paths
from vox.tokens import ensure_token


def _open_tcp(home: Path, address: str, service: Service = HTTP, **settings: Any) -> Tcp:
    """What a daemon of that home makes of the address; it does not go on listening."""
    environ = {"VOX_HOME": str(home), f"VOX_{service.setting.upper()}": address}
    environ |= {f"VOX_{name.upper()}": str(value) for name, value in settings.items()}
    tcp = open_tcp(service, get_paths(environ), load(str(home / "config.toml"), environ))
    for listener in tcp.sockets:
        listener.close()
    return tcp


def test_with_a_token_it_listens_on_loopback(home: Path) -> None:
    ensure_token(get_paths({"VOX_HOME": str(home)}))
    for host in ("127.0.0.1", "localhost", "127.0.0.2"):
        tcp = _open_tcp(home, f"{host}:{free_port()}")
        assert tcp.sockets
        assert tcp.error is None


def test_a_token_that_others_may_read_is_none(home: Path) -> None:
    (home / "token").write_text("known\n")
    os.chmod(home / "token", 0o644)
    tcp = _open_tcp(home, "127.0.0.1:1")
    assert "other users can read" in str(tcp.error)
    assert not tcp.sockets


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_more_than_this_machine_needs_a_second_setting(home: Path, host: str) -> None:
    ensure_token(get_paths({"VOX_HOME": str(home)}))
    tcp = _open_tcp(home, f"{host}:{free_port()}")
    assert "http_allow_remote" in str(tcp.error)
    assert not tcp.sockets


def test_listening_to_everybody_says_what_that_means(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ensure_token(get_paths({"VOX_HOME": str(home)}))
    assert _open_tcp(home, f"0.0.0.0:{free_port()}", http_allow_remote=True).sockets
    assert "not encrypted" in caplog.text


def test_wyoming_needs_no_token_but_a_setting_for_more_than_this_machine(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert _open_tcp(home, f"127.0.0.1:{free_port()}", WYOMING).sockets
    assert not caplog.text
    everybody = f"0.0.0.0:{free_port()}"
    tcp = _open_tcp(home, everybody, WYOMING)
    assert "vox config set wyoming_allow_remote true" in str(tcp.error)
    assert not tcp.sockets
    assert _open_tcp(home, everybody, WYOMING, wyoming_allow_remote=True).sockets
    assert "no token and no encryption" in caplog.text


def test_a_port_that_is_taken_is_said_so(home: Path) -> None:
    ensure_token(get_paths({"VOX_HOME": str(home)}))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        tcp = _open_tcp(home, f"127.0.0.1:{taken.getsockname()[1]}")
    assert "in use" in str(tcp.error)


def test_tcp_is_off_until_it_is_asked_for(home: Path) -> None:
    tcp = _open_tcp(home, "off")
    assert (tcp.describe(), tcp.sockets) == ({"address": None, "error": None}, [])
