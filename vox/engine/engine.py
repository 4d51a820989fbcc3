"""The engine: the queue, its one worker, the warm pool and the player, at work together.

The daemon runs one engine all its life. The command line runs one for a job of a light backend
when no daemon is up. The consumer lock makes sure that each queue has one running engine. The
engine knows nothing of sockets, the inbox, or why it is started and stopped.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ..audio import files
from ..audio.device import device_of
from ..audio.player import Player
from ..config import Config
from ..errors import DaemonLeaving, JobNotLive, NoAudioKept, NothingSpoken, StorageError
from ..files import remove_parts
from ..hosts.base import HostFactory
from ..hosts.launch import subprocess_hosts
from ..jobs import AS_IT_WAS, CONNECTION, Changes, Job, Request
from ..paths import Paths
from ..queue import recovery
from ..queue.events import Bus
from ..queue.expiry import steady
from ..queue.overview import overview
from ..queue.store import Store
from ..queue.tasks import Run, Tasks
from ..queue.texts import Grown
from .fleet import Connect
from .housekeeping import TICK_S, Housekeeping
from .parts import Parts
from .table_requests import TableRequests


def huey_tasks(store: Store, run: Run) -> Tasks:
    """The daemon's queue of tasks, to which other processes may send as well."""
    from ..queue.broker import Broker

    return Broker(store.path, run)


class Engine(Parts):
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
        connect: Connect | None = None,
    ) -> None:
        """`hosts` starts hosts; None: subprocesses of this machine.

        `store` is a job table that is already open; the engine uses its bus, and closes it.
        `player` is one that is already started. `make_tasks` makes the queue of tasks that the
        engine drains. `look_s`: how often it looks for what others write into the table, where
        they can tell it nothing. `connect`: to the workers on other machines; None: it uses none.
        Raises StorageError if the queue's database cannot be opened.
        """
        store = store or Store(paths.db_path, bus or Bus(), clock, True, steady)
        player = player or Player(device=device_of(config()["audio_device"]))
        hosts = hosts or subprocess_hosts(paths.backends_dir, config)
        super().__init__(
            paths, config, clock, serves_streams, hosts, store, player, make_tasks, connect
        )
        newest = self.store.history.latest()
        # Older streams lost the HTTP response that they went into, with the daemon that gave it.
        # Newer ones are ours. An engine without an API leaves all of them to the daemon.
        self._streams_died_before = newest.seq + 1 if serves_streams and newest else 0
        self.is_started = False
        self.requests = TableRequests(self, may_wait=lambda: self.is_started)
        self.requests.look_for_pause()
        self.housekeeping = Housekeeping(self, self.requests, look_s)
        self._finish_at_once = threading.Event()

    # -- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Recover the jobs of a dead daemon, and begin. The caller holds the consumer lock."""
        self._remove_leftovers()
        self.housekeeping.cancel_abandoned()
        self._end_orphaned_texts()
        self.store.moves.clear()
        recovery.recover(self.store, self.tasks, self._streams_died_before)
        self.lookahead.alone = recovery.tried_alone(self.store)
        self.player.on_change = self.running.on_change = self.tasks.wake
        self.fleet.on_change = self._on_workers
        threading.Thread(target=self.fleet.tick, name="fleet", daemon=True).start()
        self.player.on_absence = self.device_wait.begin
        if not self.player.is_alive():
            self.player.start()
        self.housekeeping.set_up_pool()
        self.tasks.start(self.worker.may_take)
        self.outcomes.start()
        self.housekeeping.start()
        self.upkeep.start()
        self.is_started = True

    def _on_workers(self) -> None:
        """Workers have come or gone."""
        self.tasks.wake()
        if self.workers_wait.count:
            threading.Thread(target=self._end_wait, name="workers-wait", daemon=True).start()

    def _end_wait(self) -> None:
        # If it fails the housekeeping tries it again, unless the engine is being closed.
        with contextlib.suppress(StorageError, DaemonLeaving):
            self.send_stranded()

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
        while any(map(self._is_being_written, written)):
            if self._finish_at_once.wait(0.1):
                break

    def _is_being_written(self, job_id: str) -> bool:
        """False for what went back into the queue: what it waits for, a worker, may never come."""
        job = self.store.find(job_id)
        if job is None or not job.is_live:
            return False
        return job.state != "queued" or job_id in self.worker.written_ids

    def close(self) -> None:
        """Stop now. Jobs that are not finished go back into the queue."""
        self.housekeeping.close()
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
                self.store.erase_private(self.forget_audio)
            # Only the jobs that this engine has begun: another process may drain the queue now.
            with contextlib.suppress(StorageError):
                self.worker.forget_ended(self.store.live_ids)
            for job_id in self.worker.begun_ids:
                # What cannot be written, the next daemon finds out by itself.
                with contextlib.suppress(StorageError):
                    recovery.give_back(self.store, job_id)
            with contextlib.suppress(StorageError):
                self.store.cancel_late()
        self.rates.save()
        self.fleet.close()
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
    def _has_threads(self) -> bool:
        return not self.is_started or (self.tasks.is_alive() and self.player.is_alive())

    @property
    def is_idle(self) -> bool:
        """No job is live. The job table decides, not Huey."""
        return self.store.count_live() == 0

    def overview(self) -> dict[str, Any]:
        """See `queue.overview`."""
        return overview(self.store)

    # -- requests, from any thread -----------------------------------------------------------

    def submit(self, request: Request) -> Job:
        """See `Submitter.submit`. Whatever comes may be a reason to look for a device again."""
        self.fleet.expect_job()
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
        self.drop(job.id)
        self.tasks.wake()
        return job

    def cancel_all(self, source: str | None = None) -> list[Job]:
        """Cancel every live job, or those of one source, and be silent at once."""
        cancelled = self.store.cancel_all(source, self.drop)
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
        self.requests.set_paused(True)

    def resume(self) -> None:
        self.requests.set_paused(False)

    @property
    def unwritten_pause(self) -> bool | None:
        """See `TableRequests.unwritten_pause`."""
        return self.requests.unwritten_pause

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
        return self.store.forgetting.clear(older_than_s, self.forget_audio)

    def check_queue(self) -> None:
        """Look at the queue now: another process may have written to it."""
        self.player.try_again()
        self.texts.wake()
        self.texts.look()
        self.send_stranded()
