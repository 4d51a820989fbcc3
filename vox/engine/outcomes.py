"""Writes the outcomes of jobs into the job table, in a thread of its own.

The player must never wait for a disk. When the disk is full, the end of a job is published at
once and written as soon as there is room, so that no client waits for ever.
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
"""How often writing is tried again while the disk is full."""


@dataclass(slots=True)
class _Entry:
    """A change to write and, if the disk does not take it, to publish at once."""

    write: Callable[[], Any]
    publish: Callable[[], None] | None = None


class OutcomeWriter:
    """`start` begins to write, `close` ends. Entries are written in the order in which they came.

    Every other method may be called from any thread, returns at once and raises nothing.
    """

    def __init__(self, store: Store, retry_s: float = RETRY_S) -> None:
        self._store = store
        self._retry_s = retry_s
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._ending: set[str] = set()
        """Jobs that ended, until that is written."""
        self._thread = threading.Thread(target=self._run, name="outcomes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is left, as far as the disk takes it."""
        self._entries.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def is_ending(self, job_id: str) -> bool:
        """Whether the job has ended, which the table does not say yet."""
        return job_id in self._ending

    def started(self, job_id: str, at: float) -> None:
        """The job's first sample was heard, at that time."""

        def write() -> None:
            first = self._store.get(job_id).first_audio_at or at
            self._store.change(job_id, ("preparing",), "speaking", first_audio_at=first)

        self._entries.put(_Entry(write))

    def interrupted(self, job_id: str) -> None:
        """Another job is heard instead; this one goes on afterwards."""
        self._entries.put(_Entry(lambda: self._store.change(job_id, ("speaking",), "preparing")))

    def heard(self, job_id: str, utterances: int) -> None:
        """So many of the job's utterances were heard to their end."""
        self._entries.put(_Entry(lambda: self._store.note(job_id, heard=utterances)))

    def mark(self, job_id: str, name: str) -> None:
        """That mark of the job is heard: told after what was told before."""
        self._entries.put(_Entry(lambda: self._store.publish_mark(job_id, name)))

    def done(self, job_id: str, at: float, first_audio_at: float | None = None) -> None:
        """The job was heard, or written, to its end, at that time."""
        columns = {} if first_audio_at is None else {"first_audio_at": first_audio_at}
        self._end(job_id, ("preparing", "speaking"), "done", finished_at=at, **columns)

    def failed(self, job_id: str, error: VoxError) -> None:
        """The job failed with that error. Of several failures of a job the first counts."""
        if job_id in self._ending:
            return
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
            job = self._store.change(job_id, sources, state, **columns)
            if job is not None and job.error:
                log.error("job %s failed: %s", job_id, job.error)
            self._ending.discard(job_id)

        self._ending.add(job_id)
        self._entries.put(_Entry(write, lambda: self._publish(job_id, state, columns)))

    def _publish(self, job_id: str, state: State, columns: dict[str, Any]) -> None:
        """Publish how the job ended, which cannot be written yet."""
        job: Job = self._store.get(job_id)
        if not job.is_live:
            return
        job.state = state
        for name, value in columns.items():
            setattr(job, name, value)
        self._store.publish("state", job, is_written=False)

    def _run(self) -> None:
        unwritten: collections.deque[_Entry] = collections.deque()
        entry: _Entry | None
        while True:
            try:
                entry = self._entries.get(timeout=self._retry_s if unwritten else None)
            except queue.Empty:
                self._write(unwritten)
                continue
            if entry is None:
                return
            unwritten.append(entry)
            self._write(unwritten)
            if unwritten and entry.publish is not None:
                self._try(entry.publish)

    def _write(self, entries: collections.deque[_Entry]) -> None:
        """Write the entries in order, as far as the disk takes them."""
        while entries and self._try(entries[0].write):
            entries.popleft()

    def _try(self, action: Callable[[], Any]) -> bool:
        """False if another try later may succeed."""
        try:
            action()
        except StorageError as exc:
            log.error("an outcome cannot be written yet: %s", exc.line)
            return False
        except UnknownJob:
            log.info("a job was cleared while it was spoken")
        except Exception:
            log.exception("an outcome cannot be written")
        return True
