"""What a lock says: all packages of an environment, and where they can be installed.

A lock is a requirements file with checksums, made by `contrib/lock` for several platforms and
Pythons at once. Its head names those for which every package has a wheel.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_SERVES = re.compile(r"^# serves: (\S+) (.+)$", re.MULTILINE)
_DOWNLOADS = re.compile(r"^# downloads: (\S+) (\d+) MB$", re.MULTILINE)
_PINNED = re.compile(r"^[\w.-]+(?===)", re.MULTILINE)


class Lock(NamedTuple):
    path: str
    text: str
    serves: Mapping[str, Sequence[str]]
    """Platform ("linux-x86_64") -> versions of Python ("3.11"), the oldest first."""

    def download_mb(self) -> int:
        """The size of all downloads for this platform."""
        return int(dict(_DOWNLOADS.findall(self.text)).get(this_platform(), 0))

    def left_to_pip(self, lines: Sequence[str]) -> list[str]:
        """What of these lines of a requirements file it leaves to pip; [] if it has all packages.

        It leaves out what an extra index has in another build, with other checksums.
        """
        named = {_normal(name) for name in _PINNED.findall(self.text)}
        left = [
            line for line in lines if line.startswith("-") or _normal(project_of(line)) not in named
        ]
        return left if any(not line.startswith("-") for line in left) else []


def read_lock(path: str) -> Lock | None:
    """The lock in this file; None if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return None
    return Lock(path, text, {platform: found.split() for platform, found in _SERVES.findall(text)})


def this_platform() -> str:
    return f"{sys.platform}-{os.uname().machine}"


def project_of(line: str) -> str:
    """The project's name in a line of a requirements file that is no option."""
    return re.split(r"[\s\[<>=!~;@]", line, maxsplit=1)[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
