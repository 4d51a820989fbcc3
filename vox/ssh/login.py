"""One login on a server that several commands share, so that a password is asked for once."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from types import TracebackType

from ..errors import DaemonUnavailable

SSH_FAILED = 255
"""The exit status of ssh itself."""
_PERSIST_S = 60
_CONNECT_S = 20


class Login:
    """A context; `run` logs in. ssh asks and complains on the terminal by itself."""

    def __init__(self, target: str, options: Sequence[str] = ()) -> None:
        """`options`: of ssh, before all others. Raises DaemonUnavailable without an ssh."""
        if shutil.which("ssh") is None:
            raise DaemonUnavailable("there is no ssh here", "install OpenSSH's client")
        self.target, self._options = target, options

    def __enter__(self) -> Login:
        self._folder = tempfile.mkdtemp(prefix="vox-")
        self._path = os.path.join(self._folder, "c")
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _exc: BaseException | None, _: TracebackType | None
    ) -> None:
        if os.path.exists(self._path):
            self._tell("exit")
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, script: str) -> tuple[int, str]:
        """The exit status of a script of `sh` there, and what it printed; SSH_FAILED: no login."""
        others = (
            "ControlMaster=auto",
            f"ControlPersist={_PERSIST_S}",
            f"ConnectTimeout={_CONNECT_S}",
            "ClearAllForwardings=yes",
        )
        named = [word for option in others for word in ("-o", option)]
        done = subprocess.run(
            ["ssh", *self._options, *self._shared, *named, "-T", "--", self.target, "sh"],
            input=script, stdout=subprocess.PIPE, text=True, errors="replace", check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def forward(self, there: str, here: str) -> bool:
        """Whether the server lets its socket `there` lead to that one here. Only after `run`."""
        return self._tell("forward", "-R", f"{there}:{here}")

    def end_forward(self, there: str, here: str) -> None:
        self._tell("cancel", "-R", f"{there}:{here}")

    def _tell(self, what: str, *options: str) -> bool:
        """Tell the ssh that holds the login. Without the configuration, whose forwards it would
        ask for too."""
        done = subprocess.run(
            ["ssh", "-F", "none", *self._shared, "-O", what, *options, "--", self.target],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0

    @property
    def _shared(self) -> list[str]:
        return ["-o", f"ControlPath={self._path}"]


def forwards_to(target: str, options: Sequence[str], here: str) -> bool:
    """Whether a login there would lead to that socket, by all of the configuration."""
    done = subprocess.run(
        ["ssh", *options, "-G", "--", target],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    return any(line.startswith("remoteforward ") and line.endswith(f" {here}") for line in lines)
