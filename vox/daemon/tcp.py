"""The TCP listener of the API, if there is to be one."""

from __future__ import annotations

import socket

from ..config import Config
from ..paths import Paths


def open_tcp(paths: Paths, config: Config) -> list[socket.socket]:
    return []
