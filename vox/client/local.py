"""Jobs where no daemon is up: the job table itself, and a light job spoken in this very process.

Starts no daemon. What is written to the table here is found by the next daemon, for the job table
is the truth.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import (
    BadConfig,
    DaemonUnavailable,
    NothingSpoken,
    StorageDamaged,
    StorageError,
    UnknownBackend,
)
from ..files import is_locked
from ..jobs import AS_IT_WAS, EVERY_JOB, PAUSED, Changes, Request, Wanted
from ..jobs import Job as QueuedJob
from ..paths import Paths
from ..queue.events import Bus
from ..queue.outlooks import TableOutlooks
from ..queue.overview import overview
from ..queue.pauses import flag_of
from ..queue.sqlite_errors import find_corruption_in_file
from ..queue.store import PAUSE, Store
from .jobs import (
    ANSWER_TIMEOUT_S,
    Growth,
    Job,
    OnEvent,
    caller_of,
    caller_of_followed,
    ignore,
)

if TYPE_CHECKING:
    from ..engine.submit import Submitter
    from .sound import SoundAhead

NOTHING_STAYS = (
    "--keep-alive has no effect: {0} speaks here without a daemon; to have it warm: "
    "vox daemon warm {0}"
)

CATCH_UP_S = 0.5
"""So long who has searched a long history takes texts into its index, where no daemon does."""

MOVE_S = 2.0
"""How long who speaks may take to move."""
POLL_S = 0.01

OnNote = Callable[[str], None]
"""Called with a note for the user."""


@contextlib.contextmanager
def open_store(paths: Paths, check: bool = False) -> Iterator[Store]:
    """The job table, for reading the history or changing what is queued. Raises StorageError."""
    store = Store(paths.db_path, Bus(), check=check)
    store.outlooks = TableOutlooks(store.outline, lambda: is_locked(paths.consumer_lock_path))
    try:
        yield store
    finally:
        store.close()


def note_of(store: Store) -> str | None:
    """Note for the user if a damaged database was moved aside when this one was opened."""
    if store.moved_aside is None:
        return None
    return f"the queue's database was damaged; it is kept as {store.moved_aside}"


class _SenderIfDrained:
    """Sends tasks if another process drains the queue at this moment.

    If none does, a task is of no use: whoever drains the queue next begins with the job table.
    So most calls do without Huey.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def send(self, jobs: Iterable[tuple[str, int]]) -> None:
        if not is_locked(self._paths.consumer_lock_path):
            return
        from ..queue.broker import Broker

        broker = Broker(self._paths.db_path)
        try:
            broker.send(jobs)
        finally:
            broker.close()


def find_damage(paths: Paths) -> str | None:
    """What is damaged in the queue's database; None: nothing, or there is none. Changes nothing."""
    return find_corruption_in_file(paths.db_path)


