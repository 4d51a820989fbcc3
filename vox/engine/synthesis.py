"""Synthesizes one job into its spool: splits the text, gets a warm host, retries after a failure.

An utterance that the cache has is taken from there. A job of only such needs no host. Knows hosts,
texts, spools and the cache. What happens to the audio and to the job afterwards is the worker's
business.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from ..audio.pcm import Samples, silence
from ..audio.playback import Mark
from ..audio.spool import Spool
from ..audio.time_stretch import Stretching
from ..audio.utterances import UtteranceCache
from ..backends.base import Utterance
from ..config import Config
from ..errors import (
    CannotRead,
    HostError,
    LoadFailed,
    OutOfMemory,
    WorkerLost,
    WorkersAway,
)
from ..hosts.base import Host
from ..jobs import ADAPTER_OPTIONS, Job
from ..queue.store import Store
from ..text.clean import is_speakable
from ..text.say_as import SayAs
from ..text.speakable import Piece, Reading
from ..voices.catalog import Catalog
from . import marks
from .cache_keys import CacheKeys
from .chunks import Heard, Timed, shaped
from .forecast import Making
from .host_use import GivenUp, HostUse, HostUses, NoPlace, NotLoaded, publish_progress
from .lookahead import LookAhead
from .open_texts import OpenTexts
from .pieces import CheckWanted, Pieces, Tally, pieces_of, starting_at
from .placement import Placement
from .rates import SAVE_EVERY_S, Rates, speakable_chars, voice_of
from .reading import reading_of
from .running import Run, Running
from .unsaid import Failures, Unsaid
from .warming import Models
from .work import Work, audio_s, first_of, utterances_in
from .workers_wait import WorkersWait

log = logging.getLogger(__name__)


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
        placement: Placement,
        workers_wait: WorkersWait,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._workers_wait = workers_wait
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
        self._works: dict[str, Work] = {}
        """By their jobs' ids."""
        self._uses = HostUses(store, models, catalog, rates, placement, running)

    def making(self, job_id: str) -> Making | None:
        """What is done for the job now; None: it is not at work here."""
        work = self._works.get(job_id)
        if work is None:
            return None
        return Making(
            work.use.has_loading_begun,
            work.use.loading,
            work.use.is_awaiting_turn,
            work.run.is_resting,
            chars_left=work.tally.chars_left(utterances_in(work.spool)),
        )

    def cancel(self, job_id: str) -> bool:
        """Have the host stop what it synthesizes for the job; False if none is loaded for it.

        The caller first makes sure that the job's `check_wanted` raises.
        """
        work = self._works.get(job_id)
        return work is not None and work.use.cancel()

    def abort_load(self, job_id: str) -> None:
        """Kill the host that is being loaded for the job, if there is one."""
        work = self._works.get(job_id)
        if work is not None:
            work.use.abort_load()

    def marks(self, job: Job) -> Sequence[Mark]:
        """The job's marks, as places in what is said."""
        return marks.placed(job, self._reading(job)) if job.marks else ()

    def complete(self, run: Run, spool: Spool, check_wanted: CheckWanted) -> None:
        """Synthesize the utterances that the spool does not hold yet.

        Raises HostError, BackendNotInstalled, StorageError and what `check_wanted` raises. What
        the spool holds of an interrupted utterance is dropped when the spool is opened again.
        """
        job = run.job
        if spool.is_complete:
            self._store.note(job.id, utterances=len(spool.segments), audio_s=audio_s(spool))
            Unsaid(self._store, job, spool).tell_of_replay()
            return
        clone = self._catalog.clone(job.voice) if job.voice else None
        wanted = {name: getattr(job, name) for name in ADAPTER_OPTIONS}
        wanted["speed"] = self._catalog.info(job.backend).nearest_speed(job.speed)
        said = Utterance.saying("", clone, wanted)
        with self._uses.of(run, said, check_wanted) as use:
            use.foresee_place()
            self._workers_wait.end(job.id)
            work = self._works[job.id] = self._work(use, spool, said, check_wanted)
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
        self._store.note(
            job.id,
            audio_s=audio_s(spool),
            saved_load_s=work.use.saved_load_s,
            saved_synthesis_s=work.saved_synthesis_s,
        )
        self._rates.save(SAVE_EVERY_S)
        if job.keep_alive == 0:
            self._models.unload_due()  # before the job is done: its caller has the memory then

    def _has_synthesized(self, work: Work) -> bool:
        """Go on with the pieces; False if a failure was dealt with, and there may be more."""
        job, spool = work.job, work.spool
        try:
            self._synthesize(work)
            return True
        except NotLoaded as exc:
            raise exc.error from exc
        except (WorkersAway, WorkerLost) as exc:
            spool.rollback()
            work.check_wanted()
            log.warning("job %s: %s", job.id, job.discreet(exc.line))
            work.use.note_lost(exc)
            work.pieces.repeat()
            return False
        except NoPlace as exc:
            spool.rollback()
            if job.unkept:  # it is spoken at once or never
                raise exc.reason from exc
            work.pieces.repeat()
            self._workers_wait.wait(work, exc.reason.line)
            return False
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
            if isinstance(exc, OutOfMemory) and not work.use.is_remote:
                self._pool.unload_idle()
            work.pieces.repeat()
            again = utterances_in(spool) + 1
            line = job.discreet(exc.line)
            log.warning("job %s: %s: once more from utterance %d", job.id, line, again)
            return False

    def _note_written(self, piece: Piece, work: Work) -> None:
        if work.job.sink != "play":
            self._store.note(work.job.id, heard=piece.index + 1)
            self._lookahead.alone.discard(work.job.id)  # it makes progress
        else:
            publish_progress(self._store, work.job, {"made": piece.index + 1})

    def _pieces(
        self, job: Job, spool: Spool, check_wanted: CheckWanted, tally: Tally
    ) -> Generator[Piece | None, None, None]:
        reading = self._reading(job)
        flush_s = float(self._config()["stream_flush_s"])
        done = functools.partial(utterances_in, spool)
        yield from pieces_of(
            job, reading, self._store, self._texts, flush_s, done, check_wanted, tally
        )
        self._tell(job, reading.say_as.slow(reading.lang, reading.backend))

    def _reading(self, job: Job) -> Reading:
        return reading_of(job, self._catalog, self._config(), self._say_as())

    def _work(self, use: HostUse, spool: Spool, said: Utterance, check_wanted: CheckWanted) -> Work:
        job, tally = use.run.job, Tally()
        made = self._pieces(job, spool, check_wanted, tally)
        return Work(
            use.run,
            spool,
            Pieces(starting_at(first_of(job, spool), made)),
            check_wanted,
            said,
            voice_of(self._catalog, job),
            self._cache_keys(use, said),
            Failures(),
            Unsaid(self._store, job, spool),
            tally,
            use,
            job.made_on.split(", ") if job.made_on else [],
        )

    def _cache_keys(self, use: HostUse, said: Utterance) -> CacheKeys | None:
        job = use.run.job
        is_cached = self._config()["cache_mb"] and self._catalog.is_cached(job.backend)
        if not is_cached or (job.private and not job.unkept):
            return None
        revision = self._catalog.revision(job.backend, use.settings)
        try:
            if revision is not None:
                return CacheKeys(use.backend, use.settings, revision, said)
        except OSError:  # the clone's recording: the adapter says what is wrong with it
            pass
        return None

    def _synthesize(self, work: Work) -> None:
        job, use = work.job, work.use
        try:
            for piece in work.pieces:
                self._running.rest(work.run, piece is None)
                if piece is None:
                    use.give_up()  # others may have the model until there is more text
                    self._rest(work)
                    continue
                self._let_others_go_first(work)
                work.check_wanted()
                key = work.keys.of(piece.text) if work.keys else None
                kept = self._cache.get(key, not job.private) if key and not job.fresh else None
                if kept is not None:
                    self._say((kept[:2] for _ in range(1)), piece, work)
                    work.saved_synthesis_s += kept.made_s
                elif not self._has_made(piece, key, work):
                    continue
                self._note_written(piece, work)
            if use.host is None:
                self._models.stay(job)  # it may be warm all the same
        finally:
            use.give_up()

    def _has_made(self, piece: Piece, key: str | None, work: Work) -> bool:
        """Have the host make the utterance; False if it was given up, and is the next once more."""
        utterance = replace(work.said, text=piece.text)
        host = work.use.take(self._lookahead.is_urgent(work.job), utterance)
        self._prefetch(piece, work)
        chunks = Timed(shaped(host, utterance, work.use.check))
        try:
            with work.use.saying():
                parts, sample_rate = self._say(chunks, piece, work)
        except GivenUp:
            work.spool.rollback()
            work.pieces.repeat()
            return False
        has_sound = any(map(len, parts))
        work.failures.answered(has_sound)
        if key and has_sound and not host.cut_off and not work.job.private:
            self._cache.put(key, parts, sample_rate, chunks.work_s)
        audio_s = sum(map(len, parts)) / (sample_rate or 1)
        if work.use.is_remote:
            self._note_maker(host, work)
        else:
            self._rates.note_work(work.voice.model, chunks.work_s, audio_s, chunks.first_s)
        chars = speakable_chars(piece.text)
        self._rates.note_said(work.voice, work.said.speed, chars, audio_s)
        return True

    def _prefetch(self, piece: Piece, work: Work) -> None:
        """Have the next utterances made as well, where several can be made at once."""
        more = work.use.width - 1
        if more > 0 and not work.job.is_open:
            # At once: to find out what follows takes a while.
            work.use.expect(replace(work.said, text=piece.text))
            following = [each for each in work.pieces.peek(more) if not self._is_kept(each, work)]
            texts = [each.text for each in (piece, *following)]
            work.use.prefetch([replace(work.said, text=text) for text in texts])

    def _is_kept(self, piece: Piece, work: Work) -> bool:
        if work.keys is None or work.job.fresh:
            return False
        return self._cache.has(work.keys.of(piece.text))

    def _note_maker(self, host: Host, work: Work) -> None:
        """Tell the history who made the job: the workers, in the order in which they came."""
        self._tell(work.job, host.take_notes())
        worker = host.made_on
        if worker is not None and worker not in work.makers:
            work.makers.append(worker)
            self._store.note(work.job.id, made_on=", ".join(work.makers))

    def _let_others_go_first(self, work: Work) -> None:
        """Give the turn up to jobs that go before this one, and while enough is prepared."""
        job, run = work.job, work.run
        if not self._lookahead.has_room(job):
            work.use.give_up()
            self._running.rest(run)
            self._lookahead.wait_for_room(job, work.check_wanted)
            self._running.rest(run, False)
        if self._running.is_outranked(run):
            work.use.give_up()
            publish_progress(self._store, job, {"waiting_for": "speech, which goes first"})
            self._running.let_others_go_first(run, work.check_wanted)
            publish_progress(self._store, job, {"waiting_for": None})

    def _rest(self, work: Work) -> None:
        """Have the model loaded when the first sentence comes, and be silent between sentences."""
        if work.job.sink == "play":
            self._pause(work.spool)
        if not (work.spool.segments or work.use.is_warm):
            work.use.take()
            work.use.give_up()

    def _tell(self, job: Job, notes: list[str]) -> None:
        for note in notes:
            self._store.add_note(job.id, note)

    def _say(
        self, chunks: Generator[Heard, None, None] | Timed, piece: Piece, work: Work
    ) -> tuple[list[Samples], int]:
        """Write the utterance into the spool as it comes, at the job's speed.

        Returns its chunks, at the speed at which they were synthesized, and their sample rate.
        """
        job, spool = work.job, work.spool
        stretching = Stretching(self._catalog.info(job.backend).tempo(job.speed))
        parts: list[Samples] = []
        sample_rate = 0
        self._pause(spool)
        spool.begin_utterance(piece.index)
        with contextlib.closing(chunks):
            for samples, sample_rate in chunks:
                work.use.check()
                spool.append(stretching.feed(samples, sample_rate), sample_rate)
                parts.append(samples)
                if job.sink == "stream" and spool.frames:
                    job.first_audio_at = job.first_audio_at or self._clock()
        work.use.check()
        if len(rest := stretching.finish()):
            spool.append(rest, sample_rate)
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
