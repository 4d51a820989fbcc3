"""Loads models ahead of their use, and unloads those whose time is over or that are not wanted.

Whoever loads a model here takes a turn, as the worker does for each job. Knows no audio.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ..backends.base import Progress, Settings, Utterance
from ..config import Config
from ..errors import DaemonLeaving, HostError, JobCancelled, VoxError
from ..hosts.base import Host
from ..hosts.pool import Pool, model_key
from ..jobs import Job
from ..queue.store import Store
from ..voices.catalog import Catalog
from ..voices.choice import ignored, resolve
from ..voices.wish import Wish
from .running import WARMING


class Models:
    """The models that are to be warm. Any thread may use it."""

    def __init__(
        self, store: Store, pool: Pool, catalog: Catalog, config: Callable[[], Config]
    ) -> None:
        self._store = store
        self.pool = pool
        self._catalog = catalog
        self._config = config
        self.is_closed = False
        """Nothing is loaded any more."""
        self.elsewhere: Callable[[str, str | None, str | None], Host | None] = (
            lambda _backend, _model, _voice: None
        )
        """A host on other machines, where the model of a voice is to be loaded now; None: here."""
        self.is_made_here: Callable[[str, str | None], bool] = lambda _backend, _model: True
        """Whether the jobs of a model are made on this machine now."""
        self._running: set[Warming | WarmingElsewhere] = set()

    @property
    def is_warming(self) -> bool:
        """Somebody waits for a model to be warm."""
        return bool(self._running)

    def warming(
        self, backend: str, model: str | None, voice: str | None, keep_alive_s: float | None
    ) -> Warming | WarmingElsewhere:
        """What loads the model of that voice, None: of the usual one, once it is told to.

        `keep_alive_s`: see `Pool.stay`. Raises NotAvailable, BadConfig, BadOption, WorkersAway.
        """
        config = self._config()
        wish = Wish(
            backend=backend,
            voice=voice,
            model=model,
            default_voice=config["voice"],
            default_lang=config["lang"],
        )
        who = resolve(self._catalog, wish)
        ignored(self._catalog, who, model)
        said = Utterance.saying("", who.clone, {"voice": who.voice, "lang": who.lang})
        host = self.elsewhere(backend, model, who.voice)
        if host is not None:
            return WarmingElsewhere(self, host, said)
        settings = self._catalog.host_settings(backend, model)
        return Warming(self, self._catalog.host_of(backend), settings, said, keep_alive_s)

    @contextlib.contextmanager
    def noting(self, warming: Warming | WarmingElsewhere) -> Iterator[None]:
        """It runs in the block."""
        self._running.add(warming)
        try:
            yield
        finally:
            self._running.discard(warming)

    def unload(self, backend: str | None = None) -> tuple[list[dict[str, Any]], list[str]]:
        """Unload the models of a backend, None: all, a busy one once no job waits for it.

        Returns as `Pool.unload`. Raises UnknownBackend.
        """
        if backend is not None:
            self._catalog.info(backend)
        name = self._catalog.host_of(backend) if backend is not None else None
        return self.pool.unload(name)

    def stay(self, job: Job) -> None:
        """Keep the model for as long as the job says, if it is loaded."""
        if job.keep_alive is not None:
            self.pool.stay(self._key(job.backend, job.model), job.keep_alive)

    def _key(self, backend: str, model: str | None) -> str:
        settings = self._catalog.host_settings(backend, model)
        return model_key(self._catalog.host_of(backend), settings)

    def unload_due(self) -> None:
        """Unload the models whose time is over, but not one that a job waits for."""
        wanted_keys = functools.cache(self.wanted_keys)  # asked for at most once, mostly never
        self.pool.unload_due(lambda key: key in wanted_keys())

    def wanted(self) -> list[tuple[str, str | None]]:
        """(backend, model) of the jobs that wait for a model of this machine."""
        return [each for each in self._store.wanted_models() if self.is_made_here(*each)]

    def wanted_keys(self) -> set[str]:
        """The models that jobs wait for, as keys of the pool."""
        keys = set()
        for backend, model in self.wanted():
            with contextlib.suppress(VoxError):  # its backend is gone, or its settings are bad
                keys.add(self._key(backend, model))
        return keys


def check_wanted(models: Models, is_cancelled: bool) -> None:
    """Raises DaemonLeaving, or JobCancelled."""
    if models.is_closed:
        raise DaemonLeaving("the daemon is stopping")
    if is_cancelled:
        raise JobCancelled("no caller waits for the model any more")


class Warming:
    """Loads one model: `run` once, in a thread; `cancel` may come from any other."""

    def __init__(
        self,
        models: Models,
        name: str,
        settings: Settings,
        wish: Utterance,
        keep_alive_s: float | None,
    ) -> None:
        """`wish`, `settings`: see `Pool.acquire`; `keep_alive_s`: see `Pool.stay`."""
        self._models = models
        self._wish = wish
        self._name = name
        self._settings = settings
        self._keep_alive_s = keep_alive_s
        self._key = model_key(name, settings)
        self._is_cancelled = False
        self._is_loading = False
        self._lock = threading.Lock()

    def run(self, on_progress: Progress) -> dict[str, Any]:
        """Load the model unless it is warm; returns its host as `Pool.describe` does.

        Raises BackendNotInstalled, HostError, JobCancelled, or DaemonLeaving if the models are
        closed meanwhile.
        """
        with self._models.noting(self):
            return self._run(on_progress)

    def _run(self, on_progress: Progress) -> dict[str, Any]:
        pool = self._models.pool
        if pool.turns.is_taken:
            on_progress("waiting for the end of a job's preparation", None)
        try:
            with pool.turns.take(self._check_wanted, lambda: WARMING, self._key):
                on_progress(f"loading {self._name}", None)
                with self._loading():
                    host = pool.acquire(
                        self._name, self._settings, on_progress, self._wish, self._keep_alive_s
                    )
                pool.release(host, has_spoken=False)
                self._check_wanted()
                return pool.find(self._key)
        except HostError:
            self._check_wanted()  # it was killed because it is not wanted any more
            raise

    @contextlib.contextmanager
    def _loading(self) -> Iterator[None]:
        with self._lock:
            self._check_wanted()
            self._is_loading = True
        try:
            yield
        finally:
            with self._lock:
                self._is_loading = False

    def _check_wanted(self) -> None:
        check_wanted(self._models, self._is_cancelled)

    def cancel(self) -> None:
        """Stop waiting or loading, but not if a job waits for the model as well."""
        if self._key in self._models.wanted_keys():
            return
        with self._lock:
            self._is_cancelled = True
            if self._is_loading:
                self._models.pool.abort(self._key)


class WarmingElsewhere:
    """As `Warming`, on another machine: no turn is needed, and how long it stays is said there."""

    def __init__(self, models: Models, host: Host, wish: Utterance) -> None:
        self._models = models
        self._host = host
        self._wish = wish
        self._is_cancelled = False

    def run(self, on_progress: Progress) -> dict[str, Any]:
        """See `Warming.run`. Raises WorkersAway and WorkerLost too."""

        def show(text: str, fraction: float | None) -> None:
            self._check_wanted()
            on_progress(text, fraction)

        with self._models.noting(self), contextlib.closing(self._host):
            self._host.load(self._wish, show)
            self._check_wanted()
            return self._host.describe()

    def _check_wanted(self) -> None:
        check_wanted(self._models, self._is_cancelled)

    def cancel(self) -> None:
        self._is_cancelled = True
        self._host.cancel()
