"""Starting the daemon, fully detached: its own session, none of our file descriptors.

The Unix-only part of the client. A pipe tells when the daemon listens or why it cannot.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time

from ..bootstrap import bootstrap_args
from ..errors import DaemonDied, DaemonUnavailable, VoxError, from_dict
from ..files import cannot_write, make_dir, make_private_dir
from ..paths import Paths

START_TIMEOUT_S = 60.0
OF_ONE_CALL = ("VOX_BACKEND", "VOX_VOICE", "VOX_LANG", "VOX_MODEL", "VOX_SPEED", "VOX_VOLUME")
"""Variables that hold for one call. The daemon, which serves later calls too, must not see them."""
DAEMON_MODULE = "vox.daemon.main"


def spawn_daemon(
    paths: Paths, wait: bool, deadline: float | None = None, extra_args: tuple[str, ...] = ()
) -> list[str]:
    """Start a daemon process. It leaves at once if another one is up.

    `wait`: until it, or the other one, listens; returns notes for the user. Raises
    DaemonUnavailable, DaemonDied, StorageError; or TimeoutError if the (monotonic) deadline passes
    first.
    """
    make_private_dir(paths.runtime_dir)
    make_dir(paths.log_dir)
    read_end, write_end = os.pipe()
    try:
        _popen(paths, write_end, extra_args)
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    try:
        return _wait_until_ready(read_end, deadline) if wait else []
    finally:
        os.close(read_end)


def _popen(paths: Paths, write_end: int, extra_args: tuple[str, ...]) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in OF_ONE_CALL}
    if environ.get("VOX_HOME"):
        environ["VOX_HOME"] = os.path.abspath(os.path.expanduser(environ["VOX_HOME"]))
    try:
        log = open(paths.log_path, "ab")  # noqa: SIM115 - closed right below
    except OSError as exc:
        raise cannot_write(paths.log_path, exc) from exc
    with log:
        subprocess.Popen(
            [
                sys.executable,
                *bootstrap_args(DAEMON_MODULE),
                f"--ready-fd={write_end}",
                *extra_args,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environ,
            pass_fds=(write_end,),
            start_new_session=True,
        ).returncode = 0  # It outlives us on purpose: no "still running" warning.


def _wait_until_ready(read_end: int, deadline: float | None) -> list[str]:
    limit = time.monotonic() + START_TIMEOUT_S
    said = b""
    while not said.endswith(b"\n"):
        until = limit if deadline is None else min(limit, deadline)
        ready, _, _ = select.select([read_end], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            if deadline is not None and until == deadline:
                raise TimeoutError
            raise DaemonUnavailable(f"the daemon did not start within {START_TIMEOUT_S:g} s")
        data = os.read(read_end, 65536)
        if not data:
            raise DaemonDied("the daemon died while it started")
        said += data
    answer = json.loads(said)
    if "error" in answer:
        error: VoxError = from_dict(answer["error"])
        if isinstance(error, DaemonUnavailable) or error.exit_code == 2:
            raise error
        raise DaemonUnavailable(f"the daemon cannot start: {error.message}", error.hint)
    notes: list[str] = answer["notes"]
    return notes
