"""The warm pool: which hosts are up, which to unload, and when.

Knows models and memory. Does not know jobs, nor whether a host is a subprocess or far away. One
synthesis runs at a time, so at most one host is busy.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Collection
from typing import Any, Protocol

from ..backends.base import Progress, Settings, Utterance
from ..errors import OutOfMemory
from . import memory
from .base import Host, HostFactory

log = logging.getLogger(__name__)

HEADROOM_MB = 500.0
"""Kept free beside a model's predicted need: its working memory grows in use."""


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

    One thread acquires and releases hosts. Every other method may be called from any thread.
    """

    def __init__(
        self,
        start_host: HostFactory,
        needs: memory.Needs,
        free_memory: FreeMemory = measure_free,
    ) -> None:
        self.keep: Collection[str] = ()
        """Backends whose hosts are unloaded only when memory runs out."""
        self._start_host = start_host
        self._needs = needs
        self._free_memory = free_memory
        self._hosts: dict[str, Host] = {}
        self._busy: str | None = None
        self._lock = threading.RLock()

    def acquire(
        self,
        name: str,
        settings: Settings,
        on_progress: Progress,
        wish: Utterance | None = None,
    ) -> Host:
        """A host of this model, the warm one if there is one, with all that the wish needs loaded.

        `wish`: the request as an utterance without text; None: only to have the model warm.
        Release the host afterwards. If memory runs out while it loads, all others are unloaded
        and it is loaded once more. Raises BackendNotInstalled, LoadFailed, HostCrashed,
        HostTimeout, OutOfMemory.
        """
        key = model_key(name, settings)
        with self._lock:
            host = self._hosts.get(key)
            if host is not None and not (_is_usable(host) and host.settings == settings):
                self._drop(key)
                host = None
            if host is None:
                self._make_room(name, settings)
            self._busy = key
        load = functools.partial(self._load, key, name, settings, on_progress, wish)
        try:
            try:
                return load(host)
            except OutOfMemory:
                # A warm host is gone with what it held besides. That may have been too much.
                if not self.unload(everything=True) and host is None:
                    raise
            log.info("%s: out of memory, all other models unloaded: once more", key)
            return load(None)
        except BaseException:
            self._busy = None
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

    def release(self, host: Host) -> None:
        """A job's synthesis is over. The host stays warm if it is still alive."""
        with self._lock:
            self._busy = None
            for key, known in list(self._hosts.items()):
                if known is host:
                    host.end_job()
                    self._needs.put(key, host.rss_mb, host.vram_mb)
                    if not host.is_alive:
                        self._drop(key)

    def abort(self) -> None:
        """Kill the busy host, also while it loads. Its job fails or is tried again."""
        with self._lock:
            host = self._hosts.get(self._busy) if self._busy else None
        if host is not None:
            host.kill()

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
        """Keys of hosts that may be unloaded, least recently used first."""
        with self._lock:
            idle = [
                (host.last_used, key)
                for key, host in self._hosts.items()
                if key != self._busy and host.name not in self.keep
            ]
        return [key for _, key in sorted(idle)]

    def unload(self, idle_for_s: float = 0.0, everything: bool = False) -> list[str]:
        """Unload hosts that have been idle so long, unless their backend is in `keep`.

        Hosts whose backend was removed or installed anew are unloaded in any case; with
        `everything` all are, except a busy one. Their memory is free when this returns. Returns
        the names of their backends.
        """
        unloaded = []
        with self._lock:
            for key, host in list(self._hosts.items()):
                if key == self._busy:
                    continue
                due = host.idle_s >= idle_for_s and host.name not in self.keep
                if everything or due or not _is_usable(host):
                    self._drop(key)
                    unloaded.append(host.name)
        return unloaded

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
        """A dict for each host that is up (see `Host.describe`)."""
        # Without the lock: /health must answer while a host is being killed or loaded.
        return [host.describe() for host in list(self._hosts.values())]


def _is_usable(host: Host) -> bool:
    """The host is alive, and its backend was not removed or installed anew."""
    return host.is_alive and host.is_current
