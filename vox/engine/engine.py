"""The engine: the queue, its one worker, the warm pool and the player, wired together.

The daemon runs one engine all its life. The command line runs one for a job of a light backend
when no daemon is up. The consumer lock makes sure that each queue has one running engine. The
engine knows nothing of sockets, the inbox, or why it is started and stopped.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .. import callers
from ..audio import files
from ..audio.device import device_of
from ..audio.gaps import Gaps
from ..audio.player import Player
from ..audio.spool import SpoolDir
from ..audio.utterances import UtteranceCache
from ..config import Config
from ..errors import JobNotLive, NoAudioKept, NothingSpoken, StorageError, VoxError
from ..files import lock, make_dir, remove_parts, sign
from ..hosts.base import HostFactory
from ..hosts.launch import subprocess_hosts
from ..hosts.memory import Needs
from ..hosts.pool import Pool
from ..jobs import AS_IT_WAS, CONNECTION, NO_DEVICE, PAUSED, Changes, Job, Request
from ..paths import Paths
from ..queue import recovery
from ..queue.events import Bus
from ..queue.expiry import steady
from ..queue.overview import overview
from ..queue.store import PAUSE, Store
from ..queue.tasks import Run, Tasks
from ..queue.texts import Grown
from ..text.say_as_files import LiveSayAs
from ..voices.catalog import Catalog
from .device_wait import DeviceWait
from .kept import Kept
from .lookahead import LookAhead
from .open_texts import OpenTexts
from .outcomes import OutcomeWriter
from .outlooks import EngineOutlooks
from .rates import Rates
from .reading import reading_of
from .replays import Replays
from .running import Running
from .sizes import Sizes
from .sources import Sources
from .stream_languages import StreamLanguages
from .submit import Submitter
from .synthesis import Synthesizer
from .upkeep import Upkeep
from .warming import Models
from .worker import Worker

log = logging.getLogger(__name__)

TICK_S = 1.0
"""How often the housekeeping runs."""

STRANDED_EVERY_S = 10.0
"""How often it looks for queued jobs without a task, and for audio to evict."""

BUSY_UNLOAD_S = 60.0
"""A model stays loaded at least so long while jobs are live: the next one may need it."""


@contextlib.contextmanager
def consumer_lock(paths: Paths, blocking: bool = True) -> Iterator[bool]:
    """Hold the lock of the one process that drains the queue, while the block runs.

    Yields False if another process holds it and `blocking` is False.
    """
    fd = lock_queue(paths, blocking)
    try:
        yield fd is not None
    finally:
        if fd is not None:
            os.close(fd)


def lock_queue(paths: Paths, blocking: bool = True, listens_at: str = "") -> int | None:
    """The descriptor of the queue's lock; None if another process holds it. See `files.lock`.

    `listens_at` is a daemon's control socket. It is written into the lock's file, for clients that
    look for the socket under another XDG_RUNTIME_DIR. Only a daemon signs the lock.
    """
    make_dir(paths.data_dir)
    fd = lock(paths.consumer_lock_path, blocking)
    if fd is not None:
        with contextlib.suppress(OSError):  # a full disk
            os.ftruncate(fd, 0)
            os.pwrite(fd, os.fsencode(listens_at), 0)
        if listens_at:
            sign(fd)
    return fd


def huey_tasks(store: Store, run: Run) -> Tasks:
    """The daemon's queue of tasks, to which other processes may send as well."""
    from ..queue.broker import Broker

    return Broker(store.path, run)


