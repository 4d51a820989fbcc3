"""A vox of its own to measure: a private home, the installed command, the daemon's own numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from vox.paths import get_paths

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN_TIMEOUT_S = 1800.0
"""Loading a large model on a CPU takes minutes."""


def vox_command() -> list[str]:
    """The installed command, or the module where vox is only on the path."""
    script = os.path.join(sysconfig.get_path("scripts"), "vox")
    return [script] if os.access(script, os.X_OK) else [sys.executable, "-m", "vox"]


class Instance:
    """A private VOX_HOME while it is entered; environments of `backends_dir` are used in it.

    `checkout` is the folder whose vox is measured.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        backends_dir: str | None = None,
        checkout: str = CHECKOUT,
    ) -> None:
        self._checkout = checkout
        self.command = vox_command()
        self._environ = dict(environ)
        self._backends_dir = backends_dir or get_paths(environ).backends_dir

    def __enter__(self) -> Instance:
        # Not under TMPDIR: a control socket's path must be short.
        self.home = tempfile.mkdtemp(prefix="vox-bench-", dir="/tmp")
        self.environ = {
            name: value for name, value in self._environ.items() if not name.startswith("VOX_")
        }
        self.environ["VOX_HOME"] = self.home
        # The installed command may belong to another checkout: this one is measured.
        path = [self._checkout, self._environ.get("PYTHONPATH", "")]
        self.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        if os.path.isdir(self._backends_dir):
            os.symlink(os.path.abspath(self._backends_dir), os.path.join(self.home, "backends"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def socket_path(self) -> str:
        return get_paths({"VOX_HOME": self.home}).socket_path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.command, *arguments],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_TIMEOUT_S,
            check=False,
        )

    def checked(self, *arguments: str) -> str:
        """Run it; what it printed. Raises RuntimeError with its last line if it fails."""
        done = self.run(*arguments)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or [f"exit {done.returncode}"]
            raise RuntimeError(lines[-1])
        return done.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.checked(*arguments, "--json"))

    def seconds(self, arguments: Sequence[str]) -> float:
        """How long a call takes, from exec to exit. Raises RuntimeError if it fails."""
        began = time.monotonic()
        self.checked(*arguments)
        return time.monotonic() - began

    def stop(self) -> None:
        """No daemon is up when this returns."""
        self.run("daemon", "stop", "--now")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(header), rule, *map(line, rows)])


def machine() -> str:
    return f"{os.cpu_count()} CPUs, {sys.platform}, Python {sys.version.split()[0]}"
