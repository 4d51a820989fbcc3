"""The warm pool: which hosts are up, which to unload, and when.

Knows models and memory. Does not know jobs, nor whether a host is a subprocess or far away. One
host is busy, or several that share nothing: see `turns`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Protocol

from ..backends.base import Progress, Settings, Utterance
from ..errors import HostCrashed, OutOfMemory
from ..jobs import iso
from . import memory
from .base import Host, HostFactory
from .turns import Rank, Turns

log = logging.getLogger(__name__)

HEADROOM_MB = 500.0
"""Kept free beside a model's predicted need: its working memory grows in use."""


WANTED_S = 60.0
"""A model that somebody waits for stays at least so long, whatever was asked for it."""

MOST_S = 1e9
"""A host that is to stay longer than this, 31 years, stays forever."""


class FreeMemory(Protocol):
    """Returns the free (RAM, VRAM) for a device in megabytes, None where unknown."""

    def __call__(self, device: str) -> tuple[float | None, float | None]: ...


def measure_free(device: str) -> tuple[float | None, float | None]:
    vram = memory.free_vram_mb(device if device.startswith("cuda") else "cuda")
    return memory.free_ram_mb(), vram


def model_key(name: str, settings: Settings) -> str:
    return f"{name}/{settings.model or 'default'}/{settings.device}"