class Engine:
    """Drains the queue, from `start` to `close`. Jobs can be submitted before `start` as well."""

    def __init__(
        self,
        paths: Paths,
        config: Callable[[], Config],
        bus: Bus | None = None,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady,
        serves_streams: bool = True,
        hosts: HostFactory | None = None,
        store: Store | None = None,
        player: Player | None = None,
        make_tasks: Callable[[Store, Run], Tasks] = huey_tasks,
        look_s: float = TICK_S,
    ) -> None:
        """`hosts` starts hosts; None: subprocesses of this machine.

        `store` is a job table that is already open; the engine uses its bus, and closes it.
        `player` is one that is already started. `make_tasks` makes the queue of tasks that the
        engine drains. `look_s`: how often it looks for what others write into the table, where
        they can tell it nothing. Raises StorageError if the queue's database cannot be opened.
        """
        settings = config()
        self.paths = paths
        self.config = config
        self._clock = clock
        self.store = store or Store(paths.db_path, bus or Bus(), clock, True, steady)
        self.bus = self.store.bus or Bus()
        self.catalog = Catalog(paths, config)
        self.say_as = LiveSayAs(paths, config)
        self.spools = SpoolDir(paths.spool_dir, int(settings["spool_limit_mb"] * 1_000_000))
        self.utterances = UtteranceCache(
            paths.utterances_dir, lambda: int(config()["cache_mb"] * 1_000_000)
        )
        self.player = player or Player(device=device_of(settings["audio_device"]))
        self.player.output.listener = self
        self.player.output.gaps = Gaps(lambda: config()["lead_in_s"], lambda: config()["pause_s"])
        self.pool = Pool(
            hosts or subprocess_hosts(paths.backends_dir, config), Needs(paths.memory_path)
        )
        self.models = Models(self.store, self.pool, self.catalog, config)
        self.kept = Kept(self.store, self.models, config)
        self.warms_kept = False
        """Whether the models of `keep` are loaded before they are used: it is to stay."""
        self.outcomes = OutcomeWriter(self.store)
        self.upkeep = Upkeep(self.store, config, self.utterances, self._forget_audio)
        self.running = Running()
        self.rates = Rates(paths.rates_path)
        self.lookahead = LookAhead(self.store, self.player, config, self.running, serves_streams)
        self.texts = OpenTexts(
            self.store, self.player, lambda: int(config()["max_text"]), self._send_stranded
        )
        self.worker = self._make_worker()
        self.store.outlooks = EngineOutlooks(
            self.store,
            self.player,
            self.spools,
            self.pool,
            self.catalog,
            config,
            self.rates,
            self.worker.making,
            Sizes(self.store, lambda job: reading_of(job, self.catalog, config(), self.say_as())),
        )
        self.tasks = make_tasks(self.store, self.worker.run)
        self.sources = Sources(
            self.store, self.worker, self.player, self.tasks, config, paths.config_path, self._drop
        )
        self.submitter = self._make_submitter()
        self.texts.is_changed = StreamLanguages(self.store, self.submitter).is_changed
        self.device_wait = DeviceWait(self.store, self.player, config, self._give_up)
        newest = self.store.history.latest()
        # Older streams lost the HTTP response that they went into, with the daemon that gave it.
        # Newer ones are ours. An engine without an API leaves all of them to the daemon.
        self._streams_died_before = newest.seq + 1 if serves_streams and newest else 0
        self._was_flagged = False
        """Whether the table said last that speech is paused."""
        self._heed_pause()
        self.on_damage: Callable[[], None] = lambda: None
        """Called every second while the queue's database is known to be damaged."""
        self.is_started = False
        self._look_s = look_s
        self._dropped = set[str]()
        """Jobs that are worked on no more, at least those that are still at work."""
        self._version = -1
        """Of the table, when it was looked at last."""
        self._closing = threading.Event()
        self._finish_at_once = threading.Event()
        self._ticker = threading.Thread(target=self._tick_until_closed, name="ticker", daemon=True)
        self._next_stranded = time.monotonic() + STRANDED_EVERY_S

    def _make_worker(self) -> Worker:
        synthesizer = Synthesizer(
            self.store,
            self.lookahead,
            self.running,
            self.catalog,
            self.utterances,
            self.config,
            self.models,
            self.say_as,
            self.texts,
            self.rates,
            self._clock,
        )
        return Worker(
            self.store,
            self.outcomes,
            self.pool,
            self.player,
            self.lookahead,
            self.running,
            self.spools,
            Replays(self.store, self.spools, self.catalog),
            synthesizer,
            self.texts,
            self.rates,
            self.config,
            self._clock,
        )

    def _make_submitter(self) -> Submitter:
        return Submitter(
            self.store,
            self.tasks,
            self.catalog,
            self.config,
            self._drop,
            self._clock,
            obstacles=self.obstacles,
            say_as=self.say_as,
        )

    # -- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Recover the jobs of a dead daemon, and begin. The caller holds the consumer lock."""
        self._remove_leftovers()
        self._cancel_abandoned()
        self._end_orphaned_texts()
        self.store.moves.clear()
        recovery.recover(self.store, self.tasks, self._streams_died_before)
        self.lookahead.alone = recovery.tried_alone(self.store)
        self.player.on_change = self.running.on_change = self.tasks.wake
        self.player.on_absence = self.device_wait.begin
        if not self.player.is_alive():
            self.player.start()
        self._set_up_pool()
        self.tasks.start(self.worker.may_take)
        self.outcomes.start()
        self._ticker.start()
        self.upkeep.start()
        self.is_started = True

    def _remove_leftovers(self) -> None:
        """Remove what processes that were killed had half written."""
        self.spools.remove_exports()
        with contextlib.suppress(StorageError):
            self.store.remove_unfinished()
        paths = self.paths
        for folder in (paths.cache_dir, paths.utterances_dir):
            remove_parts(folder, older_than_s=0.0)  # only who drains the queue writes there
        for folder in {paths.data_dir, paths.config_dir}:
            remove_parts(folder)
        for job in self.store.live():
            if job.output:  # its caller may be gone as well, and nobody would write it again
                files.remove_part(job.output, files.part_name(job.id))

    def _end_orphaned_texts(self) -> None:
        """Whoever wrote these did it over a connection, which died with its daemon."""
        for job_id, caller in self.store.texts.open():
            if caller in (None, CONNECTION):
                self.texts.end(job_id)

    def finish(self) -> None:
        """Begin no other job, and wait for the end of what is being said and written now."""
        if not self.is_started:
            return
        self.tasks.stop(timeout_s=0.0)
        written = self.worker.written_ids
        # The player begins no other job. While it is paused, it does not finish this one either.
        self.player.stop(now=self._finish_at_once.is_set())
        while not self.store.live_ids().isdisjoint(written):
            if self._finish_at_once.wait(0.1):
                break

    def close(self) -> None:
        """Stop now. Jobs that are not finished go back into the queue."""
        self._closing.set()
        self.models.is_closed = True
        self.upkeep.close()
        if self.is_started:
            self.device_wait.close()
            self.worker.stop()
            self.tasks.stop(timeout_s=10.0)
            self.worker.wait_ended(timeout_s=10.0)
            self.player.stop(now=True)
            self.outcomes.close()
            with contextlib.suppress(StorageError):
                self.store.erase_private(self._forget_audio)
            # Only the jobs that this engine has begun: another process may drain the queue now.
            with contextlib.suppress(StorageError):
                self.worker.forget_ended(self.store.live_ids)
            for job_id in self.worker.begun_ids:
                # What cannot be written, the next daemon finds out by itself.
                with contextlib.suppress(StorageError):
                    recovery.give_back(self.store, job_id)
        self.rates.save()
        self.pool.close()
        self.tasks.close()
        self.store.close()

    def finish_now(self) -> None:
        """Cut off what is being said, so that `finish` returns at once. From any thread."""
        self._finish_at_once.set()
        threading.Thread(target=self.player.stop, args=(True,), daemon=True).start()

    @property
    def is_healthy(self) -> bool:
        """False if the worker's or the player's thread has died, or the database is damaged."""
        return self.damage is None and self._has_threads

    @property
    def damage(self) -> str | None:
        """What is wrong with the queue's database, on one line."""
        return self.store.damage or self.tasks.damage

    @property
    def _has_threads(self) -> bool:
        return not self.is_started or (self.tasks.is_alive() and self.player.is_alive())

    @property
    def is_idle(self) -> bool:
        """No job is live. The job table decides, not Huey."""
        return self.store.count_live() == 0

    def overview(self) -> dict[str, Any]:
        """See `queue.overview`."""
        return overview(self.store)

    def _tick_until_closed(self) -> None:
        next_tick = time.monotonic() + TICK_S
        while not self._closing.wait(self._look_s):
            try:
                if time.monotonic() >= next_tick:
                    next_tick = time.monotonic() + TICK_S
                    self.store.check_file()
                    self._tick()
                elif self._is_changed:
                    self._heed_others()
            except StorageError as exc:
                log.error("housekeeping: %s", exc.line)
            except Exception:
                log.exception("housekeeping")
            if self.damage is not None:
                self.on_damage()

    @property
    def _is_changed(self) -> bool:
        """Whether the table was changed since this was asked last."""
        before = self._version
        with contextlib.suppress(StorageError):  # the next tick tells
            self._version = self.store.version
        return self._version != before

    def _drop_cancelled_elsewhere(self) -> None:
        """Stop the jobs that another process, which found no daemon, cancelled in the table."""
        at_work = {*self.worker.running_ids, self.player.current, *self.player.waiting}
        found = (self.store.find(job_id) for job_id in at_work if job_id)
        ended = {job.id: job for job in found if job is not None and not job.is_live}
        self._dropped &= ended.keys()
        for job_id in ended.keys() - self._dropped:
            self._drop(job_id)
            self.store.publish("state", ended[job_id])

    def _cancel_abandoned(self) -> None:
        """Cancel the jobs whose callers are gone."""
        bound = self.store.callers()
        gone = {caller for caller in {caller for _, caller in bound} if callers.is_gone(caller)}
        for job_id, caller in bound:
            # Who has been told how its job ended goes away before that is in the table.
            if caller not in gone or self.outcomes.is_ending(job_id):
                continue
            if self.store.cancel_abandoned(job_id, caller):
                self._drop(job_id)

    def _drop(self, job_id: str) -> None:
        """Stop the work for a job that has ended."""
        self._dropped.add(job_id)
        self.worker.cancel(job_id)
        self.player.cancel(job_id)

    def _heed_others(self) -> None:
        """Do what another process, which found no daemon, wants according to the table."""
        self._drop_cancelled_elsewhere()
        self._heed_pause()
        self.sources.look()
        self._heed_move()

    def _tick(self) -> None:
        self._cancel_abandoned()
        self._heed_others()
        self.texts.look()
        if self.unwritten_pause is not None:
            self._flag_pause(self.unwritten_pause)
        at_work = {run.job.id for run in self.running}
        self.store.erase_private(self._forget_audio, at_work)
        for job in self.store.expire(self.player.current if self.player.absence else None):
            self._drop(job.id)
        if time.monotonic() >= self._next_stranded:
            self._next_stranded = time.monotonic() + STRANDED_EVERY_S
            self._send_stranded()
            self.spools.evict(keep=self.store.live_ids())
            self.worker.forget_ended(self.store.live_ids)
            self.utterances.evict()
        self.worker.stop_useless_load()
        self._set_up_pool()
        self.models.unload_due()
        if self.warms_kept:
            self.kept.look()

    def _set_up_pool(self) -> None:
        """Tell the pool how long models stay loaded that no request keeps loaded."""
        config = self.config()
        self.pool.keep = [self.catalog.host_of(name) for name in config["keep"]]
        idle_timeout_s = config.idle_timeout_s
        at_least_s = BUSY_UNLOAD_S if self.store.count_live() else TICK_S
        never = idle_timeout_s < 0
        self.pool.keep_alive_s = math.inf if never else max(idle_timeout_s, at_least_s)

    # -- requests, from any thread -----------------------------------------------------------

    def submit(self, request: Request) -> Job:
        """See `Submitter.submit`. Whatever comes may be a reason to look for a device again."""
        job = self.submitter.submit(request)
        self.player.try_again()
        return job

    def append_text(self, job_id: str, at: int, text: str) -> Grown:
        """Add to a text that is still being written; see `Texts.append`. Raises BadInput too."""
        return self.texts.append(job_id, at, text)

    def flush_text(self, job_id: str) -> None:
        """Have what has come of the text said now."""
        self.texts.flush(job_id)

    def end_text(self, job_id: str, note: str = "") -> None:
        """No more of the job's text will come; `note`: for the user."""
        self.texts.end(job_id, note)

    def release(self, job_id: str) -> None:
        """The job outlives its caller from now on."""
        self.store.note(job_id, caller=None)

    def cancel(self, job_id: str, reason: str = "cancelled") -> Job:
        """Cancel a live job. Raises UnknownJob, AmbiguousId, JobNotLive."""
        job = self.store.cancel(self.store.get(job_id).id, reason)
        self._drop(job.id)
        self.tasks.wake()
        return job

    def cancel_all(self, source: str | None = None) -> list[Job]:
        """Cancel every live job, or those of one source, and be silent at once."""
        cancelled = self.store.cancel_all(source, self._drop)
        self.tasks.wake()
        return cancelled

    def skip(self) -> Job | None:
        """Cancel the job whose turn it is, heard or not; None: there is none."""
        # Until it is started, another process may speak, which finds it in the table.
        current = self.player.next if self.is_started else self._first_live
        if current is None:
            return None
        with contextlib.suppress(JobNotLive):
            return self.cancel(current, "skipped")
        return None

    def move(self, steps: int) -> Job:
        """Go so many sentences forward (or back, below 0) in what is being spoken.

        Returns the job, with `heard` as it is there. Raises NothingSpoken.
        """
        moved = self.player.move(steps) if self.is_started else None
        if moved is None:
            raise NothingSpoken("nothing is being spoken")
        job_id, heard = moved
        job = self.store.get(job_id)
        job.heard = heard
        return job

    @property
    def _first_live(self) -> str | None:
        live = self.store.live()
        return live[0].id if live else None

    def pause(self) -> None:
        """Be silent until `resume`, beyond a restart as well."""
        self.player.pause()
        self._flag_pause(True)

    def resume(self) -> None:
        self.player.resume()
        self._flag_pause(False)

    def _flag_pause(self, is_paused: bool) -> None:
        try:
            self.store.set_flag(PAUSE, is_paused)
            self._was_flagged = is_paused
        except StorageError as exc:
            if not self.is_started:  # another process speaks, which finds it in the table alone
                raise
            log.error("the pause cannot be saved yet: %s", exc.line)

    @property
    def unwritten_pause(self) -> bool | None:
        """Whether speech is paused, if the table does not say so yet; None: it does."""
        is_paused = self.player.is_paused
        return None if is_paused == self._was_flagged else is_paused

    def _heed_pause(self) -> None:
        """Pause or resume if another process, which found no daemon, did so in the table."""
        is_flagged = self.store.is_set(PAUSE)
        if is_flagged != self._was_flagged:
            self._was_flagged = is_flagged
            self.player.pause() if is_flagged else self.player.resume()
            for job_id in filter(None, (self.player.current, *self.player.waiting)):
                self.bus.publish("progress", job_id, {"id": job_id, "paused": is_flagged})

    def _heed_move(self) -> None:
        """Go where another process, which found no daemon, asked to."""
        if steps := self.store.moves.asked:
            if moved := self.player.move(steps):
                job_id, heard = moved
                self.store.note(job_id, heard=heard)
            self.store.moves.done(steps)

    def obstacles(self) -> list[str]:
        """Notes on what keeps jobs, whoever sent them, from being heard now."""
        found = [PAUSED] if self.player.is_paused else []
        return found + ([NO_DEVICE] if self.player.absence else [])

    def replay(self, job_id: str, caller: str | None = None, changes: Changes = AS_IT_WAS) -> Job:
        """A new job that speaks the old one again; see `Submitter.replay`."""
        return self.submitter.replay(job_id, self.spools.has, caller, changes)

    def export_audio(self, job_id: str) -> str:
        """Write the job's kept audio to a temporary WAV file and return its path.

        Raises UnknownJob, NoAudioKept, StorageError.
        """
        job = self.store.get(job_id)
        if not self.spools.has(job.id):
            hint = f"to make it again: vox replay {job.id} -o FILE"
            raise NoAudioKept(f"the audio of job {job.id} is not kept", "" if job.private else hint)
        with contextlib.closing(self.spools.open(job.id)) as spool:
            path = self.spools.new_export(".wav")
            try:
                files.write(spool, path, job.volume)
            except BaseException:
                os.unlink(path)
                raise
        return path

    def clear(self, older_than_s: float | None = None) -> list[str]:
        """Forget jobs that ended longer ago than so many seconds, and their audio.

        None: all ended jobs. The utterance cache forgets what was not said since then. Returns
        the jobs' ids.
        """
        self.utterances.clear(older_than_s)
        return self.store.forgetting.clear(older_than_s, self._forget_audio)

    def _forget_audio(self, job_ids: Sequence[str]) -> None:
        for job_id in job_ids:
            self.spools.remove(job_id)

    def check_queue(self) -> None:
        """Look at the queue now: another process may have written to it."""
        self.player.try_again()
        self.texts.wake()
        self.texts.look()
        self._send_stranded()

    def _send_stranded(self) -> None:
        recovery.resend_stranded(self.store, self.tasks, self.outcomes.failed)
        self.tasks.wake()

    # -- the player's listener. The player's thread must not wait for a disk. ----------------

    def started(self, job_id: str) -> None:
        self.outcomes.started(job_id, self._clock())

    def heard(self, job_id: str, utterances: int) -> None:
        self.outcomes.heard(job_id, utterances)
        self.lookahead.alone.discard(job_id)  # it makes progress: others may go on beside it

    def interrupted(self, job_id: str) -> None:
        self.outcomes.interrupted(job_id)

    def finished(self, job_id: str) -> None:
        self.outcomes.done(job_id, self._clock())

    def _give_up(self, job_id: str, error: VoxError) -> None:
        """Fail a job, wherever it is."""
        self.player.cancel(job_id)
        self.failed(job_id, error)

    def failed(self, job_id: str, error: VoxError) -> None:
        self.worker.cancel(job_id)
        self.outcomes.failed(job_id, error)
