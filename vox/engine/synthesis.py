"""Synthesizes one job into its spool: splits the text, gets a warm host, retries after a failure.

An utterance that the cache has is taken from there. A job of only such needs no host. Knows hosts,
texts, spools and the cache. What happens to the audio and to the job afterwards is the worker's
business.
"""

from __future__ import annotations

import contextlib
import itertools
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
    EmptyText,
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
from ..text.speakable import Piece, Speakable, pieces
from ..voices.catalog import Catalog
from .cache_keys import CacheKeys
from .lookahead import LookAhead
from .open_texts import OpenTexts, Reader
from .reading import reading_of
from .unsaid import Failures, Unsaid
from .warming import Models

log = logging.getLogger(__name__)

SHORT_CHARS = 2_000
"""The pieces of such a text are made at once: their number is known before the first is said."""
LONG_CHARS = 20_000
"""Those of a longer text are made one by one: their number is known in the end. Between the two,
the first sound waits for the first piece alone."""

CheckWanted = Callable[[], None]
"""Raises if the work for a job is to stop."""
Heard = tuple[Samples, int]
"""A block of an utterance's audio and its sample rate in Hz."""


class NotLoaded(Exception):
    """The model did not load, or not in time; `error` says why.

    It is not tried again: that may have taken minutes and would fail in the same way.
    """

    def __init__(self, error: HostError) -> None:
        super().__init__(error)
        self.error = error


class _Pieces:
    """A text's pieces, of which the present one may be taken once more.

    None: there are no more yet, because the text is still being written.
    """

    def __init__(self, pieces: Iterator[Piece | None]) -> None:
        self._pieces = pieces
        self._is_again = False
        self.current: Piece | None = None

    def __iter__(self) -> Iterator[Piece | None]:
        return self

    def __next__(self) -> Piece | None:
        if not self._is_again:
            self.current = next(self._pieces)
        self._is_again = False
        return self.current

    def repeat(self) -> None:
        """The next piece is the present one."""
        self._is_again = True


@dataclass(slots=True)
class _Work:
    """A job that is synthesized."""

    job: Job
    spool: Spool
    pieces: _Pieces
    """Those that the spool does not hold yet."""
    check_wanted: CheckWanted
    said: Utterance
    """How it is said: an utterance without its text."""
    keys: CacheKeys | None
    """None: its utterances are not cached."""
    failures: Failures
    unsaid: Unsaid
    is_warm: bool = False
    """Its model was loaded before there was any text."""


