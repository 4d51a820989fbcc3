"""Runs jobs: has each synthesized into its spool, in a thread of its own, and hands the audio on.

They take turns at the hosts (see `synthesis`), so one is made at a time. A job to be played is
given to the player before its synthesis begins. The player starts with the first chunk and reports
the end of the job (see `engine`). Files and streams end here.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from .. import callers
from ..audio import files
from ..audio.player import Playback, Player
from ..audio.spool import Spool, SpoolDir
from ..config import Config
from ..errors import DaemonLeaving, JobFailed, StorageDamaged, StorageError, VoxError
from ..jobs import INTERRUPT, Job
from ..queue import recovery
from ..queue.store import Store
from .forecast import Making
from .lookahead import LookAhead
from .muting import end_muted, is_muted
from .open_texts import OpenTexts, Parked
from .outcomes import OutcomeWriter
from .rates import Rates
from .replays import Replays
from .running import Run, Running
from .synthesis import Synthesizer
from .workers_wait import WorkersWait

log = logging.getLogger(__name__)


class JobStopped(Exception):
    """The job was cancelled, or the engine stops. This is not an error."""


class PutBack(Exception):
    """The job goes back into the queue, and on from there later. This is not an error."""


class Worker:
    """The one worker behind Huey's consumer, whose thread calls `may_take` and `run`.

    The other methods may be called from any thread.
    """

    def __init__(
        self,
        store: Store,
        outcomes: OutcomeWriter,
        player: Player,
        lookahead: LookAhead,
        running: Running,
        spools: SpoolDir,
        replays: Replays,
        synthesizer: Synthesizer,
        texts: OpenTexts,
        rates: Rates,
        workers_wait: WorkersWait,
        config: Callable[[], Config],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._texts = texts
        self._rates = rates
        self._workers_wait = workers_wait
        self._outcomes = outcomes
        self._player = player
        self._lookahead = lookahead
        self._spools = spools
        self._replays = replays
        self._synthesizer = synthesizer
        self._config = config
        self._clock = clock
        self._running = running
        self._is_stopped = False
        self.begun_ids: set[str] = set()
        """The jobs that this worker has taken out of the queue, at least those that are live."""

    @property
    def running_ids(self) -> list[str]:
        """The jobs that are at work."""
        return [run.job.id for run in self._running]

    @property
    def written_ids(self) -> list[str]:
        """Those of them that are not for the loudspeaker."""
        return [run.job.id for run in self._running if run.job.sink != "play"]

    def making(self, job_id: str) -> Making | None:
        """What is done for the job now; None: it is not at work."""
        making, run = self._synthesizer.making(job_id), self._running.get(job_id)
        if making is not None or run is None:
            return making
        since = run.encoding_since
        encoded_s = None if since is None else time.monotonic() - since
        return Making(is_resting=True, encoded_s=encoded_s)

    def cancel(self, job_id: str) -> None:
        """Stop working for the job, if it is at work."""
        run = self._running.get(job_id)
        if run is None:
            return
        self._running.cancel(run)
        self._texts.wake()
        if not self._synthesizer.cancel(job_id):
            self.stop_useless_load()

    def put_back(self, job_id: str) -> bool:
        """Put the job back into the queue, if it is at work; what is made of it is kept."""
        if not self._running.put_back(job_id):
            return False
        self._texts.wake()
        if not self._synthesizer.cancel(job_id):
            self.stop_useless_load()
        return True

    def stop_useless_load(self) -> None:
        """Stop loading the model of a job that was cancelled or put back, if another is needed.

        Else it goes on: the user may correct the text and ask again.
        """
        for run in self._running:
            if not run.is_unwanted:
                continue
            wanted = self._store.wanted_models()
            if wanted and (run.job.backend, run.job.model) not in wanted:
                self._synthesizer.abort_load(run.job.id)

    def stop(self) -> None:
        """Stop working for good. The caller puts the jobs of `begun_ids` back into the queue."""
        self._is_stopped = True
        self._texts.wake()
        for job_id in self.running_ids:
            if not self._synthesizer.cancel(job_id):
                self._synthesizer.abort_load(job_id)

    def wait_ended(self, timeout_s: float) -> None:
        """Wait until no job is at work, after `stop`."""
        self._running.wait_ended(timeout_s)

    def forget_ended(self, live_ids: Callable[[], Collection[str]]) -> None:
        """Of the jobs of `begun_ids` know only those that are live."""
        begun = self.begun_ids.copy()  # first: what begins meanwhile is live
        self.begun_ids -= begun.difference(live_ids())

    def may_take(self, job_ids: Sequence[str]) -> Sequence[str]:
        """Those of the jobs, the next in the queue, that may be taken out of it now."""
        if self._is_stopped:
            return ()
        held = {*self._texts.parked, *self.running_ids}  # a parked one is perhaps still let go of
        return self._lookahead.may_take([each for each in job_ids if each not in held])

    def run(self, job_id: str) -> None:
        """Take the job, if it is still queued, and have it prepared by a thread of its own.

        Raises nothing. So the next one can be taken, if the gate lets it through (`may_take`).
        """
        with self._reporting(job_id):
            run = self._take(job_id)
            if run is not None:
                name = f"job-{job_id}"
                threading.Thread(target=self._work, args=(run,), name=name, daemon=True).start()

    def _work(self, run: Run) -> None:
        try:
            with self._reporting(run.job.id):
                self._prepare(run)
        finally:
            with self._reporting(run.job.id):
                self._end(run)

    def _end(self, run: Run) -> None:
        self._running.end(run)
        if run.is_put_back:
            self._give_back(run.job)
            self._texts.on_ready()  # what holds it back may be over already

    @contextlib.contextmanager
    def _reporting(self, job_id: str) -> Iterator[None]:
        """What the job's block writes is written patiently. Raises nothing."""
        try:
            with self._store.patiently(lambda: self._is_unwanted(job_id)):
                yield
        except StorageDamaged as exc:
            log.error("job %s: %s", job_id, exc.line)  # it goes on once that is put right
        except StorageError as exc:
            self._outcomes.failed(job_id, exc)
        except DaemonLeaving:
            log.info("job %s: the engine was closed meanwhile", job_id)

    def _take(self, job_id: str) -> Run | None:
        job = self._store.find(job_id)
        if job is None or self._outcomes.is_ending(job_id) or self._workers_wait.begins(job):
            return None
        # It is at work before its state changes: a cancel that comes right after the change must
        # find it.
        run = Run(job, lambda job_id: self._player.current == job_id)
        self._running.begin(run)
        is_begun = False
        try:
            # The ticker does both too, but perhaps not in time.
            if job.expires_at is not None:
                self._store.expire(only=job_id)
            if job.caller is not None and callers.is_gone(job.caller):
                self._store.cancel_abandoned(job_id, job.caller)
            started_at = job.started_at or self._clock()
            begun = self._store.change(job_id, ("queued",), "preparing", started_at=started_at)
            if begun is not None:
                self.begun_ids.add(job_id)
                run.job, is_begun = begun, self._may_be_heard(begun)
        finally:
            if not is_begun:
                self._end(run)
        return run if is_begun else None

    def _may_be_heard(self, job: Job) -> bool:
        """False if its source is paused or muted, which was seen to."""
        if job.sink == "play" and job.source in self._store.paused_sources():
            self._give_back(job)
        elif not is_muted(job, self._config()):
            return True
        elif job.is_open:  # all of its text is to come into the history
            self._texts.park(job.id, len(job.text))
            self._give_back(job)
        else:
            end_muted(self._store, job)
        return False

    def _prepare(self, run: Run) -> None:
        job = run.job
        spool: Spool | None = None
        has_room = True
        try:
            spool = self._replays.open_spool(job)
            if job.sink == "play":
                self._player.add(
                    Playback(
                        job_id=job.id,
                        spool=spool,
                        order=job.order,
                        interrupts=job.priority >= INTERRUPT,
                        source=job.source,
                        is_assistive=job.is_assistive,
                        volume=job.volume,
                        start_utterance=job.heard,
                        marks=self._synthesizer.marks(job),
                    )
                )
            self._replays.complete(job, spool, lambda: self._check_wanted(job))
            self._synthesizer.complete(run, spool, lambda: self._check_wanted(job))
            self._running.rest(run)
            self._finish(run, spool)
        except Parked:
            # It has nothing to say, or another voice is to say it: in the queue it holds up nobody.
            log.info("job %s goes back into the queue", job.id)
            run.is_put_back = True
        except PutBack:
            if spool is not None:
                spool.rollback()
        except (JobStopped, DaemonLeaving, StorageDamaged):
            if spool is not None:
                spool.abandon()
        except StorageError as exc:
            has_room = False
            self._give_up(job, spool, exc)
        except VoxError as exc:
            self._give_up(job, spool, exc)
        except Exception as exc:
            log.error("job %s", job.id, exc_info=not job.private)
            reason = f"{type(exc).__name__}: {exc}"
            self._give_up(job, spool, JobFailed(reason, "see: vox daemon logs"))
        finally:
            if spool is not None:
                spool.close()
                self._drop_if_useless(job, spool, has_room)

    def _give_back(self, job: Job) -> None:
        """Put the job back into the queue."""
        self._player.cancel(job.id)
        recovery.give_back(self._store, job.id)
        self._texts.look()  # if it is parked, more of its text may have come just now

    def _drop_if_useless(self, job: Job, spool: Spool, has_room: bool) -> None:
        """Give the disk back what no job will be spoken from.

        One that goes on in the next daemon needs its audio, and so may one that was cut off
        (`vox continue`), unless the disk is full. Audio that lacks its beginning is no replay.
        """
        is_half_made = spool.is_abandoned and not spool.is_complete
        may_go_on = has_room and job.sink == "play" and bool(spool.segments)
        lacks_beginning = bool(spool.segments) and spool.segments[0].index > 0
        if not self._is_stopped and ((is_half_made and not may_go_on) or lacks_beginning):
            with contextlib.suppress(StorageError):
                self._spools.remove(spool.job_id)

    def _finish(self, run: Run, spool: Spool) -> None:
        job = run.job
        self._check_wanted(job)
        if job.sink == "play":
            return
        if job.sink == "file" and job.output:
            run.encoding_since = began = time.monotonic()
            self._write(job, spool, job.output)
            audio_s = spool.made().audio_s
            self._rates.note_encoding(job.output, time.monotonic() - began, audio_s)
        now = self._clock()
        self._outcomes.done(job.id, now, first_audio_at=job.first_audio_at or now)

    def _write(self, job: Job, spool: Spool, path: str) -> None:
        # What a daemon that was killed had written of it has the same name, and is replaced.
        part = files.part_name(job.id)
        # No user chose to replace what has come to lie in the inbox's `done/` since. What an
        # earlier daemon had begun may be complete.
        is_new = job.via == "inbox" and job.first_audio_at is None
        if is_new:
            self._store.note(job.id, first_audio_at=self._clock())
        files.write(spool, path, job.volume, lambda: self._check_live(job), part, is_new, job.umask)

    def _give_up(self, job: Job, spool: Spool | None, error: VoxError) -> None:
        if spool is not None:
            spool.abandon()
        self._player.cancel(job.id)
        self._outcomes.failed(job.id, error)

    def _is_unwanted(self, job_id: str) -> bool:
        run = self._running.get(job_id)
        return self._is_stopped or (run is not None and run.is_cancelled)

    def _check_wanted(self, job: Job) -> None:
        if self._is_unwanted(job.id):
            raise JobStopped
        run = self._running.get(job.id)
        if run is not None and run.is_put_back:
            raise PutBack

    def _check_live(self, job: Job) -> None:
        """As `_check_wanted`, but asks the table as well: a cancel is written there first."""
        self._check_wanted(job)
        known = self._store.find(job.id)
        if known is None or not known.is_live:
            raise JobStopped