class Pool:
    """Warm hosts by backend, model and device.

    Who acquires a host has the turn until it is released. Every other method may be called from
    any thread at any time.
    """

    def __init__(
        self,
        start_host: HostFactory,
        needs: memory.Needs,
        free_memory: FreeMemory = measure_free,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.turns = Turns()
        self.keep_alive_s = math.inf
        """How long an idle host stays, in seconds, unless `stay` was told otherwise."""
        self.keep: Collection[str] = ()
        """Backends whose hosts stay for ever unless `stay` was told otherwise, and are not unloaded
        to make room for others."""
        self._start_host = start_host
        self._needs = needs
        self._free_memory = free_memory
        self._clock = clock
        self._hosts: dict[str, Host] = {}
        self._asked_s: dict[str, float] = {}
        """What `stay` was told, by model. A host that crashes or makes room leaves it behind."""
        self._busy: set[str] = set()
        self._lock = threading.RLock()

    def turn(
        self, name: str, settings: Settings, check_wanted: Callable[[], None], rank: Rank
    ) -> contextlib.AbstractContextManager[None]:
        """Have the turn for this model (see `Turns.take`), which is warm or will be loaded.

        Beside others only if it is warm, and they use other hosts and no GPU that it uses.
        """
        key = model_key(name, settings)
        return self.turns.take(check_wanted, rank, key, functools.partial(self.shares_nothing, key))

    def shares_nothing(self, key: str, others: Collection[str]) -> bool:
        """Whether the model of that key is warm and needs nothing that the others need."""
        with self._lock:
            host = self._hosts.get(key)
            if host is None or host.device is None or key in others or not _is_usable(host):
                return False
            devices = [self._hosts[each].device if each in self._hosts else None for each in others]
            return host.device == "cpu" or all(device == "cpu" for device in devices)

    def acquire(
        self,
        name: str,
        settings: Settings,
        on_progress: Progress,
        wish: Utterance | None = None,
        keep_alive_s: float | None = None,
    ) -> Host:
        """A host of this model, the warm one if there is one, with all that the wish needs loaded.

        `wish`: the request as an utterance without text; None: only to have the model warm.
        `keep_alive_s`: see `stay`. Release the host afterwards. If memory runs out while it loads,
        all others are unloaded and it is loaded once more. Raises BackendNotInstalled, LoadFailed,
        HostCrashed, HostTimeout, OutOfMemory.
        """
        key = model_key(name, settings)
        with self._lock:
            host = self._hosts.get(key)
            if host is not None and not (_is_usable(host) and host.settings == settings):
                self._drop(key)
                host = None
            if host is None:
                self._make_room(name, settings)
            self._busy.add(key)
            self.stay(key, keep_alive_s)
        load = functools.partial(self._load, key, name, settings, on_progress, wish)
        try:
            try:
                return load(host)
            except OutOfMemory:
                # A warm host is gone with what it held besides. That may have been too much.
                if not self.unload_idle() and host is None:
                    raise
            log.info("%s: out of memory, all other models unloaded: once more", key)
            return load(None)
        except BaseException:
            with self._lock:
                self._busy.discard(key)
                if key not in self._hosts:
                    self._asked_s.pop(key, None)
            raise

    def _load(
        self,
        key: str,
        name: str,
        settings: Settings,
        on_progress: Progress,
        wish: Utterance | None,
        host: Host | None,
    ) -> Host:
        """Load what the wish needs on the warm host, or on a new one."""
        if host is None:
            host = self._start_host(name, settings)
            with self._lock:
                self._hosts[key] = host
        loaded_s = host.load_s
        try:
            host.load(wish, on_progress)
        except BaseException:
            if loaded_s is None or not host.is_alive:
                host.kill()
                self._drop(key)
            raise
        if loaded_s is None:
            log.info("%s loaded in %.1f s on %s", key, host.load_s or 0.0, host.device)
        return host

    def release(self, host: Host, has_spoken: bool = True) -> None:
        """The host is idle from now on. It stays warm if it is still alive."""
        with self._lock:
            for key, known in list(self._hosts.items()):
                if known is host:
                    self._busy.discard(key)
                    if has_spoken:
                        host.end_job()
                    self._needs.put(key, host.rss_mb, host.vram_mb)
                    if not host.is_alive:
                        self._drop(key)

    def cancel(self, name: str, settings: Settings) -> None:
        """Cancel what the busy host of this model does (see `Host.cancel`)."""
        for host in self._busy_hosts(model_key(name, settings)):
            host.cancel()

    def abort(self, key: str | None = None) -> None:
        """Kill the busy host of this model, also while it loads; None: all that are busy.

        Its job fails or is tried again.
        """
        for host in self._busy_hosts(key):
            host.kill()

    def _busy_hosts(self, key: str | None) -> list[Host]:
        with self._lock:
            keys = self._busy if key is None else self._busy & {key}
            return [self._hosts[each] for each in keys if each in self._hosts]

    def _make_room(self, name: str, settings: Settings) -> None:
        """Unload idle models, least recently used first, until the predicted need fits."""
        ram_need, vram_need = self._needs.get(model_key(name, settings))
        if not ram_need and not vram_need:
            return
        for key in self._idle_keys():
            ram_free, vram_free = self._free_memory(settings.device)
            ram_fits = ram_free is None or ram_free >= ram_need + HEADROOM_MB
            vram_fits = vram_free is None or vram_free >= vram_need + HEADROOM_MB
            if ram_fits and vram_fits:
                return
            log.info("unloading %s to make room for %s", key, name)
            self._drop(key)

    def _idle_keys(self) -> list[str]:
        """Keys of hosts that may be unloaded, least recently used first.

        Those that somebody asked to stay come last.
        """
        with self._lock:
            idle = [
                (self._asked_s.get(key, 0.0) != 0.0, host.last_used, key)
                for key, host in self._hosts.items()
                if key not in self._busy and host.name not in self.keep
            ]
        return [key for *_, key in sorted(idle)]

    # -- how long hosts stay ------------------------------------------------------------------

    def stay(self, key: str, keep_alive_s: float | None) -> None:
        """Keep the host of this model for so many seconds after each use, if it is up.

        Below 0: forever, until memory runs out; 0: unload it once it is idle; None: as before.
        """
        with self._lock:
            if keep_alive_s is not None and (key in self._hosts or key in self._busy):
                is_endless = keep_alive_s < 0 or keep_alive_s > MOST_S
                self._asked_s[key] = math.inf if is_endless else keep_alive_s

    @property
    def kept_for_s(self) -> float:
        """For how many seconds a host has to stay because of `stay`; inf: for ever."""
        # Without the lock: a daemon must answer while a host is being killed or loaded.
        hosts = [(self._asked_s.get(key), host) for key, host in list(self._hosts.items())]
        left_s = (asked_s - host.idle_s for asked_s, host in hosts if asked_s and host.is_alive)
        return max([0.0, *left_s])

    def _stays_s(self, key: str, host: Host) -> float:
        usual_s = math.inf if host.name in self.keep else self.keep_alive_s
        return self._asked_s.get(key, usual_s)

    def unload_due(self, is_wanted: Callable[[str], bool] = lambda _key: False) -> list[str]:
        """Unload the hosts whose time is over, or whose backend was removed or installed anew.

        `is_wanted`: whether somebody waits for a model, by its key; see WANTED_S. Memory is free
        when this returns. Returns the names of their backends.
        """
        unloaded = []
        with self._lock:
            for key, host in list(self._hosts.items()):
                if key in self._busy:
                    continue
                idle_s = host.idle_s
                is_due = idle_s >= self._stays_s(key, host)
                if is_due and key in self._asked_s and idle_s < WANTED_S and is_wanted(key):
                    is_due = False
                if is_due:
                    self._asked_s.pop(key, None)
                if is_due or not _is_usable(host):
                    self._drop(key)
                    unloaded.append(host.name)
        return unloaded

    def unload_idle(self) -> bool:
        """Unload all hosts but for a busy one, for memory ran out; False if there was none.

        How long they are to stay holds for when they are loaded again.
        """
        with self._lock:
            idle = [key for key in self._hosts if key not in self._busy]
            for key in idle:
                self._drop(key)
        return bool(idle)

    def unload(self, name: str | None = None) -> tuple[list[dict[str, Any]], list[str]]:
        """Unload the hosts of a backend, None: of all, and a busy one once it is idle.

        The memory of the others is free when this returns, and forgotten is how long they were to
        stay. Returns what they were (see `describe`), and the names of the backends with a busy
        one.
        """

        def is_meant(key: str) -> bool:
            return name is None or key.startswith(f"{name}/")

        with self._lock:
            idle = [key for key in self._hosts if key not in self._busy and is_meant(key)]
            unloaded = [self._describe(key, self._hosts[key]) for key in idle]
            for key in idle:
                self._drop(key)
            for key in filter(is_meant, list(self._asked_s)):
                del self._asked_s[key]
            busy = []
            for key in filter(is_meant, self._busy):
                self.stay(key, 0.0)
                busy.append(key.partition("/")[0])
        return unloaded, busy

    @property
    def loaded(self) -> frozenset[str]:
        """The keys of the models that are loaded (see `model_key`)."""
        hosts = list(self._hosts.items())
        return frozenset(key for key, host in hosts if host.is_alive and host.load_s is not None)

    def find(self, key: str) -> dict[str, Any]:
        """The host of that model (see `describe`). Raises HostCrashed if it is gone."""
        with self._lock:
            host = self._hosts.get(key)
            if host is None or not host.is_alive:
                raise HostCrashed(f"the host of {key} is gone")
            return self._describe(key, host)

    def _drop(self, key: str) -> None:
        with self._lock:
            host = self._hosts.pop(key, None)
        if host is not None:
            host.close()

    def answers(self, name: str) -> bool | None:
        """Whether all hosts of that backend answer (see `Host.answers`); None if none is up."""
        hosts = [host for host in list(self._hosts.values()) if host.name == name]
        return all(host.answers() for host in hosts if host.is_alive) if hosts else None

    def close(self) -> None:
        """Kill every host, busy or not."""
        with self._lock:
            hosts, self._hosts = list(self._hosts.values()), {}
        for host in hosts:
            host.kill()

    def describe(self) -> list[dict[str, Any]]:
        """A dict for each host that is up: see `Host.describe`, and how long it stays.

        One that died is told of no more, though it is noticed only when it is asked for again.
        """
        # Without the lock: /health must answer while a host is being killed or loaded.
        hosts = list(self._hosts.items())
        return [self._describe(key, host) for key, host in hosts if host.is_alive]

    def _describe(self, key: str, host: Host) -> dict[str, Any]:
        stays_s = self._stays_s(key, host)
        is_endless, is_used = math.isinf(stays_s), key in self._busy
        left_s = 0.0 if is_endless or is_used else max(0.0, stays_s - host.idle_s)
        return {
            **host.describe(),
            "keep_alive_s": -1 if is_endless else stays_s,
            "expires_at": None if is_endless or is_used else iso(round(self._clock() + left_s)),
        }


def _is_usable(host: Host) -> bool:
    """The host is alive, and its backend and model are still those it was started with."""
    return host.is_alive and host.is_current
