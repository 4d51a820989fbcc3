"""What an engine is made of, wired together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from ..audio.gaps import Gaps
from ..audio.player import Player
from ..audio.spool import SpoolDir
from ..audio.utterances import UtteranceCache
from ..config import Config
from ..hosts.base import HostFactory
from ..hosts.memory import Needs
from ..hosts.pool import Pool
from ..jobs import NO_DEVICE, PAUSED
from ..paths import Paths
from ..queue import recovery
from ..queue.events import Bus
from ..queue.reader import QueueEntry
from ..queue.store import Store
from ..queue.tasks import Run, Tasks
from ..text.say_as_files import LiveSayAs
from ..voices.catalog import Catalog
from .device_wait import DeviceWait
from .fleet import Connect, Fleet
from .hearing import Hearing
from .kept import Kept
from .lookahead import LookAhead
from .open_texts import OpenTexts
from .outcomes import OutcomeWriter
from .outlooks import EngineOutlooks
from .placement import Placement
from .rates import Rates
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
from .workers_wait import WorkersWait


class Parts:
    """The parts of one engine. None of them works before the engine is started."""

    def __init__(
        self,
        paths: Paths,
        config: Callable[[], Config],
        clock: Callable[[], float],
        serves_streams: bool,
        hosts: HostFactory,
        store: Store,
        player: Player,
        make_tasks: Callable[[Store, Run], Tasks],
        connect: Connect | None,
    ) -> None:
        """See `Engine`."""
        self.paths = paths
        self.config = config
        self._clock = clock
        self.store = store
        self.bus = store.bus or Bus()
        self.catalog = Catalog(paths, config)
        self.say_as = LiveSayAs(paths, config)
        self.spools = SpoolDir(paths.spool_dir, int(config()["spool_limit_mb"] * 1_000_000))
        self.utterances = UtteranceCache(
            paths.utterances_dir, lambda: int(config()["cache_mb"] * 1_000_000)
        )
        self.player = player
        self.player.output.gaps = Gaps(lambda: config()["lead_in_s"], lambda: config()["pause_s"])
        self.pool = Pool(hosts, Needs(paths.memory_path))
        self.models = Models(self.store, self.pool, self.catalog, config)
        self.fleet = Fleet(config, connect)
        self.kept = Kept(self.models, config)
        self.warms_kept = False
        """Whether the models of `keep` are loaded before they are used: it is to stay."""
        self.outcomes = OutcomeWriter(self.store)
        self.upkeep = Upkeep(self.store, config, self.utterances, self.forget_audio)
        self.running = Running()
        self.rates = Rates(paths.rates_path)
        self.placement = Placement(self.catalog, self.pool, self.rates, self.fleet, config)
        self.lookahead = LookAhead(self.store, self.player, config, self.running, serves_streams)
        self.models.elsewhere = self.placement.host_elsewhere
        self.models.is_made_here = self.placement.is_here
        self.catalog.is_served = self.placement.is_served
        self.workers_wait = WorkersWait(self.store, self.placement, self.lookahead, self.running)
        self.lookahead.place_of = self.placement.place_of
        self.lookahead.most_remote = self.placement.most_jobs
        self.texts = OpenTexts(
            self.store, self.player, lambda: int(config()["max_text"]), self.send_stranded
        )
        self.worker = self._make_worker()
        self._hearing = Hearing(self.player, self.worker, self.lookahead, self.outcomes, clock)
        self.player.output.listener = self._hearing
        self.tasks = make_tasks(self.store, self.worker.run)
        self.sources = Sources(
            self.store, self.worker, self.player, self.tasks, config, paths.config_path, self.drop
        )
        self.submitter = self._make_submitter()
        self.store.outlooks = self._make_outlooks()
        self.texts.is_changed = StreamLanguages(self.store, self.submitter).is_changed
        self.device_wait = DeviceWait(self.store, self.player, config, self._hearing.give_up)
        self.dropped = set[str]()
        """Jobs that are worked on no more, at least those that are still at work."""
        self.on_damage: Callable[[], None] = lambda: None
        """Called every second while the queue's database is known to be damaged."""

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
            self.placement,
            self.workers_wait,
            self._clock,
        )
        return Worker(
            self.store,
            self.outcomes,
            self.player,
            self.lookahead,
            self.running,
            self.spools,
            Replays(self.store, self.spools),
            synthesizer,
            self.texts,
            self.rates,
            self.workers_wait,
            self.config,
            self._clock,
        )

    def _make_submitter(self) -> Submitter:
        return Submitter(
            self.store,
            self.tasks,
            self.catalog,
            self.config,
            self.drop,
            self._clock,
            obstacles=self.obstacles,
            say_as=self.say_as,
        )

    def _make_outlooks(self) -> EngineOutlooks:
        return EngineOutlooks(
            self.store,
            self.player,
            self.spools,
            self.pool,
            self.catalog,
            self.config,
            self.rates,
            self.worker.making,
            self.placement.pace,
            self.workers_wait.what,
            Sizes(self.store, self.submitter.reading),
        )

    @property
    def damage(self) -> str | None:
        """What is wrong with the queue's database, on one line."""
        return self.store.damage or self.tasks.damage

    def obstacles(self) -> list[str]:
        """Notes on what keeps jobs, whoever sent them, from being heard now."""
        found = [PAUSED] if self.player.is_paused else []
        return found + ([NO_DEVICE] if self.player.absence else [])

    def drop(self, job_id: str) -> None:
        """Stop the work for a job that has ended."""
        self.dropped.add(job_id)
        self.worker.cancel(job_id)
        self.player.cancel(job_id)

    def forget_audio(self, job_ids: Sequence[str]) -> None:
        """Delete what is kept of these jobs' audio. Raises StorageError."""
        for job_id in job_ids:
            self.spools.remove(job_id)

    def send_stranded(self) -> None:
        """See `recovery.resend_stranded`. What waits for workers gets its task once they come."""
        place_of = functools.cache(self.placement.place_of)

        def waits(entry: QueueEntry) -> bool:
            is_waiting = self.workers_wait.what(entry.id) is not None
            return is_waiting and place_of(entry.backend, entry.model, entry.voice) is None

        recovery.resend_stranded(self.store, self.tasks, self.outcomes.failed, waits)
        self.tasks.wake()
