"""How jobs use the hosts: each takes its turn, has its host while it lasts, and gives both up.

Who cannot wait for a file's utterance has it given up, to be made again. Knows no texts and audio.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..backends.base import Utterance
from ..errors import HostCrashed, HostError, VoxError, WorkersAway
from ..hosts.base import Host
from ..hosts.pool import model_key
from ..jobs import Job
from ..queue.store import Store
from ..voices.catalog import Catalog
from .placement import Placement
from .rates import Rates
from .running import Run, Running
from .warming import Models

if TYPE_CHECKING:
    from ..hosts.remote import RemoteHost

MAX_CUTS = 2
"""How often an utterance of a file is given up; then it is made to its end."""


class GivenUp(Exception):
    """The utterance is made later: a job that goes first needs the host."""


class NoPlace(Exception):
    """The job is to wait: only workers on other machines could make it, and none can now."""

    def __init__(self, reason: VoxError) -> None:
        super().__init__(reason)
        self.reason = reason


class NotLoaded(Exception):
    """The model did not load, or not in time; `error` says why.

    It is not tried again: that may have taken minutes and would fail in the same way.
    """

    def __init__(self, error: HostError) -> None:
        super().__init__(error)
        self.error = error


class HostUses:
    """Those of the jobs at work. Any thread may use it."""

    def __init__(
        self,
        store: Store,
        models: Models,
        catalog: Catalog,
        rates: Rates,
        placement: Placement,
        running: Running,
    ) -> None:
        self.store = store
        self.placement = placement
        self.running = running
        self.pool = models.pool
        self.rates = rates
        self._catalog = catalog
        self._uses: list[HostUse] = []
        self.lock = threading.Lock()

    @contextlib.contextmanager
    def of(self, run: Run, said: Utterance, check_wanted: Callable[[], None]) -> Iterator[HostUse]:
        """The use of the hosts by that job, in the block; at its end the job has none.

        `said`: an utterance without its text.
        """
        use = HostUse(self, self._catalog, run, said, check_wanted)
        self._uses.append(use)
        try:
            yield use
        finally:
            use.end()
            self._uses.remove(use)

    def make_way(self, use: HostUse) -> None:
        """Have files give up the utterances that keep that job waiting."""
        for other in list(self._uses):
            if other.run.rank() > use.run.rank():
                other.cut_for(use)


class HostUse:
    """One job's. Its thread alone calls it, but for `cancel`, `abort_load` and `cut_for`."""

    def __init__(
        self,
        uses: HostUses,
        catalog: Catalog,
        run: Run,
        said: Utterance,
        check_wanted: Callable[[], None],
    ) -> None:
        job = run.job
        self.run = run
        self.backend = catalog.host_of(job.backend)
        """Whose host speaks it."""
        self.settings = catalog.host_settings(job.backend, job.model)
        self.host: Host | None = None
        """The one that it has its turn at."""
        self.is_warm = False
        """Its model was loaded."""
        self.saved_load_s = 0.0
        """See `Job.saved_load_s`."""
        self._remote: RemoteHost | None = None
        """Its host if workers make it."""
        self._is_for_here = False
        """Workers have failed it: it is made here."""
        self._said = said
        self._may_be_cut = job.sink == "file" and catalog.info(job.backend).streaming == "frame"
        self._check_wanted = check_wanted
        self._uses = uses
        self._pool = uses.pool
        self._lock = uses.lock
        self._held = contextlib.ExitStack()
        self._counted: Host | None = None
        """The one that has counted the job."""
        self._is_loading = False
        """A host is being got for it."""
        self.has_loading_begun = False
        """Which loads something."""
        self.loading: float | None = None
        """How much is loaded, 0 to 1, if its backend tells."""
        self.is_awaiting_turn = False
        self._is_saying = False
        self._is_cut = False
        self._cuts = 0
        """How often the present utterance was given up."""

    @property
    def key(self) -> str:
        return model_key(self.backend, self.settings)

    # -- from any thread ---------------------------------------------------------------------

    def cancel(self) -> bool:
        """Have the host stop what it synthesizes; False if none is loaded for the job."""
        with self._lock:
            host = self.host or self._remote
        if host is None:
            if self._is_loading:
                self._pool.cancel(self.backend, self.settings)
            return False
        host.cancel()
        return True

    def abort_load(self) -> None:
        """Kill the host that is being loaded for the job, if there is one."""
        remote = self._remote
        if remote is not None:
            remote.cancel()
        elif self._is_loading:
            self._pool.abort(self.key)

    def cut_for(self, other: HostUse) -> None:
        """Give the utterance up that is being made, if that job would have to wait for it."""
        if self._remote or not self._may_be_cut or self._pool.shares_nothing(other.key, [self.key]):
            return
        with self._lock:
            host = self.host if self._is_saying and self._cuts < MAX_CUTS else None
            self._is_cut = host is not None
        if host is not None:
            host.cancel()

    # -- from the job's thread ---------------------------------------------------------------

    def take(self, is_urgent: bool = True, first: Utterance | None = None) -> Host:
        """The job's host, with its model loaded; waits for the turn if it has none.

        `is_urgent`: files give up the utterances that keep it waiting. `first`: what it makes next.
        Raises NoPlace, NotLoaded, HostCrashed, WorkersAway, WorkerLost, BackendNotInstalled and
        what `check_wanted` raises.
        """
        if self.host is not None:
            return self.host
        if self._is_made_elsewhere():
            return self._take_remote(first)
        self._uses.running.set_remote(self.run, False)
        turns = self._pool.turns
        if turns.is_taken and not self.is_warm:
            self._publish({"step": "waiting for another model", "loading": None})
        if is_urgent:
            self._uses.make_way(self)
        turn = self._pool.turn(self.backend, self.settings, self._check_wanted, self.run.rank)
        with contextlib.ExitStack() as taken:
            self.is_awaiting_turn = True
            try:
                taken.enter_context(turn)
            finally:
                self.is_awaiting_turn = False
            host = taken.enter_context(self._warm_host())
            self._held = taken.pop_all()
        return host

    def foresee_place(self) -> None:
        """Workers are going to make the job, as things are: no other job's turn concerns it."""
        job = self.run.job
        place = self._uses.placement.place_of(job.backend, job.model, job.voice)
        if place == "remote" and not self._is_for_here:
            self._uses.running.set_remote(self.run, True)

    def _is_made_elsewhere(self) -> bool:
        """Whether workers make the job. Raises NoPlace."""
        if self._remote is not None:
            return True
        if self._is_for_here:
            return False
        job = self.run.job
        place, reason = self._uses.placement.where(job.backend, job.model, job.voice)
        if place is None and reason is not None:
            raise NoPlace(reason)
        return place == "remote"

    def _take_remote(self, first: Utterance | None) -> Host:
        self._uses.running.set_remote(self.run, True)
        host = self._remote = self._remote or self._uses.placement.host(self.run.job)
        if first is not None:  # after a load alone another worker may get it, and load as well
            host.expect(first)
        try:
            host.load(self._said, self._show_loading_there)
        finally:
            self.has_loading_begun = False
        self._check_wanted()
        self._publish({"step": None, "loading": None})
        with self._lock:
            self.host, self.is_warm = host, True
        return host

    def note_lost(self, error: HostError) -> None:
        """Workers have failed the job: go on with others, or here.

        Raises the error, or what caused it, if there is neither.
        """
        if isinstance(error, WorkersAway):
            self._uses.placement.fleet.distrust(error)
            self._leave_remote()
        elif not (self._remote and self._remote.is_going_on):
            self._leave_remote()
            job = self.run.job
            if not self._uses.placement.is_ready_here(job):
                cause = error.__cause__
                raise cause if isinstance(cause, VoxError) else error
            self._is_for_here = True
            self._uses.store.add_note(job.id, f"made here: {error.message}")

    def _leave_remote(self) -> None:
        remote, self._remote = self._remote, None
        if remote is not None:
            with self._lock:
                self.host = None
            remote.close()

    @property
    def is_remote(self) -> bool:
        return self._remote is not None

    def expect(self, utterance: Utterance) -> None:
        """Have workers make this one now (see `RemoteHost.expect`)."""
        if self._remote is not None:
            self._remote.expect(utterance)

    def prefetch(self, utterances: Sequence[Utterance]) -> None:
        """Have workers make these meanwhile (see `RemoteHost.prefetch`)."""
        if self._remote is not None:
            self._remote.prefetch(utterances)

    @property
    def width(self) -> int:
        """How many utterances are made at once."""
        return self._remote.width if self._remote else 1

    def give_up(self) -> None:
        """Others may have the host now."""
        if self._remote is not None:
            with self._lock:
                self.host = None
        self._held.close()

    def end(self) -> None:
        """The job needs no host any more."""
        self._leave_remote()
        self.give_up()

    @contextlib.contextmanager
    def _warm_host(self) -> Iterator[Host]:
        job = self.run.job
        is_loaded = self.key in self._pool.loaded
        if not (self.is_warm or is_loaded):
            self._show_loading(f"loading {job.backend}", None)
        self._is_loading = True
        began = time.monotonic()
        try:
            host = self._pool.acquire(
                self.backend, self.settings, self._show_loading, self._said, job.keep_alive
            )
        except HostCrashed:
            raise  # perhaps somebody killed it
        except HostError as exc:
            raise NotLoaded(exc) from exc
        finally:
            self._is_loading = self.has_loading_begun = False
        if not is_loaded:
            self._uses.rates.note_load(self.key, time.monotonic() - began)
        if is_loaded and not self.is_warm:
            self.saved_load_s = host.load_s or 0.0
        with self._lock:
            self.host, self.is_warm = host, True
        try:
            self._check_wanted()
            self._publish({"step": None, "loading": None})
            for note in host.take_notes():
                self._uses.store.add_note(job.id, note)
            yield host
        finally:
            with self._lock:
                self.host = None
            self._pool.release(host, has_spoken=host is not self._counted)
            self._counted = host

    def _show_loading(self, text: str, fraction: float | None) -> None:
        self.has_loading_begun, self.loading = True, fraction
        self._publish({"step": text, "loading": fraction})

    def _show_loading_there(self, text: str, fraction: float | None) -> None:
        self._check_wanted()
        self._show_loading(text, fraction)

    def _publish(self, progress: dict[str, Any]) -> None:
        publish_progress(self._uses.store, self.run.job, progress)

    @contextlib.contextmanager
    def saying(self) -> Iterator[None]:
        """The host makes an utterance in the block, and may have to stop: see `check`."""
        with self._lock:
            self._is_saying, self._is_cut = True, False
        try:
            yield
            self._cuts = 0
        except (HostError, GivenUp) as exc:
            if not self._is_cut:
                raise
            self._cuts += 1
            raise GivenUp from exc
        finally:
            with self._lock:
                self._is_saying = self._is_cut = False
            if self.has_loading_begun:  # by another worker than the first
                self.has_loading_begun = False
                self._publish({"step": None, "loading": None})

    def check(self) -> None:
        """Raises GivenUp if the utterance is not to be made now, or what `check_wanted` raises."""
        self._check_wanted()
        if self._is_cut:
            raise GivenUp


def publish_progress(store: Store, job: Job, progress: dict[str, Any]) -> None:
    """Tell who follows the job what it does."""
    if store.bus is not None:
        store.bus.publish("progress", job.id, {"id": job.id, **progress})
