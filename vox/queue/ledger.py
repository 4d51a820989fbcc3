"""Writes down what became of jobs, in a thread of its own.

The player must never wait for a disk; and when the disk is full, how a job ended is told at once
and written as soon as there is room, so that nobody waits for ever.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from ..errors import StorageError, UnknownJob, VoxError
from ..jobs import Job, State
from .store import Store

log = logging.getLogger(__name__)

RETRY_S = 1.0
_WORKED_ON: tuple[State, ...] = ("preparing", "speaking")


class Ledger:
    """`start` begins to write, `close` ends; what is noted between is written in order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writes: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is noted, as far as the disk lets us."""
        self._closing.set()
        self._writes.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def started(self, job_id: str, at: float) -> None:
        """Its first sample was heard."""

        def write() -> None:
            first = self._store.get(job_id).first_audio_at or at
            self._store.change(job_id, ("preparing",), "speaking", first_audio_at=first)

        self._writes.put(write)

    def heard(self, job_id: str, utterances: int) -> None:
        """So many of its utterances were heard to their end."""
        self._writes.put(lambda: self._store.note(job_id, heard=utterances))

    def done(self, job_id: str, at: float, first_audio_at: float | None = None) -> None:
        """It was heard, or written, to its end."""
        columns = {} if first_audio_at is None else {"first_audio_at": first_audio_at}
        self._end(job_id, "done", finished_at=at, **columns)

    def failed(self, job_id: str, error: VoxError) -> None:
        """It ends here, with the error's line."""
        log.error("job %s failed: %s", job_id, error.line)
        self._end(
            job_id,
            "failed",
            error=error.line,
            error_code=error.code,
            error_exit=error.exit_code,
        )

    def _end(self, job_id: str, state: State, **columns: Any) -> None:
        told = False

        def write() -> None:
            nonlocal told
            try:
                self._store.change(job_id, _WORKED_ON, state, **columns)
            except StorageError:
                if not told:
                    told = True
                    self._tell(job_id, state, columns)
                raise

        self._writes.put(write)

    def _tell(self, job_id: str, state: State, columns: dict[str, Any]) -> None:
        """Tell how the job ended though it cannot be written down yet."""
        job: Job = self._store.get(job_id)
        if self._store.bus is None or not job.is_live:
            return
        job.state = state
        for name, value in columns.items():
            setattr(job, name, value)
        self._store.bus.publish("state", job.id, job.to_dict())

    def _run(self) -> None:
        while (write := self._writes.get()) is not None:
            while not self._written(write):
                if self._closing.wait(RETRY_S):
                    return

    def _written(self, write: Callable[[], Any]) -> bool:
        """False if it is worth another try."""
        try:
            write()
        except StorageError as exc:
            log.error("cannot write down what was heard: %s", exc.line)
            return False
        except UnknownJob:
            log.info("a job was cleared while it was spoken")
        except Exception:
            log.exception("what was heard cannot be written down")
        return True
