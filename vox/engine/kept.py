"""The models of the setting `keep`: loaded when the daemon has nothing else to do, one by one.

A job that needs another model does not wait for such a load: it is given up, and tried again later.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ..config import Config
from ..errors import DaemonLeaving, JobCancelled, VoxError, WorkersAway
from .warming import Models, Warming, WarmingElsewhere

log = logging.getLogger(__name__)

LOOK_S = 0.1
"""How often it looks, while it loads a model, whether a job waits for another one."""


class Kept:
    """Loads each of these models once. `look` is called every second or so, by one thread."""

    def __init__(self, models: Models, config: Callable[[], Config]) -> None:
        self._models = models
        self._config = config
        self._loaded: set[str] = set()
        self._thread: threading.Thread | None = None
        self.errors: dict[str, str] = {}
        """Why a model could not be loaded, by its backend."""

    def look(self) -> None:
        """Begin to load the next one, if nobody needs the pool. Raises StorageError."""
        names = self._config()["keep"]
        for old in self.errors.keys() - set(names):  # in place: `_load` may add one just now
            self.errors.pop(old, None)
        if self._thread is not None and self._thread.is_alive():
            return
        missing = (name for name in names if name not in self._loaded and name not in self.errors)
        name = next(missing, None)
        if name is None or self._models.pool.turns.is_taken or self._models.wanted():
            return
        self._thread = threading.Thread(target=self._load, args=(name,), name="keep", daemon=True)
        self._thread.start()

    def _load(self, name: str) -> None:
        try:
            warming = self._models.warming(name, None, None, None)
            with self._giving_way(warming):
                warming.run(lambda _text, _fraction: None)
            self._loaded.add(name)
        except JobCancelled:
            log.info("keep: the load of %s gave way to a job", name)
        except (DaemonLeaving, WorkersAway):
            pass  # once there are workers, they load it
        except VoxError as exc:
            self.errors[name] = exc.line
            log.error("keep: %s is not loaded: %s", name, exc.line)
        except Exception as exc:
            self.errors[name] = f"{type(exc).__name__}: {exc}"
            log.exception("keep: %s is not loaded", name)

    def _giving_way(self, warming: Warming | WarmingElsewhere) -> _GivingWay:
        return _GivingWay(warming, lambda: self._models.pool.turns.is_awaited)


class _GivingWay:
    """Cancels the load while the block runs, as soon as somebody else waits for a turn."""

    def __init__(self, warming: Warming | WarmingElsewhere, is_awaited: Callable[[], bool]) -> None:
        self._warming = warming
        self._is_awaited = is_awaited
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="keep-watch", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(LOOK_S):
            if self._is_awaited():
                try:
                    self._warming.cancel()
                except VoxError as exc:
                    log.error("keep: %s", exc.line)
