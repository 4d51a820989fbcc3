"""Synthesizes one job into its spool: splits the text, gets a warm host, retries after a failure.

An utterance that the cache has is taken from there. A job of only such needs no host. Knows hosts,
texts, spools and the cache. What happens to the audio and to the job afterwards is the worker's
business.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..audio.pcm import Samples, silence
from ..audio.shaping import Shaper
from ..audio.spool import Spool
from ..audio.utterances import UtteranceCache
from ..backends.base import Utterance
from ..config import Config
from ..errors import (
    CannotRead,
    HostCrashed,
    HostError,
    LoadFailed,
    OutOfMemory,
)
from ..hosts import sound_checks
from ..hosts.base import Host
from ..jobs import ADAPTER_OPTIONS, Job
from ..queue.store import Store
from ..text.clean import is_speakable
from ..text.say_as import SayAs
from ..text.speakable import Piece
from ..voices.catalog import Catalog
from .cache_keys import CacheKeys
from .forecast import Making
from .lookahead import LookAhead
from .open_texts import OpenTexts
from .pieces import CheckWanted, Pieces, Tally, pieces_of, starting_at
from .rates import Rates, Voice, speakable_chars, voice_of
from .reading import reading_of
from .running import Run, Running
from .unsaid import Failures, Unsaid
from .warming import Models

log = logging.getLogger(__name__)

Heard = tuple[Samples, int]
"""A block of an utterance's audio and its sample rate in Hz."""


class NotLoaded(Exception):
    """The model did not load, or not in time; `error` says why.

    It is not tried again: that may have taken minutes and would fail in the same way.
    """

    def __init__(self, error: HostError) -> None:
        super().__init__(error)
        self.error = error


@dataclass(slots=True)
class _Work:
    """A job that is synthesized."""

    run: Run
    spool: Spool
    pieces: Pieces
    """Those that the spool does not hold yet."""
    check_wanted: CheckWanted
    said: Utterance
    """How it is said: an utterance without its text."""
    voice: Voice
    keys: CacheKeys | None
    """None: its utterances are not cached."""
    failures: Failures
    unsaid: Unsaid
    tally: Tally
    is_warm: bool = False
    """Its model was loaded."""
    host: Host | None = None
    """The one that it has its turn at."""
    counted: Host | None = None
    """The one that has counted the job."""
    is_loading: bool = False
    """A host is being got for it."""
    has_loading_begun: bool = False
    """Which loads something."""
    loading: float | None = None
    """How much is loaded, 0 to 1, if its backend tells."""
    is_awaiting_turn: bool = False

    @property
    def job(self) -> Job:
        return self.run.job


