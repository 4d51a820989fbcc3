"""Sends the output of sound libraries to the log while this process speaks a job."""

from __future__ import annotations

import logging
import os
import sys

from ..files import cannot_write, make_dir
from ..paths import Paths


def send_to_log(paths: Paths) -> None:
    """Lead file descriptor 2, on which sound libraries print, to the log.

    It stays so until the process ends, because threads that are left in such a library may print
    after our job has ended. `sys.stderr` leads to where it did before. Raises StorageError.
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
