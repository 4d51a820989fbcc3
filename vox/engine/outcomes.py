"""Writes down what became of jobs, in a thread of its own.

The player must never wait for a disk; and when the disk is full, how a job ended is told at once
and written as soon as there is room, so that nobody waits for ever.
"""

from __future__ import annotations

import collections
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import StorageError, UnknownJob, VoxError
from ..jobs import LIVE, Job, State
from ..queue.store import Store

log = logging.getLogger(__name__)

RETRY_S = 1.0


@dataclass(slots=True)
class _Note:
    """Something to write down and, should the disk not take it, to tell at once."""

    write: Callable[[], Any]
    tell: Callable[[], None] | None = None


class Ledger:
    """`start` begins to write, `close` ends; what is noted between is written in order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._notes: queue.SimpleQueue[_Note | None] = queue.SimpleQueue()
        self._failing: set[str] = set()
        """Jobs that failed, as long as that could not be written down."""
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is noted, as far as the disk lets us."""
        self._notes.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def started(self, job_id: str, at: float) -> None:
        """Its first sample was heard."""

        def write() -> None:
            first = self._store.get(job_id).first_audio_at or at
            self._store.change(job_id, ("preparing",), "speaking", first_audio_at=first)

        self._notes.put(_Note(write))

    def heard(self, job_id: str, utterances: int) -> None:
        """So many of its utterances were heard to their end."""
        self._notes.put(_Note(lambda: self._store.note(job_id, heard=utterances)))

    def done(self, job_id: str, at: float, first_audio_at: float | None = None) -> None:
        """It was heard, or written, to its end."""
        columns = {} if first_audio_at is None else {"first_audio_at": first_audio_at}
        self._end(job_id, ("preparing", "speaking"), "done", finished_at=at, **columns)

    def failed(self, job_id: str, error: VoxError) -> None:
        """It ends here, with the error's line."""
        if job_id in self._failing:
            return
        self._failing.add(job_id)
        log.error("job %s failed: %s", job_id, error.line)
        self._end(
            job_id,
            LIVE,
            "failed",
            error=error.line,
            error_code=error.code,
            error_exit=error.exit_code,
        )

    def _end(self, job_id: str, sources: Sequence[State], state: State, **columns: Any) -> None:
        def write() -> None:
            self._store.change(job_id, sources, state, **columns)
            self._failing.discard(job_id)

        self._notes.put(_Note(write, lambda: self._tell(job_id, state, columns)))

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
        unwritten: collections.deque[_Note] = collections.deque()
        note: _Note | None
        while True:
            try:
                note = self._notes.get(timeout=RETRY_S if unwritten else None)
            except queue.Empty:
                self._write(unwritten)
                continue
            if note is None:
                return
            unwritten.append(note)
            self._write(unwritten)
            if unwritten and note.tell is not None:
                self._tried(note.tell)

    def _write(self, notes: collections.deque[_Note]) -> None:
        """Write them in order, as far as the disk lets us."""
        while notes and self._tried(notes[0].write):
            notes.popleft()

    def _tried(self, write: Callable[[], Any]) -> bool:
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