class Local:
    """`Jobs` of the job table. `follow` speaks the job, and those before it, in this process."""

    def __init__(self, paths: Paths, on_note: OnNote = lambda _note: None) -> None:
        self.paths = paths
        self._on_note = on_note
        self._kept_store: Store | None = None
        """Of the job that was just made here and will be followed."""
        self.sound: SoundAhead | None = None
        """For the job that will be followed next."""

    @contextlib.contextmanager
    def _store(self) -> Iterator[Store]:
        with open_store(self.paths) as store:
            if note := note_of(store):
                self._on_note(note)
            yield store

    def is_light(self, backend: str, model: str | None) -> bool:
        """Whether the backend speaks without a daemon. Not if it is gone."""
        from ..backends import registry
        from ..config import load

        try:
            if not registry.get(backend).info.light:
                return False
            config = load(self.paths.config_path)
        except UnknownBackend:
            return False
        except BadConfig:
            return True  # whoever speaks says what is wrong
        if config["workers"] is None:
            return True  # found out without the catalog, which delays the first sound
        from ..voices.catalog import Catalog

        return Catalog(self.paths, lambda: config).is_light(backend, model)

    # -- jobs: see `Jobs` --------------------------------------------------------------------

    def submit(
        self, request: Request, is_followed: bool = True, timeout_s: float = ANSWER_TIMEOUT_S
    ) -> Job:
        request.caller = caller_of(request, is_followed)
        return self._add(lambda submitter: submitter.submit(request), is_followed)

    def write(self, job_id: str, at: int, text: str) -> Growth:
        from ..config import LiveConfig

        limit = LiveConfig(self.paths.config_path)()["max_text"]
        with self._changing() as store:
            grown = store.texts.append(job_id, at, text, limit)
        return {"length": grown.length, "open": grown.is_open}

    def end(self, job_id: str) -> None:
        with self._changing() as store:
            store.texts.end(job_id)

    def replay(self, job_id: str, is_followed: bool = True, changes: Changes = AS_IT_WAS) -> Job:
        from ..audio.spool import SpoolDir

        spools = SpoolDir(self.paths.spool_dir, limit_bytes=0)
        caller = caller_of_followed(is_followed)
        return self._add(
            lambda submitter: submitter.replay(job_id, spools.has, caller, changes), is_followed
        )

    def _add(self, make: Callable[[Submitter], QueuedJob], is_followed: bool) -> Job:
        try:
            return self._add_once(make, is_followed)
        except StorageDamaged:
            return self._add_once(make, is_followed, check=True)

    def _add_once(
        self, make: Callable[[Submitter], QueuedJob], is_followed: bool, check: bool = False
    ) -> Job:
        # Late, for it brings numpy: whoever lists or cancels jobs needs none, least of all after a
        # Ctrl-C in the middle of this import, which cannot be repeated.
        from ..config import LiveConfig
        from ..engine.submit import Submitter
        from ..text.say_as_files import LiveSayAs
        from ..voices.catalog import Catalog
        from .serving import knowing_workers

        config = LiveConfig(self.paths.config_path)
        store = Store(self.paths.db_path, Bus(), check=check)
        with contextlib.ExitStack() as opened:
            opened.callback(store.close)
            sender = _SenderIfDrained(self.paths)
            submitter = Submitter(
                store,
                sender,
                knowing_workers(Catalog(self.paths, config), self.paths),
                config,
                say_as=LiveSayAs(self.paths, config),
                obstacles=lambda: [PAUSED] if store.is_set(PAUSE) else [],
            )
            job = make(submitter)
            data = store.show(job)
            if note := note_of(store):
                data["notes"].append(note)
            is_light = self.is_light(job.backend, job.model)
            if is_followed and job.is_live and is_light and not job.is_open:
                if job.keep_alive and job.via != "replay":
                    data["notes"].append(NOTHING_STAYS.format(job.backend))
                if self._kept_store is not None:
                    self._kept_store.close()
                self._kept_store = store
                opened.pop_all()
        return data

    def close(self) -> None:
        """Release what is kept for a job that was made here and will not be followed."""
        if self.sound is not None:
            self.sound.close()
            self.sound = None
        if self._kept_store is not None:
            self._kept_store.close()
            self._kept_store = None

    def follow(
        self,
        job_id: str,
        on_event: OnEvent = ignore,
        timeout_s: float | None = None,
        bind: bool = False,
    ) -> Job:
        from .in_process import InProcess

        # An interrupt may come at any time: until `in_process` has it, `close` releases it. A
        # player that goes on while Python ends may crash the process.
        store = self._kept_store or Store(self.paths.db_path, Bus())
        player = self.sound.player() if self.sound else None
        in_process = InProcess(self.paths, job_id, store, player)
        try:
            self._kept_store = self.sound = None
            return in_process.speak(on_event, timeout_s)
        except BaseException as exc:
            if not isinstance(exc, Exception):  # Ctrl-C and its like
                in_process.cancel()
            raise
        finally:
            in_process.close()

    def get(self, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
        with self._store() as store:
            return store.show(store.get(job_id))

    def queue(self) -> list[Job]:
        with self._store() as store:
            return list(store.shown_queue())

    def history(self, limit: int | None = None, wanted: Wanted = EVERY_JOB) -> Iterator[Job]:
        with self._store() as store:
            pages = store.history.pages(limit, wanted)
            yield from store.shown(job for page in pages for job in page)
            if wanted.search:
                with contextlib.suppress(StorageError):  # all was found without it
                    store.history.index.catch_up(CATCH_UP_S)

    def stats(self) -> dict[str, Any]:
        with self._store() as store:
            return store.history.stats()

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Store]:
        """The job table, for a change that must not be lost while a damaged one is made again."""
        with self._store() as store, store.in_order():
            yield store

    def cancel(self, job_id: str, timeout_s: float = ANSWER_TIMEOUT_S) -> Job:
        with self._changing() as store:
            return store.cancel(store.get(job_id).id).to_dict()

    def cancel_all(self, source: str | None = None) -> list[Job]:
        with self._changing() as store:
            return [job.to_dict() for job in store.cancel_all(source)]

    def clear(self, older_than_s: float | None = None) -> int:
        from ..audio.spool import SpoolDir
        from ..audio.utterances import UtteranceCache

        UtteranceCache(self.paths.utterances_dir, lambda: 0).clear(older_than_s)
        spools = SpoolDir(self.paths.spool_dir, limit_bytes=0)

        def forget_audio(job_ids: Sequence[str]) -> None:
            for job_id in job_ids:
                spools.remove(job_id)

        with self._changing() as store:
            return len(store.forgetting.clear(older_than_s, forget_audio))

    def release(self, job_id: str) -> None:
        """Have a job that was made by this process outlive it. Raises StorageError."""
        with self._store() as store:
            store.note(job_id, caller=None)

    def skip(self) -> Job | None:
        if not is_locked(self.paths.consumer_lock_path):
            raise self._no_daemon()
        # A call speaks without a daemon. It finds this in the table.
        with self._changing() as store:
            live = store.live()
            return store.cancel(live[0].id, "skipped").to_dict() if live else None

    def move(self, steps: int) -> Job:
        """By the call that speaks without a daemon, if one does: it is asked through the table."""
        if not is_locked(self.paths.consumer_lock_path):
            raise self._no_daemon()
        with self._changing() as store:
            live = store.live()
            if not live or live[0].state != "speaking":
                raise NothingSpoken("nothing is being spoken")
            store.moves.ask(steps)
        with self._store() as store:
            deadline = time.monotonic() + MOVE_S
            while store.moves.asked:
                if time.monotonic() > deadline:
                    store.moves.clear()
                    raise self._no_daemon()
                time.sleep(POLL_S)
            return store.show(store.get(live[0].id))

    def pause(self, source: str | None = None) -> None:
        self._flag_pause(source, True)

    def resume(self, source: str | None = None) -> None:
        self._flag_pause(source, False)

    def _flag_pause(self, source: str | None, is_paused: bool) -> None:
        """Whoever drains the queue now or next finds it: see `Engine`."""
        with self._changing() as store:
            store.set_flag(PAUSE if source is None else flag_of(source), is_paused)

    def mute(self, source: str, is_muted: bool) -> None:
        from .. import config
        from ..engine.muting import end_all_muted

        config.mute(self.paths.config_path, source, is_muted)
        with self._changing() as store:
            end_all_muted(store, config.load(self.paths.config_path))

    def is_paused(self) -> bool:
        with self._store() as store:
            return store.is_set(PAUSE)

    def overview(self) -> dict[str, Any]:
        """See `queue.overview`."""
        with self._store() as store:
            return overview(store)

    def obstacles(self) -> list[str]:
        from .. import config
        from ..source_notes import notes_on

        muted = list[str]()
        with contextlib.suppress(BadConfig):
            muted = sorted(config.load(self.paths.config_path).muted_sources)
        with self._store() as store:
            found = [PAUSED] if store.is_set(PAUSE) else []
            return found + notes_on(sorted(store.paused_sources()), muted)

    def _no_daemon(self) -> DaemonUnavailable:
        count = len(self.queue())
        if not count:
            return DaemonUnavailable("no daemon is running", "nothing is being spoken")
        counted = "1 job is" if count == 1 else f"{count} jobs are"
        return DaemonUnavailable(
            f"no daemon is running; {counted} in the queue", "see: vox queue, or: vox daemon start"
        )
