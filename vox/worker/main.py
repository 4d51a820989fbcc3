"""The worker's entry point: its log, its signals, and what it says when it cannot begin."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import Any

from ..config import LiveConfig
from ..fleet.server import Server
from ..hosts.launch import subprocess_hosts
from ..log_lines import LineFormatter, set_level
from ..paths import Paths
from ..redis_url import Address, password
from .worker import Options, Worker


def serve(address: Address, options: Options, paths: Paths, password_file: str | None) -> None:
    """Be a worker until SIGTERM or SIGINT; the second ends it at once.

    Raises BadConfig if the package `redis` is missing or the password cannot be read.
    """
    config = LiveConfig(paths.config_path)
    set_up_log(str(config()["log_level"]))
    password(password_file)  # an error of it is told now
    server = Server(address, lambda: password(password_file))
    hosts = subprocess_hosts(paths.backends_dir, config)
    worker = Worker(server, options, paths, config, hosts)

    def leave(_signum: int, _frame: Any) -> None:
        if worker.is_stopped:
            os._exit(1)
        worker.stop()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)
    worker.run()


def set_up_log(level: str) -> None:
    """To stderr: whoever runs a worker, systemd or a terminal, keeps it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.getLogger().addHandler(handler)
    set_level(level)
