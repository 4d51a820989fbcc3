"""The contract of service managers, and what they share: calling their programs, writing files."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from ..errors import DaemonUnavailable
from ..files import cannot_write, make_dir, write
from .spec import Spec

Tell = Callable[[str], object]
"""Called with a line about what was done."""


class Manager(Protocol):
    """The service manager of the user's session."""

    name: str

    def check(self) -> None:
        """Raises DaemonUnavailable if it does not run here."""

    def units(self, spec: Spec) -> dict[str, str]:
        """The units' texts, by their paths."""

    def paths(self) -> list[str]:
        """Where units of ours may lie."""

    def start(self, units: Iterable[str]) -> None:
        """Have it take the units at these paths, now and with each session. Raises
        DaemonUnavailable."""

    def stop(self) -> None:
        """Have it forget our units and end what they started. Raises nothing if it has none."""

    def reload(self) -> None:
        """Have it see that the units are gone."""

    def states(self) -> dict[str, str]:
        """What it says of each unit, by name; empty if it does not run."""

    def notes(self) -> list[str]:
        """What the user should know about it."""


def call(*command: str, may_fail: bool = False) -> str:
    """What the program prints. Raises DaemonUnavailable, unless it may fail."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as exc:
        if may_fail:
            return ""
        raise DaemonUnavailable(f"{command[0]}: {exc.strerror}") from exc
    if done.returncode and not may_fail:
        said = done.stderr.strip().splitlines()
        raise DaemonUnavailable(
            f"{' '.join(command)}: {said[-1] if said else f'exit status {done.returncode}'}"
        )
    return done.stdout


def put(units: Mapping[str, str], left: Iterable[str], tell: Tell) -> None:
    """Write the units, and remove those of `left` that are none of them. Raises StorageError."""
    for path, text in units.items():
        make_dir(os.path.dirname(path))
        with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
            if file.read() == text:
                tell(f"unchanged {path}")
                continue
        write(path, text)
        tell(f"wrote {path}")
    remove((path for path in left if path not in units), tell)


def remove(paths: Iterable[str], tell: Tell) -> int:
    """Remove the files that exist; how many. Raises StorageError."""
    count = 0
    for path in paths:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise cannot_write(path, exc) from exc
        tell(f"removed {path}")
        count += 1
    return count
