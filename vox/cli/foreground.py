"""A light backend without a daemon: the job is spoken in the command line's own process."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from ..client import Client, OnEvent
from ..jobs import Request
from ..paths import Paths, cannot_write, make_dir


def speak(
    client: Client, request: Request, on_event: OnEvent, timeout_s: float | None
) -> dict[str, Any]:
    """The request's job once it has ended; what else waits is left to a daemon.

    Raises WaitTimeout (the job then goes on in a daemon), and what a submission raises.
    """
    from ..queue.foreground import Foreground

    foreground = Foreground(client.paths)
    try:
        # It has its id already: the same job, not another one.
        foreground.submit(request)
        return foreground.speak(on_event, timeout_s)
    except BaseException as exc:
        if not isinstance(exc, Exception):  # Ctrl-C and its like
            foreground.cancel()
        raise
    finally:
        if foreground.close():
            start_passing_daemon(client)


def start_passing_daemon(client: Client) -> None:
    """It speaks what is queued and leaves: a light backend is no reason to stay."""
    from ..spawn import spawn_daemon

    spawn_daemon(client.paths, wait=False, extra_args=("--idle-timeout=0",))


@contextlib.contextmanager
def libraries_write_to_the_log(paths: Paths) -> Iterator[None]:
    """Sound libraries print on the file descriptor itself; the terminal is for our one line.

    Raises StorageError.
    """
    make_dir(paths.log_dir)
    try:
        log = open(paths.log_path, "a", encoding="utf-8")  # noqa: SIM115 - closed below
    except OSError as exc:
        raise cannot_write(paths.log_path, exc) from exc
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    try:
        with log, _standard_error_into(log):
            yield
    finally:
        logging.getLogger().removeHandler(handler)


@contextlib.contextmanager
def _standard_error_into(log: TextIO) -> Iterator[None]:
    """File descriptor 2 goes to the log, `sys.stderr` still to where it went."""
    if sys.stderr is None:  # closed by whoever started us
        yield
        return
    before, screen = sys.stderr, os.dup(2)
    sys.stderr = open(screen, "w", buffering=1, closefd=False)  # noqa: SIM115 - its fd is closed
    os.dup2(log.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(screen, 2)
        sys.stderr = before
        os.close(screen)
