"""Runs one job: splits its text, has a warm host synthesize it into the spool, and hands it on.

What is to be played is given to the player at once, which begins with the first chunk; the
player's word ends such a job (see `engine`). Files and streams end here. While one job is heard,
the next is synthesized, but no further ahead of the ear than `lookahead_s`.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..audio import files
from ..audio.player import Playback, Player
from ..audio.shaping import Shaper
from ..audio.spool import Spool, SpoolDir
from ..backends.base import Utterance
from ..config import Config
from ..errors import (
    HostCrashed,
    HostError,
    JobFailed,
    LoadFailed,
    OutOfMemory,
    StorageError,
    SynthesisFailed,
    VoxError,
)
from ..hosts.base import Host
from ..hosts.pool import Pool
from ..jobs import Job
from ..queue.store import Store
from ..text.split import Piece, split
from ..voices.catalog import Catalog
from .lookahead import LookAhead
from .outcomes import Ledger

log = logging.getLogger(__name__)

RETRIES = 1
"""How often a job's synthesis is tried again after its host died, hung or raised. A model that
cannot be loaded is not tried again: that may have taken minutes and would fail the same way."""


class NotLoaded(Exception):
    """The model did not get into memory, or not in time: `error` says why. No second attempt."""

    def __init__(self, error: HostError) -> None:
        super().__init__(error)
        self.error = error


class JobStopped(Exception):
    """The job was cancelled, or the daemon leaves: stop working for it, nothing is wrong."""


class Worker:
    """The one worker behind Huey's consumer. `cancel` and `stop` come from other threads."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        pool: Pool,
        player: Player,
        lookahead: LookAhead,
        spools: SpoolDir,
        catalog: Catalog,
        config: Callable[[], Config],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._pool = pool
        self._player = player
        self._lookahead = lookahead
        self._spools = spools
        self._catalog = catalog
        self._config = config
        self._clock = clock
        self._current: Job | None = None
        self._host: Host | None = None
        self._dropped: set[str] = set()
        self._stopping = False
        self.taken: set[str] = set()
        """The jobs that were taken out of the queue here, for whoever puts them back."""
        self._lock = threading.Lock()

    @property
    def current_id(self) -> str | None:
        job = self._current
        return job.id if job else None

    # -- called from other threads -----------------------------------------------------------

    def cancel(self, job_id: str) -> None:
        """Stop working for the job, if it is the current one."""
        with self._lock:
            if self._current is None or self._current.id != job_id:
                return
            self._dropped.add(job_id)
            host, backend = self._host, self._current.backend
        if host is not None:
            host.cancel()
        elif any(job.backend != backend for job in self._store.queued()):
            # It is still loading. That goes on for whoever corrects a text and asks again, but
            # not while others wait for another voice.
            self._pool.abort()

    def stop(self) -> None:
        """The daemon leaves now: stop working; the job is put back by the caller."""
        self._stopping = True
        with self._lock:
            host = self._host
        if host is not None:
            host.cancel()
        else:
            self._pool.abort()

    def may_take(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Those of the jobs, the next in the queue, that may be taken out of it now."""
        return () if self._stopping else self._lookahead.may_take(job_ids)

    # -- the job -----------------------------------------------------------------------------

    def run(self, job_id: str) -> None:
        """Take the job if it still waits, and do all that can be done for it here."""
        # The current job is set before its state changes: a cancel that comes right after the
        # change must find it.
        job = self._store.find(job_id)
        if job is None:
            return
        with self._lock:
            self._current = job
        try:
            if job.expires_at is not None:
                self._store.expire()  # the ticker, who does so too, may not have come round yet
            started_at = job.started_at or self._clock()
            taken = self._store.change(job_id, ("queued",), "preparing", started_at=started_at)
            if taken is not None:
                self.taken.add(job_id)
                self._prepare(taken)
        except StorageError as exc:
            self._ledger.failed(job_id, exc)
        finally:
            with self._lock:
                self._current = None
                self._dropped.discard(job_id)

    def _prepare(self, job: Job) -> None:
        spool: Spool | None = None
        try:
            spool = self._open_spool(job)
            if job.sink == "play":
                self._player.add(
                    Playback(
                        job_id=job.id,
                        spool=spool,
                        order=(-job.priority, job.seq),
                        volume=job.volume,
                        start_utterance=job.heard,
                    )
                )
            self._synthesize_all(job, spool)
            self._finish(job, spool)
        except JobStopped:
            if spool is not None:
                spool.abandon()
        except VoxError as exc:
            self._give_up(job, spool, exc)
        except Exception as exc:
            log.exception("job %s", job.id)
            reason = f"{type(exc).__name__}: {exc}"
            self._give_up(job, spool, JobFailed(reason, "see: vox daemon logs"))
        finally:
            if spool is not None:
                spool.close()

    def _give_up(self, job: Job, spool: Spool | None, error: VoxError) -> None:
        if spool is not None:
            spool.abandon()
        self._player.cancel(job.id)
        self._ledger.failed(job.id, error)

    def _open_spool(self, job: Job) -> Spool:
        if job.source == "replay" and job.source_name and not self._spools.has(job.id):
            self._spools.share(job.source_name, job.id)
        return self._spools.open(job.id)

    def _check_wanted(self, job: Job) -> None:
        if self._stopping or job.id in self._dropped:
            raise JobStopped

    def _check_live(self, job: Job) -> None:
        """As `_check_wanted`, and asks the table too: whoever cancels a job writes there first."""
        self._check_wanted(job)
        known = self._store.find(job.id)
        if known is None or not known.is_live:
            raise JobStopped

    def _synthesize_all(self, job: Job, spool: Spool) -> None:
        if spool.is_complete:
            self._store.note(job.id, utterances=len(spool.segments), audio_s=_audio_s(spool))
            return
        adapter_info = self._catalog.info(job.backend)
        pieces = split(job.text, job.lang, max_chars=adapter_info.max_chars)
        made = max((segment.index + 1 for segment in spool.segments), default=0)
        self._store.note(job.id, utterances=len(pieces))
        for retry in range(RETRIES + 1):
            try:
                self._synthesize_from(made, pieces, job, spool)
                break
            except NotLoaded as exc:
                raise exc.error from exc
            except LoadFailed:  # of further weights, for which the host was there already
                raise
            except HostError as exc:
                spool.rollback()
                self._check_wanted(job)
                done = max((segment.index + 1 for segment in spool.segments), default=0)
                if retry == RETRIES:
                    raise
                if isinstance(exc, OutOfMemory):
                    self._pool.unload(everything=True)
                log.warning("job %s: %s: once more from utterance %d", job.id, exc.line, done + 1)
                made = done
        if not spool.frames:
            raise SynthesisFailed(
                f"{job.backend} finds nothing to say in {job.text[:40]!r}",
                "tell its language: -l LANG",
            )
        spool.finish()
        self._store.note(job.id, audio_s=_audio_s(spool))

    def _synthesize_from(self, first: int, pieces: list[Piece], job: Job, spool: Spool) -> None:
        with self._warm_host(job) as host:
            for piece in pieces[first:]:
                self._lookahead.wait_for_room(job, lambda: self._check_wanted(job))
                self._check_wanted(job)
                self._synthesize_one(host, piece, job, spool, is_last=piece is pieces[-1])
                if job.sink != "play":
                    self._store.note(job.id, heard=piece.index + 1)

    @contextlib.contextmanager
    def _warm_host(self, job: Job) -> Iterator[Host]:
        backend = self._catalog.host_of(job.backend)
        settings = self._catalog.host_settings(job.backend, job.model)

        def progress(text: str, fraction: float | None) -> None:
            self._tell(job, {"loading": text, "fraction": fraction})

        self._tell(job, {"loading": f"loading {job.backend}", "fraction": None})
        try:
            host = self._pool.acquire(backend, settings, progress)
        except HostCrashed:
            raise  # perhaps somebody killed it
        except HostError as exc:
            raise NotLoaded(exc) from exc
        with self._lock:
            self._host = host
        try:
            self._check_wanted(job)
            self._tell(job, {"loading": None})
            yield host
        finally:
            with self._lock:
                self._host = None
            self._pool.release(host)

    def _tell(self, job: Job, data: dict[str, Any]) -> None:
        if self._store.bus is not None:
            self._store.bus.publish("progress", job.id, {"id": job.id, **data})

    def _synthesize_one(
        self, host: Host, piece: Piece, job: Job, spool: Spool, is_last: bool
    ) -> None:
        shaper = Shaper(pause_s=self._config()["pause_s"])
        clone = self._catalog.clone(job.voice) if job.voice else None
        utterance = Utterance(
            text=piece.text,
            voice=None if clone else job.voice,
            lang=job.lang,
            speed=job.speed,
            style=job.style,
            gender=job.gender,
            clone=clone,
        )
        spool.begin_utterance(piece.index, piece.start, piece.end)
        sample_rate = 0
        with contextlib.closing(host.synthesize(utterance)) as chunks:
            for samples, sample_rate in chunks:
                self._check_wanted(job)
                spool.append(shaper.feed(samples, sample_rate), sample_rate)
                if job.sink == "stream" and spool.frames:
                    job.first_audio_at = job.first_audio_at or self._clock()
        self._check_wanted(job)
        if sample_rate:
            spool.append(shaper.finish(is_last), sample_rate)
        spool.end_utterance()

    def _finish(self, job: Job, spool: Spool) -> None:
        self._check_wanted(job)
        if job.sink == "play":
            return
        if job.sink == "file" and job.output:
            files.write(spool, job.output, job.volume, lambda: self._check_live(job))
        now = self._clock()
        self._ledger.done(job.id, now, first_audio_at=job.first_audio_at or now)


def _audio_s(spool: Spool) -> float:
    return spool.frames / spool.sample_rate if spool.sample_rate else 0.0
