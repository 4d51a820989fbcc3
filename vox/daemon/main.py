"""The daemon's entry point: which process is the daemon, its log, and how it reports a failure.

`vox.client.spawn` starts it detached, a service manager in the foreground (`python -m vox.daemon`).
It binds the control socket before the heavy imports, so that a waiting client connects at once.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import json
import logging
import logging.handlers
import os
import resource
import signal
import sys
from collections.abc import Sequence
from typing import Any

from .. import __version__
from ..config import LiveConfig
from ..errors import DaemonUnavailable, StorageError, VoxError
from ..files import cannot_write, is_at, make_dir
from ..log_lines import LineFormatter, set_level
from ..paths import Paths, get_paths
from .activation import Inherited
from .own_files import OwnFiles

log = logging.getLogger(__name__)

LOG_BYTES = 5_000_000
LOG_FILES = 3
FILES = 8192
SWITCH_S = 0.0005
"""How long a thread that computes keeps the others waiting. The player has to write every 10 ms,
and changes threads several times for that: with Python's 5 ms a long listing made it late."""


class StartReport:
    """Reports once, to the process that started the daemon, that it listens or why it does not.

    One line of JSON to the pipe `fd`. None: nobody waits for the report.
    """

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def send_notes(self, notes: Sequence[str] = ()) -> None:
        """A daemon listens, this one or another. `notes`: what the user should know."""
        self._send({"notes": notes})

    def send_error(self, error: VoxError) -> None:
        self._send({"error": error.to_dict()})

    def _send(self, answer: dict[str, Any]) -> None:
        if self._fd is None:
            return
        with contextlib.suppress(OSError):
            os.write(self._fd, json.dumps(answer).encode() + b"\n")
        with contextlib.suppress(OSError):
            os.close(self._fd)
        self._fd = None


def main() -> int:
    """Be the daemon until it is idle or stopped. Returns the exit status (see `vox.errors`)."""
    parser = argparse.ArgumentParser(prog="vox-daemon")
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--idle-timeout", type=float, help="seconds, instead of the setting")
    args = parser.parse_args()
    report = StartReport(args.ready_fd)
    try:
        return _be_daemon(get_paths(), report, args.idle_timeout)
    except VoxError as exc:
        report.send_error(exc)
        print(f"vox daemon: {exc.line}", file=sys.stderr)
        return exc.exit_code
    except Exception as exc:
        log.exception("the daemon failed")
        report.send_error(DaemonUnavailable(f"the daemon failed: {type(exc).__name__}: {exc}"))
        return 1


def _be_daemon(paths: Paths, report: StartReport, idle_timeout_s: float | None) -> int:
    inherited = Inherited.of_process()
    own_files = OwnFiles.acquire(paths, inherited=inherited)
    if own_files is None:
        report.send_notes()
        return 0
    # Told to leave before there is a loop that heeds it, it takes its files along.
    signal.signal(signal.SIGTERM, lambda _signum, _frame: sys.exit(0))
    try:
        _serve(paths, own_files, inherited, report, idle_timeout_s)
    finally:
        own_files.remove()
    log.info("vox %s left", __version__)
    logging.shutdown()
    # Not sys.exit: PortAudio would wait there for a sound server that hangs.
    os._exit(0)


def _serve(
    paths: Paths,
    own_files: OwnFiles,
    inherited: Inherited,
    report: StartReport,
    idle_timeout_s: float | None,
) -> None:
    config = LiveConfig(paths.config_path)
    sys.setswitchinterval(SWITCH_S)
    raise_file_limit()
    set_up_log(paths, str(config()["log_level"]))
    listener = own_files.begin()
    log.info("vox %s starts, PID %d", __version__, os.getpid())
    # Heavy, so only now that a client can connect. Imports leave no garbage behind, and
    # looking for it meanwhile takes a tenth of their time.
    gc.disable()
    from .daemon import Daemon

    gc.enable()
    tell = report.send_notes
    Daemon(paths, config, own_files, listener, tell, idle_timeout_s, inherited).run()


def raise_file_limit() -> None:
    """Clients, hosts and spools need more open files than the 256 that macOS allows at first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _LogFile(logging.handlers.RotatingFileHandler):
    """The log, made again after it was removed, for us alone."""

    def __init__(self, path: str) -> None:
        make_dir(os.path.dirname(path))
        super().__init__(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
        os.chmod(path, 0o600)

    def emit(self, record: logging.LogRecord) -> None:
        stream = self.stream
        if stream is not None and not is_at(stream.fileno(), self.baseFilename):
            with contextlib.suppress(OSError, StorageError):
                self._begin_again(stream)
        super().emit(record)

    def _begin_again(self, old: io.TextIOWrapper) -> None:
        make_dir(os.path.dirname(self.baseFilename))
        self.stream = new = self._open()
        os.chmod(self.baseFilename, 0o600)
        for fd in (1, 2):  # what a library prints goes there too
            if os.path.samestat(os.fstat(fd), os.fstat(old.fileno())):
                os.dup2(new.fileno(), fd)
        old.close()


def set_up_log(paths: Paths, level: str) -> None:
    try:
        handler = _LogFile(paths.log_path)
    except OSError as exc:
        raise cannot_write(paths.log_path, exc) from exc
    handler.setFormatter(LineFormatter())
    logging.getLogger().addHandler(handler)
    set_level(level)


if __name__ == "__main__":
    sys.exit(main())
