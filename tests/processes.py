"""Processes that may wait for a job: each has the name that vox knows it by."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from .running import CHECKOUT

_NAME_ITSELF = "from vox.callers import me; print(me(), flush=True); input()"


class Process:
    """A process that does nothing until it is ended."""

    def __init__(self, *before: str) -> None:
        """`before`: a command that starts it."""
        self._popen = subprocess.Popen(
            [*before, sys.executable, "-c", _NAME_ITSELF],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
        )  # fmt: skip
        assert self._popen.stdout is not None
        self.name = self._popen.stdout.readline().strip()

    def pause(self) -> None:
        self._popen.send_signal(signal.SIGSTOP)
        os.waitpid(self._popen.pid, os.WUNTRACED)

    def kill(self) -> None:
        """kill -9. It is a zombie until `end`."""
        self._popen.kill()
        os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOWAIT)

    def leave(self) -> None:
        """Have it end by itself."""
        self._popen.communicate("\n")

    def end(self) -> None:
        self._popen.kill()
        self._popen.communicate()


def name_of_the_dead() -> str:
    """The name of a process that has ended."""
    process = Process()
    process.end()
    return process.name
