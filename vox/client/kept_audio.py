"""The kept audio of jobs as files, with a daemon or without: it lies on this machine's disk."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from ..audio import files
from ..audio.spool import SpoolDir
from ..errors import BadOutput, StorageError
from ..paths import Paths


class AudioFolder:
    """A folder to which the audio of jobs is written: ID.wav, or another format."""

    def __init__(self, paths: Paths, folder: str, extension: str) -> None:
        """`extension`: without its dot. Raises BadOutput."""
        self._spools = SpoolDir(paths.spool_dir, limit_bytes=0)
        self._folder = os.path.abspath(folder)
        self._extension = extension
        try:
            os.makedirs(self._folder, exist_ok=True)
        except OSError as exc:
            reason = f"cannot write {self._folder}: {exc.strerror}"
            raise BadOutput(reason, "choose another folder") from exc
        files.check_output(self._path("check"))

    def _path(self, job_id: str) -> str:
        return os.path.join(self._folder, f"{job_id}.{self._extension}")

    def add(self, job: dict[str, Any]) -> str | None:
        """The path of the job's audio, which is written unless it is there; None: none is kept.

        Raises StorageError.
        """
        path = self._path(job["id"])
        if os.path.lexists(path):
            return path
        if not self._spools.has(job["id"]):
            return None
        with contextlib.closing(self._spools.open(job["id"])) as spool:
            try:
                files.write(spool, path, job["volume"], is_new=True)
            except (BadOutput, StorageError):
                if not os.path.lexists(path):  # else another export has just made it
                    raise
        return path
