"""A worker: what it is made of, what it announces, and its life."""

from __future__ import annotations

import functools
import logging
import math
import queue
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .. import __version__
from ..config import Config
from ..errors import JobFailed, VoxError
from ..fleet import keys
from ..fleet.clones import KeptClones
from ..fleet.lease_times import LeaseTimes
from ..fleet.server import Server
from ..fleet.storage import FleetQueue, Lane
from ..fleet.workers import Announced, Workers
from ..hosts.base import HostFactory
from ..paths import Paths
from ..voices.catalog import Catalog
from .leases import Leases
from .making import Maker
from .slots import Slots

log = logging.getLogger(__name__)

MAX_HEAD_START_S = 3.0
"""Longest time for which a request is left to workers with its model loaded."""
FAILED_HEAD_START_S = 10.0
"""The same after the model could not be loaded here."""
USUAL_HEAD_START_S = 1.0
"""The same if the loading time is not known."""
STOP_S = 20.0
"""How long a stopping worker may take to finish its utterances."""
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Options:
    """How a worker is started."""

    name: str
    machine: str
    backends: tuple[str, ...] = ()
    """The backends to serve; empty: all that are installed."""
    device: str | None = None
    """Where models run; None: as in the settings."""
    concurrency: int = 1


class Worker:
    """`stop` may be called from any thread, also from a signal handler."""

    def __init__(
        self,
        server: Server,
        options: Options,
        paths: Paths,
        config: Callable[[], Config],
        hosts: HostFactory,
    ) -> None:
        times = LeaseTimes(float(config()["lease_s"]))
        self._options = options
        self._config = config
        self._times = times
        self.id = f"{keys.named(options.name)}#{secrets.token_hex(4)}"
        self._catalog = Catalog(paths, config)
        self._slots = Slots(
            self._catalog,
            hosts,
            paths.memory_path,
            options.concurrency,
            options.device,
            options.backends,
        )
        self._leases = Leases(server, self.id, times)
        self._clones = KeptClones(server, paths.clones_dir)
        self._maker = Maker(self.id, self._leases, self._slots, self._catalog, self._clones)
        self._workers = Workers(server)
        self._others: tuple[Announced, ...] = ()
        self._served: tuple[str, ...] | None = None
        self._told: tuple[str, ...] = ()
        """What was logged already of what is not served."""
        self._has_namesake = False
        self._namesake_due_at = time.monotonic() + 2 * times.held_s
        """Before that it may be this worker's own predecessor, which was killed."""
        self._server = server
        self._queue = FleetQueue(
            server,
            self._maker.make,
            self._maker.refuse,
            worker_id=self.id,
            lease_s=times.held_s,
            lanes=self._lanes,
            on_away=functools.partial(self._note_away, "take"),
        )
        self._troubles: dict[str, str] = {"announce": ""}
        """What is wrong with the server, by what cannot be done for it. "": not known yet."""
        self._troubles_lock = threading.Lock()
        self._stops: queue.SimpleQueue[None] = queue.SimpleQueue()

    def run(self) -> None:
        """Serve until `stop`. What is being made then is made to its end, within STOP_S.

        Raises JobFailed if it cannot serve any longer.
        """
        log.info("%s starts: vox %s, server %s", self.id, __version__, self._server.address)
        self._tick()
        self._leases.start()
        self._queue.start(self._options.concurrency)
        try:
            while not self._is_told_to_stop(self._times.beat_s):
                if not self._queue.is_alive():
                    raise JobFailed("a thread of the worker has ended", "its log says why")
                self._tick()
        finally:
            self._leave()

    def stop(self) -> None:
        """Stop. The second call gives back what is being made."""
        self._stops.put(None)

    def _is_told_to_stop(self, timeout_s: float) -> bool:
        """Wait so long for `stop`."""
        try:
            self._stops.get(timeout=timeout_s)
        except queue.Empty:
            return False
        return True

    def _leave(self) -> None:
        is_busy = self._leases.count > 0
        finishes = f" once its utterance is made, within {STOP_S:g} s" if is_busy else ""
        log.info("%s stops%s", self.id, finishes)
        self._queue.stop()
        try:
            self._workers.leave(self.id)
        except VoxError as exc:  # it expires
            log.debug("%s", exc.message)
        deadline = time.monotonic() + STOP_S
        while not self._queue.has_ended() and time.monotonic() < deadline:
            if self._is_told_to_stop(_LOOK_S):
                break
        if given_back := self._leases.count:
            log.warning("%s gave unfinished requests back: %s", self.id, given_back)
        self._leases.close()
        self._slots.close()
        self._server.close()
        log.info("%s has stopped", self.id)

    def _tick(self) -> None:
        try:
            self._look()
            self._announce()
            idle_s = float(self._config()["idle_timeout"])
            self._slots.keep_alive_s = math.inf if idle_s < 0 else idle_s
            for name in self._slots.unload_due():
                log.info("%s is unloaded, for it was idle", name)
            self._clones.tidy()
        except Exception:  # it goes on with what it has
            log.exception("the worker could not announce itself or tidy up")

    def _look(self) -> None:
        """Find out what is installed, and say so if it is not what it was."""
        self._slots.look()
        served = tuple(dict.fromkeys(backend for backend, _ in self._slots.lanes.values()))
        if served != self._served:
            self._served = served
            log.info("%s serves %s", self.id, ", ".join(served) or "nothing yet")
        for line in self._slots.troubles:
            if line not in self._told:
                log.warning("%s", line)
        self._told = self._slots.troubles

    def _announce(self) -> None:
        try:
            self._workers.announce(self._announcement(), self._times.held_s)
            self._others = tuple(each for each in self._workers.look() if each.id != self.id)
            self._note_away("announce", None)
            self._note_namesake()
        except VoxError as exc:
            self._note_away("announce", exc)

    def _note_namesake(self) -> None:
        """Log once that another has the same name: nobody can tell them apart."""
        if self._has_namesake or time.monotonic() < self._namesake_due_at:
            return
        name = keys.named(self._options.name)
        if namesake := next((each for each in self._others if each.name == name), None):
            self._has_namesake = True
            where = namesake.machine or "another machine"
            log.warning("a worker on %s is called %s too; start one with --name", where, name)

    def _note_away(self, doing: str, error: VoxError | None) -> None:
        """Log what is wrong with the server once, whoever of our threads meets it."""
        with self._troubles_lock:
            before = set(self._troubles.values())
            self._troubles.pop(doing, None)
            if error is not None:
                self._troubles[doing] = error.line
            now = set(self._troubles.values())
        for line in now - before:
            log.warning("%s", line)
        if before and not now:
            log.info("the Redis server %s answers", self._server.address)

    def _announcement(self) -> Announced:
        slots, tally = self._slots, self._maker.tally
        warm = {lane: which for lane, which in slots.lanes.items() if slots.is_warm(*which)}
        return Announced(
            id=self.id,
            name=keys.named(self._options.name),
            protocol=keys.PROTOCOL,
            version=__version__,
            machine=self._options.machine,
            device=", ".join(slots.devices) or self._options.device or "auto",
            concurrency=self._options.concurrency,
            busy=self._leases.count,
            lanes=tuple(slots.lanes),
            warm=tuple(warm),
            failing=tuple(lane for lane, which in slots.lanes.items() if slots.is_failing(*which)),
            load_s={lane: slots.load_s(*which) or 0.0 for lane, which in warm.items()},
            requests=tally.requests,
            audio_s=round(tally.audio_s, 3),
            synthesis_s=round(tally.synthesis_s, 3),
        )

    def _lanes(self) -> Sequence[Lane]:
        """Where to take requests from now. What is loaded elsewhere is left to others at first."""
        lanes = []
        for lane, which in self._slots.lanes.items():
            loaded = [each for each in self._others if each.is_ours and lane in each.warm]
            is_left = bool(loaded) and not self._slots.is_warm(*which)
            load_s = max((each.load_s.get(lane, USUAL_HEAD_START_S) for each in loaded), default=0)
            min_age_s = min(MAX_HEAD_START_S, load_s) if is_left else 0.0
            if self._slots.is_failing(*which) and any(each.can_make(lane) for each in self._others):
                min_age_s = FAILED_HEAD_START_S
            lanes.append(Lane(lane, min_age_s))
        return lanes
