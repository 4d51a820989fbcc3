"""Where what sound libraries print goes when they are loaded into the command line's process."""

from __future__ import annotations

import logging
import os
import sys

from ..files import cannot_write, make_dir
from ..paths import Paths


def send_to_log(paths: Paths) -> None:
    """Sound libraries print on file descriptor 2 itself; the terminal is for our one line.

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