class Synthesizer:
    """Synthesizes one job at a time; `cancel` may come from any thread."""

    def __init__(
        self,
        store: Store,
        lookahead: LookAhead,
        catalog: Catalog,
        cache: UtteranceCache,
        config: Callable[[], Config],
        models: Models,
        say_as: Callable[[], SayAs],
        texts: OpenTexts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._texts = texts
        self._models = models
        self._pool = models.pool
        self._lookahead = lookahead
        self._catalog = catalog
        self._cache = cache
        self._config = config
        self._say_as = say_as
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
            if self._is_loading:
                self._pool.cancel()
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
            Unsaid(self._store, job, spool).tell_of_replay()
            return
        work = self._work(job, spool, check_wanted)
        while not self._has_synthesized(work):
            pass
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
            log.warning("job %s: %s: once more from utterance %d", job.id, exc.line, again)
            return False

    def _note_written(self, piece: Piece, work: _Work) -> None:
        if work.job.sink != "play":
            self._store.note(work.job.id, heard=piece.index + 1)

    def _pieces(self, job: Job, spool: Spool, check_wanted: CheckWanted) -> Iterator[Piece | None]:
        """The text's pieces. Those of a long text are made when they are asked for.

        None: there are no more yet, because the text is still being written. Raises Parked.
        """
        reading = reading_of(job, self._catalog, self._config(), self._say_as())
        if job.is_open or self._texts.flushes(job.id):
            reader = Reader(
                self._texts,
                job,
                Speakable(reading),
                reading.lang,
                float(self._config()["stream_flush_s"]),
                lambda: _utterances_in(spool),
                check_wanted,
            )
            yield from self._counted(reader.pieces(), job)
        else:
            made = self._counted(pieces(job.text, reading), job)
            length = len(job.text)
            yield from itertools.islice(made, int(length > SHORT_CHARS))
            yield from made if length > LONG_CHARS else list(made)
        self._tell(job, reading.say_as.slow(reading.lang, reading.backend))

    def _counted(self, made: Iterator[Piece | None], job: Job) -> Iterator[Piece | None]:
        count = 0
        for piece in made:
            count += piece is not None
            yield piece
        if not count:
            raise EmptyText
        self._store.note(job.id, utterances=count)

    def _work(self, job: Job, spool: Spool, check_wanted: CheckWanted) -> _Work:
        clone = self._catalog.clone(job.voice) if job.voice else None
        said = Utterance.saying("", clone, {name: getattr(job, name) for name in ADAPTER_OPTIONS})
        return _Work(
            job,
            spool,
            _Pieces(_from(_utterances_in(spool), self._pieces(job, spool, check_wanted))),
            check_wanted,
            said,
            self._cache_keys(job, said),
            Failures(),
            Unsaid(self._store, job, spool),
        )

    def _cache_keys(self, job: Job, said: Utterance) -> CacheKeys | None:
        if not (self._config()["cache_mb"] and self._catalog.is_cached(job.backend)):
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
            host: Host | None = None
            for piece in work.pieces:
                if piece is None:
                    held.close()  # others may have the model until there is more text
                    host = None
                    self._rest(work)
                    continue
                self._lookahead.wait_for_room(job, work.check_wanted)
                work.check_wanted()
                key = work.keys.of(piece.text) if work.keys else None
                kept = self._cache.get(key) if key and not job.fresh else None
                if kept is not None:
                    self._say((chunk for chunk in (kept,)), piece, work)
                else:
                    if host is None:
                        held.enter_context(self._turn(work))
                        host = held.enter_context(self._warm_host(work))
                    chunks = _shaped(host, replace(work.said, text=piece.text))
                    parts, sample_rate = self._say(chunks, piece, work)
                    has_sound = any(map(len, parts))
                    work.failures.answered(has_sound)
                    if key and has_sound and not host.cut_off:
                        self._cache.put(key, parts, sample_rate)
                self._note_written(piece, work)
            if host is None:
                self._models.stay(job)  # it may be warm all the same

    def _rest(self, work: _Work) -> None:
        """Have the model loaded when the first sentence comes, and be silent between sentences."""
        if work.job.sink == "play":
            self._pause(work.spool)
        if not (work.spool.segments or work.is_warm):
            work.is_warm = True
            with self._turn(work), self._warm_host(work):
                pass

    @contextlib.contextmanager
    def _turn(self, work: _Work) -> Iterator[None]:
        if self._pool.turns.is_taken:
            self._publish(work.job, {"loading": "waiting for another model", "fraction": None})
        with self._pool.turns.take(work.check_wanted):
            yield

    @contextlib.contextmanager
    def _warm_host(self, work: _Work) -> Iterator[Host]:
        """A host with the job's model. Raises NotLoaded, HostCrashed, BackendNotInstalled."""
        job = work.job
        backend = self._catalog.host_of(job.backend)
        settings = self._catalog.host_settings(job.backend, job.model)

        def progress(text: str, fraction: float | None) -> None:
            self._publish(job, {"loading": text, "fraction": fraction})

        progress(f"loading {job.backend}", None)
        self._is_loading = True
        try:
            host = self._pool.acquire(backend, settings, progress, work.said, job.keep_alive)
        except HostCrashed:
            raise  # perhaps somebody killed it
        except HostError as exc:
            raise NotLoaded(exc) from exc
        finally:
            self._is_loading = False
        with self._lock:
            self._host = host
        try:
            work.check_wanted()
            self._publish(job, {"loading": None})
            self._tell(job, host.take_notes())
            yield host
        finally:
            with self._lock:
                self._host = None
            self._pool.release(host)

    def _tell(self, job: Job, notes: list[str]) -> None:
        for note in notes:
            self._store.add_note(job.id, note)

    def _publish(self, job: Job, progress: dict[str, Any]) -> None:
        if self._store.bus is not None:
            self._store.bus.publish("progress", job.id, {"id": job.id, **progress})

    def _say(
        self, chunks: Generator[Heard, None, None], piece: Piece, work: _Work
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


def _shaped(host: Host, utterance: Utterance) -> Generator[Heard, None, None]:
    """The host's chunks without the silence around the utterance."""
    shaper, sample_rate = Shaper(), 0
    with contextlib.closing(sound_checks.synthesize(host, utterance)) as chunks:
        for samples, sample_rate in chunks:
            yield shaper.feed(samples, sample_rate), sample_rate
    if sample_rate:
        yield shaper.finish(), sample_rate


def _from(first: int, pieces: Iterator[Piece | None]) -> Iterator[Piece | None]:
    """The pieces that have this index or a later one."""
    return (piece for piece in pieces if piece is None or piece.index >= first)


def _utterances_in(spool: Spool) -> int:
    """How many utterances, counted from the text's start, the spool holds whole."""
    return max((segment.index + 1 for segment in spool.segments), default=0)


def _audio_s(spool: Spool) -> float:
    return spool.frames / spool.sample_rate if spool.sample_rate else 0.0
