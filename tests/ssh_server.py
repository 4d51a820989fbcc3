"""A real sshd on loopback, whose sessions have a home and a vox of their own: another machine."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import CHECKOUT, SCRIPTED_PLUGIN

HOST = "build.example.com"
TIMEOUT_S = 60.0
_TRIES = 5


def until(is_true: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


class SshServer:
    """`folder` holds both sides' files; it must be short, for sockets lie in it."""

    def __init__(self, folder: Path, removes_stale_sockets: bool = False) -> None:
        """`removes_stale_sockets`: as `StreamLocalBindUnlink`. Skips the test without sshd."""
        path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
        sshd = shutil.which("sshd", path=path)
        if sshd is None or shutil.which("ssh") is None:
            pytest.skip("no sshd here: apt-get install openssh-server")
        self._sshd, self._unlink = sshd, removes_stale_sockets
        self.folder = folder
        self.home, self.runtime_dir = folder / "home", folder / "run"
        self.vox_home = folder / "vox"
        self.config = folder / "config"
        """The client's."""
        self._clients: list[subprocess.Popen[str]] = []
        self._lay_out()
        self._start()

    def _lay_out(self) -> None:
        for made in (self.home, self.runtime_dir, self.vox_home, self.folder / "bin"):
            made.mkdir(mode=0o700)
        command = self.folder / "bin" / "vox"
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m vox "$@"\n')
        command.chmod(0o755)
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name],
                check=True,
            )
        if os.getuid() == 0:  # a container lacks it, and root's sshd needs it
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)

    def _start(self) -> None:
        for _ in range(_TRIES):
            with socket.create_server(("127.0.0.1", 0)) as taken:
                self.port = taken.getsockname()[1]
            (self.folder / "sshd_config").write_text(self._sshd_config())
            self._log = (self.folder / "sshd.log").open("ab")
            self._process = subprocess.Popen(
                [self._sshd, "-D", "-e", "-f", self.folder / "sshd_config"], stderr=self._log
            )
            until(self._answers_or_ended, "sshd listens")
            if self._process.poll() is None:
                self.config.write_text(self._client_config())
                return
        raise AssertionError((self.folder / "sshd.log").read_text())

    def _answers_or_ended(self) -> bool:
        if self._process.poll() is not None:
            return True
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _sshd_config(self) -> str:
        environ = {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.runtime_dir),
            "VOX_HOME": str(self.vox_home),
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "PYTHONPATH": f"{CHECKOUT}:{SCRIPTED_PLUGIN}",
        }
        self.environ = {**environ, "SSH_CONNECTION": "127.0.0.1 1 127.0.0.1 2"}
        """What a login has, for commands that need no login."""
        told = " ".join(f'"{name}={value}"' for name, value in environ.items())
        return f"""\
Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.folder}/host
PidFile none
AuthorizedKeysFile {self.folder}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
StreamLocalBindUnlink {"yes" if self._unlink else "no"}
SetEnv {told}
"""

    def _client_config(self) -> str:
        return f"""\
# A user's own.
Host {HOST} build
    HostName 127.0.0.1
    Port {self.port}
    User {getpass.getuser()}
    IdentityFile {self.folder}/user
    IdentitiesOnly yes
    UserKnownHostsFile {self.folder}/known_hosts
    StrictHostKeyChecking accept-new
    BatchMode yes
    LogLevel ERROR
"""

    # -- the other side ------------------------------------------------------------------------

    def ssh(self, command: str, *options: str, **more: object) -> subprocess.Popen[str]:
        """Log in and run a command; with "" only the forwards are held."""
        what = [HOST, command] if command else ["-N", HOST]
        client = subprocess.Popen(
            ["ssh", "-F", str(self.config), *options, *what],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._clients.append(client)
        return client

    def run(self, command: str, *options: str) -> tuple[int, str, str]:
        """The exit status, output and errors of a command that was logged in for."""
        client = self.ssh(command, *options)
        out, err = client.communicate(timeout=TIMEOUT_S * 2)
        return client.returncode, out, err

    def sockets(self) -> list[Path]:
        """What forwards have made."""
        return [path for path in self.folder.rglob("*.sock") if stat.S_ISSOCK(path.stat().st_mode)]

    def connect(self) -> subprocess.Popen[str]:
        """A login that holds the forwards; they are there when this returns."""
        before = {path: path.stat().st_ino for path in self.sockets()}
        client = self.ssh("")
        until(
            lambda: any(before.get(path) != path.stat().st_ino for path in self.sockets()),
            "the forward is bound",
        )
        return client

    def stop(self) -> None:
        for client in self._clients:
            if client.poll() is None:
                client.kill()
                client.send_signal(signal.SIGCONT)
            client.communicate()
        self._process.terminate()
        self._process.wait()
        self._log.close()
