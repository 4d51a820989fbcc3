"""A worker's hosts: a pool for each request that it makes at once.

Knows models, not requests.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from ..backends.base import Settings
from ..errors import BackendNotInstalled, LoadFailed, OutOfMemory, VoxError
from ..fleet import keys
from ..hosts.base import HostFactory
from ..hosts.memory import Needs
from ..hosts.pool import Pool, model_key
from ..voices.catalog import Catalog

FAILING_S = 60.0
"""How long a model that could not be loaded is left to other workers."""


class Slots:
    """Any thread may use it."""

    def __init__(
        self,
        catalog: Catalog,
        start_host: HostFactory,
        memory_path: str,
        count: int = 1,
        device: str | None = None,
        backends: tuple[str, ...] = (),
    ) -> None:
        """`device`: for backends that can use it, instead of what the settings say.

        `backends`: serve only these.
        """
        needs = Needs(memory_path)
        self._catalog = catalog
        self._device = device
        self._backends = backends
        self._pools = [Pool(start_host, needs) for _ in range(count)]
        self._free = list(self._pools)
        self._changed = threading.Condition()
        self._failed_at: dict[str, float] = {}
        """When a model could not be loaded, by its key (`time.monotonic`)."""
        self.keep_alive_s = math.inf
        """How long an idle model stays loaded."""
        self.lanes: dict[str, tuple[str, str | None]] = {}
        """Where requests are taken from: (backend, model) by lane, as of the last look."""
        self.troubles: tuple[str, ...] = ()
        """Why backends are not served that should be."""

    def settings(self, backend: str, model: str | None) -> Settings:
        """What a host of that model is started with. Raises UnknownBackend, BadConfig."""
        settings = self._catalog.host_settings(backend, model)
        if self._device is None or not self._catalog.info(backend).can_use(self._device):
            return settings
        return replace(settings, device=self._device)

    def look(self) -> None:
        """Find out what is installed."""
        found: dict[str, tuple[str, str | None]] = {}
        troubles = []
        for name in self._backends or self._catalog.names():
            try:
                found |= self._lanes_of(name)
            except BackendNotInstalled as exc:
                if self._backends:
                    troubles.append(exc.line)
            except VoxError as exc:
                troubles.append(exc.line)
            except Exception as exc:  # third-party code
                troubles.append(f"{name} cannot be used: {type(exc).__name__}: {exc}")
        self.lanes, self.troubles = found, tuple(troubles)

    def _lanes_of(self, name: str) -> dict[str, tuple[str, str | None]]:
        """Raises BackendNotInstalled, and whatever its adapter does."""
        self._catalog.check_installed(name)
        models = self._catalog.info(name).models
        there = [each for each in models if self._catalog.missing(name, each) is None]
        return {keys.lane(name, model): (name, model) for model in [None, *there]}

    def is_warm(self, backend: str, model: str | None) -> bool:
        key = self._key(backend, model)
        return any(key in pool.loaded for pool in self._pools)

    def load_s(self, backend: str, model: str | None) -> float | None:
        """How long its model took to load; None: it is not loaded."""
        name = self._catalog.host_of(backend)
        taken = [
            host["load_s"]
            for pool in self._pools
            for host in pool.describe()
            if host["backend"] == name and host["load_s"] is not None
        ]
        return max(taken, default=None)

    def _key(self, backend: str, model: str | None) -> str:
        return model_key(self._catalog.host_of(backend), self.settings(backend, model))

    @contextlib.contextmanager
    def taking(self, backend: str, model: str | None) -> Iterator[Pool]:
        """A pool for exclusive use in the block, with the model loaded if there is one."""
        key = self._key(backend, model)
        with self._changed:
            self._changed.wait_for(lambda: bool(self._free))
            pool = next((each for each in self._free if key in each.loaded), self._free[0])
            self._free.remove(pool)
        try:
            yield pool
            self._failed_at.pop(key, None)
        except (LoadFailed, OutOfMemory):
            if key not in pool.loaded:
                self._failed_at[key] = time.monotonic()
            raise
        finally:
            with self._changed:
                self._free.append(pool)
                self._changed.notify()

    def is_failing(self, backend: str, model: str | None) -> bool:
        """Its model did not fit or did not load a short time ago."""
        failed_at = self._failed_at.get(self._key(backend, model), -math.inf)
        return time.monotonic() - failed_at < FAILING_S

    def unload_due(self) -> list[str]:
        """Returns the backends of the models that were unloaded."""
        unloaded = []
        for pool in self._pools:
            pool.keep_alive_s = self.keep_alive_s
            unloaded += pool.unload_due()
        return unloaded

    @property
    def devices(self) -> list[str]:
        """Where its models run, for those that are loaded."""
        hosts = [host for pool in self._pools for host in pool.describe()]
        return sorted({str(host["device"]) for host in hosts if host["device"]})

    def close(self) -> None:
        for pool in self._pools:
            pool.close()
