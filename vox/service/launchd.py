"""vox under launchd, on macOS: one agent, which starts at login and on a drop into the inbox."""

from __future__ import annotations

import os
import plistlib
from collections.abc import Iterable
from typing import Any

from .manager import call
from .spec import Spec

LABEL = "vox"


class Launchd:
    """The launchd of the user's session; see `Manager`."""

    name = "launchd"

    def __init__(self) -> None:
        self._path = os.path.expanduser(f"~/Library/LaunchAgents/{LABEL}.plist")
        self._domain = f"gui/{os.getuid()}"

    def check(self) -> None:
        call("launchctl", "print", self._domain)

    def units(self, spec: Spec) -> dict[str, str]:
        agent: dict[str, Any] = {
            "Label": LABEL,
            "ProgramArguments": spec.command,
            "EnvironmentVariables": spec.environment,
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            # Not QueueDirectories: done/ and failed/ lie in the inbox, so it is never empty.
            "WatchPaths": spec.inbox_folders,
            "ThrottleInterval": 2,
            "ProcessType": "Interactive",
        }
        return {self._path: plistlib.dumps(agent).decode()}

    def paths(self) -> list[str]:
        return [self._path]

    def start(self, units: Iterable[str]) -> None:
        call("launchctl", "bootout", f"{self._domain}/{LABEL}", may_fail=True)
        for path in units:
            call("launchctl", "bootstrap", self._domain, path)

    def stop(self) -> None:
        call("launchctl", "bootout", f"{self._domain}/{LABEL}", may_fail=True)

    def reload(self) -> None:
        """It knows no more of an agent that was booted out."""

    def states(self) -> dict[str, str]:
        if not os.path.exists(self._path):
            return {}
        told = call("launchctl", "print", f"{self._domain}/{LABEL}", may_fail=True)
        lines = (line.strip().partition(" = ") for line in told.splitlines())
        state = next((value for name, _, value in lines if name == "state"), "not loaded")
        return {os.path.basename(self._path): state}

    def notes(self) -> list[str]:
        return []
