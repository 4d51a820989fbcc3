"""On a server, which laptop hears what is said, and whether one does."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from vox.client import laptop
from vox.config import set_value
from vox.errors import BadInput, DaemonUnavailable
from vox.paths import Paths, get_paths

PONG = b"HTTP/1.1 204 No Content\r\n\r\n"


@contextlib.contextmanager
def listening(path: Path, answer: bytes = PONG) -> Iterator[Path]:
    """Somebody at a forwarded socket, who answers each request so."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield path
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def paths(home: Path) -> Paths:
    return get_paths({"VOX_HOME": str(home)})


@pytest.fixture
def environ(home: Path) -> dict[str, str]:
    """That of an ssh session on a server which a laptop hears."""
    (home / ".local/state/vox/remote").mkdir(parents=True, mode=0o700)
    (home / "run").mkdir(mode=0o700)
    return {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), "SSH_CONNECTION": "1 2 3 4"}


def place(found: laptop.Laptop | None) -> Path | None:
    return None if found is None else Path(found.place)


def test_without_a_note_of_a_laptop_speech_is_heard_here(paths: Paths, home: Path) -> None:
    assert laptop.find(paths, {"HOME": str(home), "SSH_CONNECTION": "1 2 3 4"}) is None
    assert laptop.find(paths, {}) is None


@pytest.mark.parametrize(
    ("setting", "in_session", "is_elsewhere"),
    [
        ("auto", True, True),
        ("auto", False, False),
        ("always", False, True),
        ("never", True, False),
    ],
)
def test_the_setting_says_when_a_laptop_is_meant(
    paths: Paths, environ: dict[str, str], setting: str, in_session: bool, is_elsewhere: bool
) -> None:
    set_value(paths.config_path, "remote", setting)
    if not in_session:
        environ["SSH_CONNECTION"] = ""
    with listening(Path(environ["XDG_RUNTIME_DIR"], "vox-remote-me.sock")) as path:
        assert place(laptop.find(paths, environ)) == (path if is_elsewhere else None)


def test_the_laptop_that_came_last_is_asked_and_one_that_is_gone_is_left_out(
    paths: Paths, environ: dict[str, str]
) -> None:
    run = Path(environ["XDG_RUNTIME_DIR"])
    fallback = Path(environ["HOME"], ".local/state/vox/remote/old.sock")
    with listening(run / "vox-remote-a.sock") as first, listening(fallback) as second:
        os.utime(first, (1, 1))
        assert place(laptop.find(paths, environ)) == second
        os.utime(second, (0, 0))
        assert place(laptop.find(paths, environ)) == first
        with listening(run / "vox-remote-b.sock"):
            pass
        assert place(laptop.find(paths, environ)) == first
        assert not (run / "vox-remote-b.sock").exists()


def test_a_named_socket_is_the_only_one(paths: Paths, environ: dict[str, str], home: Path) -> None:
    with listening(Path(environ["XDG_RUNTIME_DIR"], "vox-remote-a.sock")):
        environ["VOX_SOCKET"] = str(home / "run" / "nobody.sock")
        with pytest.raises(DaemonUnavailable, match="the laptop is away"):
            laptop.find(paths, environ)
    with listening(home / "run" / "named.sock") as named:
        assert place(laptop.find(paths, {"VOX_SOCKET": str(named)})) == named


def test_a_socket_that_another_user_could_have_put_there_is_not_asked(
    paths: Paths, environ: dict[str, str]
) -> None:
    run = Path(environ["XDG_RUNTIME_DIR"])
    with listening(run / "vox-remote-a.sock") as path:
        run.chmod(0o755)
        with pytest.raises(DaemonUnavailable, match="the laptop is away"):
            laptop.find(paths, environ)
        assert path.exists()


def test_what_is_wrong_with_the_nearest_is_told(paths: Paths, environ: dict[str, str]) -> None:
    run = Path(environ["XDG_RUNTIME_DIR"])
    with listening(run / "vox-remote-b.sock"):
        pass
    with listening(run / "vox-remote-a.sock", b"") as path:
        os.utime(path, (1, 1))
        with pytest.raises(DaemonUnavailable, match="vox does not run there"):
            laptop.find(paths, environ)
    with (
        listening(path, b"HTTP/1.1 404 Not Found\r\n\r\n"),
        pytest.raises(DaemonUnavailable, match="does not lead to vox"),
    ):
        laptop.find(paths, environ)


def test_a_laptop_with_an_older_vox_is_one_clear_line(paths: Paths, home: Path) -> None:
    (home / "run").mkdir(mode=0o700)
    body = b'{"code": "bad-option", "detail": "new: Extra inputs are not permitted"}'
    head = f"HTTP/1.1 422 No\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with (
        listening(home / "run" / "x.sock", head + body) as path,
        pytest.raises(DaemonUnavailable, match="older than here"),
    ):
        laptop.Laptop(paths, str(path)).call("POST", "/speak", {})


def test_what_only_the_laptop_knows_is_said_so(paths: Paths) -> None:
    with pytest.raises(BadInput, match="the queue is on the laptop"):
        laptop.Laptop(paths, "/nowhere").queue()
