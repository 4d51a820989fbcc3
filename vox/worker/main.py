"""The worker's entry point: its log, its signals, and what it says when it cannot begin."""

from __future__ import annotations

import itertools
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
    """Be a worker until SIGTERM or SIGINT; the second has it give back what it makes.

    Raises BadConfig if the password cannot be read, and JobFailed if it cannot serve any longer.
    """
    config = LiveConfig(paths.config_path)
    set_up_log(str(config()["log_level"]))
    password(password_file)  # an error of it is told now
    server = Server(address, lambda: password(password_file))
    hosts = subprocess_hosts(paths.backends_dir, config)
    worker = Worker(server, options, paths, config, hosts)

    signals = itertools.count(1)

    def leave(_signum: int, _frame: Any) -> None:
        if next(signals) > 2:
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