class Synthesizer:
    """Synthesizes jobs, each in a thread of its own; any thread may call it.

    They take turns: one is made at a time, and one that is outranked gives its turn up between two
    utterances.
    """

    def __init__(
        self,
        store: Store,
        lookahead: LookAhead,
        running: Running,
        catalog: Catalog,
        cache: UtteranceCache,
        config: Callable[[], Config],
        models: Models,
        say_as: Callable[[], SayAs],
        texts: OpenTexts,
        rates: Rates,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._texts = texts
        self._models = models
        self._pool = models.pool
        self._lookahead = lookahead
        self._running = running
        self._catalog = catalog
        self._cache = cache
        self._config = config
        self._say_as = say_as
        self._rates = rates
        self._clock = clock
        self._works: dict[str, _Work] = {}
        """By their jobs' ids."""
        self._lock = threading.Lock()

    def making(self, job_id: str) -> Making | None:
        """What is done for the job now; None: it is not at work here."""
        work = self._works.get(job_id)
        if work is None:
            return None
        return Making(
            work.has_loading_begun,
            work.loading,
            work.is_awaiting_turn,
            work.run.is_resting,
            work.tally.chars_left(_utterances_in(work.spool)),
        )

    def cancel(self, job_id: str) -> bool:
        """Have the host stop what it synthesizes for the job; False if none is loaded for it.

        The caller first makes sure that the job's `check_wanted` raises.
        """
        with self._lock:
            work = self._works.get(job_id)
            host = work.host if work else None
        if host is None:
            if work and work.is_loading:
                self._pool.cancel()
            return False
        host.cancel()
        return True

    def abort_load(self, job_id: str) -> None:
        """Kill the host that is being loaded for the job, if there is one."""
        work = self._works.get(job_id)
        if work and work.is_loading:
            self._pool.abort()

    def complete(self, run: Run, spool: Spool, check_wanted: CheckWanted) -> None:
        """Synthesize the utterances that the spool does not hold yet.

        Raises HostError, BackendNotInstalled, StorageError and what `check_wanted` raises. What
        the spool holds of an interrupted utterance is dropped when the spool is opened again.
        """
        job = run.job
        if spool.is_complete:
            self._store.note(job.id, utterances=len(spool.segments), audio_s=_audio_s(spool))
            Unsaid(self._store, job, spool).tell_of_replay()
            return
        work = self._work(run, spool, check_wanted)
        self._works[job.id] = work
        try:
            with contextlib.closing(work.pieces):
                while not self._has_synthesized(work):
                    pass
        finally:
            del self._works[job.id]
        if not spool.frames:
            text = work.unsaid.first or job.text
            raise work.failures.first or CannotRead(f"{job.backend} cannot read {text[:40]!r}")
        work.unsaid.conclude()
        spool.finish()
        self._store.note(job.id, audio_s=_audio_s(spool))
        if job.keep_alive == 0:
            self._models.unload_due()  # before the job is done: its caller has the memory then

    def _has_synthesized(self, work: _Work) -> bool:
        """Go on with the pieces; False if a failure was dealt with, and there may be more."""
        job, spool = work.job, work.spool
        try:
            self._synthesize(work)
            return True
        except NotLoaded as exc:
            raise exc.error from exc
        except LoadFailed:  # of more weights, for example a voice's, by a loaded host
            raise
        except HostError as exc:
            is_utterance, piece = spool.is_mid_utterance, work.pieces.current
            spool.rollback()
            work.check_wanted()
            if work.failures.leaves_out(exc, is_utterance):
                assert piece is not None
                work.unsaid.leave_out(piece, exc)
                self._note_written(piece, work)
                return False
            if isinstance(exc, OutOfMemory):
                self._pool.unload_idle()
            work.pieces.repeat()
            again = _utterances_in(spool) + 1
            line = job.discreet(exc.line)
            log.warning("job %s: %s: once more from utterance %d", job.id, line, again)
            return False

    def _note_written(self, piece: Piece, work: _Work) -> None:
        if work.job.sink != "play":
            self._store.note(work.job.id, heard=piece.index + 1)
            self._lookahead.alone.discard(work.job.id)  # it makes progress
        else:
            self._publish(work.job, {"made": piece.index + 1})

    def _pieces(
        self, job: Job, spool: Spool, check_wanted: CheckWanted, tally: Tally
    ) -> Generator[Piece | None, None, None]:
        reading = reading_of(job, self._catalog, self._config(), self._say_as())
        flush_s = float(self._config()["stream_flush_s"])
        done = functools.partial(_utterances_in, spool)
        yield from pieces_of(
            job, reading, self._store, self._texts, flush_s, done, check_wanted, tally
        )
        self._tell(job, reading.say_as.slow(reading.lang, reading.backend))

    def _work(self, run: Run, spool: Spool, check_wanted: CheckWanted) -> _Work:
        job = run.job
        clone = self._catalog.clone(job.voice) if job.voice else None
        said = Utterance.saying("", clone, {name: getattr(job, name) for name in ADAPTER_OPTIONS})
        tally = Tally()
        made = self._pieces(job, spool, check_wanted, tally)
        return _Work(
            run,
            spool,
            Pieces(starting_at(_first(job, spool), made)),
            check_wanted,
            said,
            voice_of(self._catalog, job),
            self._cache_keys(job, said),
            Failures(),
            Unsaid(self._store, job, spool),
            tally,
        )

    def _cache_keys(self, job: Job, said: Utterance) -> CacheKeys | None:
        is_cached = self._config()["cache_mb"] and self._catalog.is_cached(job.backend)
        if job.private or not is_cached:
            return None
        backend = self._catalog.host_of(job.backend)
        settings = self._catalog.host_settings(job.backend, job.model)
        revision = self._catalog.revision(job.backend, settings)
        try:
            return None if revision is None else CacheKeys(backend, settings, revision, said)
        except OSError:  # the clone's recording: the adapter says what is wrong with it
            return None

    def _synthesize(self, work: _Work) -> None:
        job = work.job
        with contextlib.ExitStack() as held:
            for piece in work.pieces:
                self._running.rest(work.run, piece is None)
                if piece is None:
                    held.close()  # others may have the model until there is more text
                    self._rest(work)
                    continue
                self._let_others_go_first(work, held)
                work.check_wanted()
                key = work.keys.of(piece.text) if work.keys else None
                kept = self._cache.get(key) if key and not job.fresh else None
                if kept is not None:
                    self._say((chunk for chunk in (kept,)), piece, work)
                else:
                    host = work.host or self._take_host(work, held)
                    chunks = _Timed(_shaped(host, replace(work.said, text=piece.text)))
                    parts, sample_rate = self._say(chunks, piece, work)
                    has_sound = any(map(len, parts))
                    work.failures.answered(has_sound)
                    if key and has_sound and not host.cut_off:
                        self._cache.put(key, parts, sample_rate)
                    audio_s = sum(map(len, parts)) / (sample_rate or 1)
                    self._rates.note_work(work.voice.model, chunks.work_s, audio_s, chunks.first_s)
                    self._rates.note_said(
                        work.voice, job.speed, speakable_chars(piece.text), audio_s
                    )
                self._note_written(piece, work)
            if work.host is None:
                self._models.stay(job)  # it may be warm all the same

    def _take_host(self, work: _Work, held: contextlib.ExitStack) -> Host:
        held.enter_context(self._turn(work))
        return held.enter_context(self._warm_host(work))

    def _let_others_go_first(self, work: _Work, held: contextlib.ExitStack) -> None:
        """Give the turn up to jobs that go before this one, and while enough is prepared."""
        job, run = work.job, work.run
        if not self._lookahead.has_room(job):
            held.close()
            self._running.rest(run)
            self._lookahead.wait_for_room(job, work.check_wanted)
            self._running.rest(run, False)
        if self._running.is_outranked(run):
            held.close()
            self._publish(job, {"waiting_for": "speech, which goes first"})
            self._running.let_others_go_first(run, work.check_wanted)
            self._publish(job, {"waiting_for": None})

    def _rest(self, work: _Work) -> None:
        """Have the model loaded when the first sentence comes, and be silent between sentences."""
        if work.job.sink == "play":
            self._pause(work.spool)
        if not (work.spool.segments or work.is_warm):
            with self._turn(work), self._warm_host(work):
                pass

    @contextlib.contextmanager
    def _turn(self, work: _Work) -> Iterator[None]:
        turns, job = self._pool.turns, work.job
        if turns.is_taken and not work.is_warm:
            self._publish(job, {"step": "waiting for another model", "loading": None})
        work.is_awaiting_turn = True
        try:
            with turns.take(work.check_wanted, work.run.rank):
                work.is_awaiting_turn = False
                yield
        finally:
            work.is_awaiting_turn = False

    @contextlib.contextmanager
    def _warm_host(self, work: _Work) -> Iterator[Host]:
        """A host with the job's model. Raises NotLoaded, HostCrashed, BackendNotInstalled."""
        job = work.job
        backend = self._catalog.host_of(job.backend)
        settings = self._catalog.host_settings(job.backend, job.model)
        is_loaded = work.voice.model in self._pool.loaded

        def progress(text: str, fraction: float | None) -> None:
            work.has_loading_begun, work.loading = True, fraction
            self._publish(job, {"step": text, "loading": fraction})

        if not (work.is_warm or is_loaded):
            progress(f"loading {job.backend}", None)
        work.is_loading = True
        began = time.monotonic()
        try:
            host = self._pool.acquire(backend, settings, progress, work.said, job.keep_alive)
        except HostCrashed:
            raise  # perhaps somebody killed it
        except HostError as exc:
            raise NotLoaded(exc) from exc
        finally:
            work.is_loading = work.has_loading_begun = False
        if not is_loaded:
            self._rates.note_load(work.voice.model, time.monotonic() - began)
        with self._lock:
            work.host, work.is_warm = host, True
        try:
            work.check_wanted()
            self._publish(job, {"step": None, "loading": None})
            self._tell(job, host.take_notes())
            yield host
        finally:
            with self._lock:
                work.host = None
            self._pool.release(host, has_spoken=host is not work.counted)
            work.counted = host

    def _tell(self, job: Job, notes: list[str]) -> None:
        for note in notes:
            self._store.add_note(job.id, note)

    def _publish(self, job: Job, progress: dict[str, Any]) -> None:
        if self._store.bus is not None:
            self._store.bus.publish("progress", job.id, {"id": job.id, **progress})

    def _say(
        self, chunks: Generator[Heard, None, None] | _Timed, piece: Piece, work: _Work
    ) -> tuple[list[Samples], int]:
        """Write the utterance into the spool as it comes. Returns its chunks and sample rate."""
        job, spool = work.job, work.spool
        parts: list[Samples] = []
        sample_rate = 0
        self._pause(spool)
        spool.begin_utterance(piece.index)
        with contextlib.closing(chunks):
            for samples, sample_rate in chunks:
                work.check_wanted()
                spool.append(samples, sample_rate)
                parts.append(samples)
                if job.sink == "stream" and spool.frames:
                    job.first_audio_at = job.first_audio_at or self._clock()
        work.check_wanted()
        if any(map(len, parts)) or not is_speakable(piece.text):
            spool.end_utterance()
        else:
            spool.rollback()
            work.unsaid.leave_out(piece, None)
        return parts, sample_rate

    def _pause(self, spool: Spool) -> None:
        """Silence after the utterance before, if it sounded and is not followed by any yet."""
        last = spool.segments[-1] if spool.segments else None
        if last and spool.sample_rate and last.start_frame < last.end_frame == spool.frames:
            spool.append(silence(self._config()["pause_s"], spool.sample_rate), spool.sample_rate)


class _Timed:
    """Passes chunks on, and measures how long their maker takes for them."""

    def __init__(self, chunks: Generator[Heard, None, None]) -> None:
        self._chunks = chunks
        self.work_s = 0.0
        self.first_s = 0.0
        """Until the first sound."""

    def __iter__(self) -> _Timed:
        return self

    def __next__(self) -> Heard:
        began = time.monotonic()
        try:
            samples, sample_rate = next(self._chunks)
        finally:
            self.work_s += time.monotonic() - began
        if len(samples) and not self.first_s:
            self.first_s = self.work_s
        return samples, sample_rate

    def close(self) -> None:
        self._chunks.close()


def _shaped(host: Host, utterance: Utterance) -> Generator[Heard, None, None]:
    """The host's chunks without the silence around the utterance."""
    shaper, sample_rate = Shaper(), 0
    with contextlib.closing(sound_checks.synthesize(host, utterance)) as chunks:
        for samples, sample_rate in chunks:
            yield shaper.feed(samples, sample_rate), sample_rate
    if sample_rate:
        yield shaper.finish(), sample_rate


def _first(job: Job, spool: Spool) -> int:
    """The index of the first utterance to make: after what the spool holds, at the ear if nothing.

    For the ear alone; and a job of which all was heard needs the length of its audio.
    """
    is_for_ear = job.sink == "play" and not spool.segments
    is_at_end = job.utterances is not None and job.heard >= job.utterances
    return job.heard if is_for_ear and not is_at_end else _utterances_in(spool)


def _utterances_in(spool: Spool) -> int:
    """How many utterances, counted from the text's start, the spool holds whole."""
    return max((segment.index + 1 for segment in spool.segments), default=0)


def _audio_s(spool: Spool) -> float:
    return spool.frames / spool.sample_rate if spool.sample_rate else 0.0
