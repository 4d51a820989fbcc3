"""A light backend without a daemon: the job is spoken in the command line's own process."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from ..client.remote import Client, OnEvent
from ..files import cannot_write, make_dir
from ..jobs import Request
from ..paths import Paths


def speak(
    client: Client, request: Request, on_event: OnEvent, timeout_s: float | None
) -> dict[str, Any]:
    """The request's job once it has ended; what else waits is left to a daemon.

    Raises WaitTimeout (the job then goes on in a daemon), and what a submission raises.
    """
    from ..client.in_process import Foreground

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
    from ..client.spawn import spawn_daemon

    spawn_daemon(client.paths, wait=False, extra_args=("--idle-timeout=0",))


def let_libraries_write_to_the_log(paths: Paths) -> None:
    """Sound libraries print on the file descriptor itself; the terminal is for our one line.

    From here to the end of the process: threads that are left behind in such a library may print
    when our job has long ended. `sys.stderr` still leads to where it went. Raises StorageError.
    """
    make_dir(paths.log_dir)
    try:
        log = open(paths.log_path, "a", encoding="utf-8")  # noqa: SIM115 - as long as we live
    except OSError as exc:
        raise cannot_write(paths.log_path, exc) from exc
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.getLogger().addHandler(handler)
    if sys.stderr is None:  # closed by whoever started us
        return
    sys.stderr = open(os.dup(2), "w", buffering=1)  # noqa: SIM115 - likewise
    os.dup2(log.fileno(), 2)
