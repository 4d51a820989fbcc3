"""The worker's entry point: log, signals and errors at the start."""

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
from ..redis_url import Address, is_exposed, password
from .worker import Options, Worker

log = logging.getLogger(__name__)


def serve(address: Address, options: Options, paths: Paths, password_file: str | None) -> None:
    """Be a worker until SIGTERM, SIGINT or SIGHUP; the second has it give back what it makes.

    Raises BadConfig if the password cannot be read, and JobFailed if it cannot serve any longer.
    """
    config = LiveConfig(paths.config_path)
    set_up_log(str(config()["log_level"]))
    password(password_file)  # raises its errors now
    if is_exposed(password_file):
        log.warning("others may read the password file; run: chmod 600 %s", password_file)
    server = Server(address, lambda: password(password_file))
    hosts = subprocess_hosts(paths.backends_dir, config)
    worker = Worker(server, options, paths, config, hosts)

    signals = itertools.count(1)

    def leave(signum: int, _frame: Any) -> None:
        if signum == signal.SIGHUP:  # a terminal that is closed may send it twice
            signal.signal(signum, signal.SIG_IGN)
        if next(signals) > 2:
            os._exit(1)
        worker.stop()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(signal.SIGHUP, leave)
    worker.run()


def set_up_log(level: str) -> None:
    """Log to stderr, for systemd or a terminal."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.getLogger().addHandler(handler)
    set_level(level)
    if level != "debug":  # what a backend prints may quote a text, which is not this machine's
        logging.getLogger("vox.hosts.process").setLevel(logging.WARNING)
