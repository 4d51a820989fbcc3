"""Synthesizes one job into its spool: splits the text, gets a warm host, retries after a failure.

Knows hosts, texts and spools. What happens to the audio and to the job afterwards is the worker's
business.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..audio.shaping import Shaper
from ..audio.spool import Spool
from ..backends.base import Utterance
from ..config import Config
from ..errors import HostCrashed, HostError, LoadFailed, OutOfMemory, SynthesisFailed
from ..hosts.base import Host
from ..jobs import ADAPTER_OPTIONS, Job
from ..queue.store import Store
from ..text.split import Piece, split
from ..voices.catalog import Catalog
from .lookahead import LookAhead
from .warming import Models

log = logging.getLogger(__name__)

RETRIES = 1
"""How often a job's synthesis is tried again after its host died, hung or raised. A model that does
not load is not tried again: that may have taken minutes and would fail in the same way."""

CheckWanted = Callable[[], None]
"""Raises if the work for a job is to stop."""


class NotLoaded(Exception):
    """The model did not load, or not in time; `error` says why. It is not tried again."""

    def __init__(self, error: HostError) -> None:
        super().__init__(error)
        self.error = error


class Synthesizer:
    """Synthesizes one job at a time; `cancel` may come from any thread."""

    def __init__(
        self,
        store: Store,
        lookahead: LookAhead,
        catalog: Catalog,
        config: Callable[[], Config],
        models: Models,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._models = models
        self._pool = models.pool
        self._lookahead = lookahead
        self._catalog = catalog
        self._config = config
        self._clock = clock
        self._host: Host | None = None
        self._is_loading = False
        self._lock = threading.Lock()

    def cancel(self) -> bool:
        """Have the host stop what it synthesizes; False if no host is loaded for the job.

        The caller first makes sure that the job's `check_wanted` raises.
        """
        with self._lock:
            host = self._host
        if host is None:
            return False
        host.cancel()
        return True

    def abort_load(self) -> None:
        """Kill the host that is being loaded for the job, if there is one."""
        if self._is_loading:
            self._pool.abort()

    def complete(self, job: Job, spool: Spool, check_wanted: CheckWanted) -> None:
        """Synthesize the utterances that the spool does not hold yet.

        Raises HostError, BackendNotInstalled, StorageError and what `check_wanted` raises. What
        the spool holds of an interrupted utterance is dropped when the spool is opened again.
        """
        if spool.is_complete:
            self._store.note(job.id, utterances=len(spool.segments), audio_s=_audio_s(spool))
            return
        max_chars = self._catalog.info(job.backend).max_chars
        pieces = split(job.text, job.lang, max_chars=max_chars)
        self._store.note(job.id, utterances=len(pieces))
        for retry in range(RETRIES + 1):
            first = _utterances_in(spool)
            try:
                self._synthesize(pieces[first:], job, spool, check_wanted)
                break
            except NotLoaded as exc:
                raise exc.error from exc
            except LoadFailed:  # of more weights, for example a voice's, by a loaded host
                raise
            except HostError as exc:
                spool.rollback()
                check_wanted()
                if retry == RETRIES:
                    raise
                if isinstance(exc, OutOfMemory):
                    self._pool.unload()
                again = _utterances_in(spool) + 1
                log.warning("job %s: %s: once more from utterance %d", job.id, exc.line, again)
        if not spool.frames:
            raise SynthesisFailed(
                f"{job.backend} cannot read {job.text[:40]!r}", "set its language: -l LANG"
            )
        spool.finish()
        self._store.note(job.id, audio_s=_audio_s(spool))
        if job.keep_alive == 0:
            self._models.unload_due()  # before the job is done: its caller has the memory then

    def _synthesize(
        self, pieces: list[Piece], job: Job, spool: Spool, check_wanted: CheckWanted
    ) -> None:
        with self._turn(job, check_wanted), self._warm_host(job, check_wanted) as host:
            for piece in pieces:
                self._lookahead.wait_for_room(job, check_wanted)
                check_wanted()
                is_last = piece is pieces[-1]
                self._synthesize_one(host, piece, job, spool, check_wanted, is_last)
                if job.sink != "play":
                    self._store.note(job.id, heard=piece.index + 1)

    @contextlib.contextmanager
    def _turn(self, job: Job, check_wanted: CheckWanted) -> Iterator[None]:
        if self._pool.turns.is_taken:
            self._publish(job, {"loading": "waiting for another model", "fraction": None})
        with self._pool.turns.take(check_wanted):
            yield

    @contextlib.contextmanager
    def _warm_host(self, job: Job, check_wanted: CheckWanted) -> Iterator[Host]:
        """A host with the job's model. Raises NotLoaded, HostCrashed, BackendNotInstalled."""
        backend = self._catalog.host_of(job.backend)
        settings = self._catalog.host_settings(job.backend, job.model)

        def progress(text: str, fraction: float | None) -> None:
            self._publish(job, {"loading": text, "fraction": fraction})

        progress(f"loading {job.backend}", None)
        self._is_loading = True
        try:
            wish = self._utterance(job, "")
            host = self._pool.acquire(backend, settings, progress, wish)
        except HostCrashed:
            raise  # perhaps somebody killed it
        except HostError as exc:
            raise NotLoaded(exc) from exc
        finally:
            self._is_loading = False
        self._models.stay(job)
        with self._lock:
            self._host = host
        try:
            check_wanted()
            self._publish(job, {"loading": None})
            self._tell(job, host.take_notes())
            yield host
        finally:
            with self._lock:
                self._host = None
            self._pool.release(host)

    def _tell(self, job: Job, notes: list[str]) -> None:
        if notes:
            job.notes += notes
            self._store.note(job.id, notes=job.notes)

    def _publish(self, job: Job, progress: dict[str, Any]) -> None:
        if self._store.bus is not None:
            self._store.bus.publish("progress", job.id, {"id": job.id, **progress})

    def _synthesize_one(
        self,
        host: Host,
        piece: Piece,
        job: Job,
        spool: Spool,
        check_wanted: CheckWanted,
        is_last: bool,
    ) -> None:
        shaper = Shaper(pause_s=self._config()["pause_s"])
        spool.begin_utterance(piece.index, piece.start, piece.end)
        sample_rate = 0
        with contextlib.closing(host.synthesize(self._utterance(job, piece.text))) as chunks:
            for samples, sample_rate in chunks:
                check_wanted()
                spool.append(shaper.feed(samples, sample_rate), sample_rate)
                if job.sink == "stream" and spool.frames:
                    job.first_audio_at = job.first_audio_at or self._clock()
        check_wanted()
        if sample_rate:
            spool.append(shaper.finish(is_last), sample_rate)
        spool.end_utterance()

    def _utterance(self, job: Job, text: str) -> Utterance:
        clone = self._catalog.clone(job.voice) if job.voice else None
        given = {name: getattr(job, name) for name in ADAPTER_OPTIONS}
        return Utterance.saying(text, clone, given)


def _utterances_in(spool: Spool) -> int:
    """How many utterances, counted from the text's start, the spool holds whole."""
    return max((segment.index + 1 for segment in spool.segments), default=0)


def _audio_s(spool: Spool) -> float:
    return spool.frames / spool.sample_rate if spool.sample_rate else 0.0
