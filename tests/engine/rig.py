"""An engine with fake hosts: all of it is real but the models."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from vox.config import KEYS, Config
from vox.engine.engine import Engine
from vox.jobs import Job, Request
from vox.paths import get_paths
from vox.queue.events import Bus, Event
from vox.queue.store import Store

from .fakes import LIMIT_S, FakeHosts

ONE, TWO, THREE = "Here is number one.", "Here is number two.", "Here is number three."


LOOK_S = 0.02


class Rig:
    """An engine on the test's own home, and ways to wait for what it does."""

    def __init__(self) -> None:
        self.paths = get_paths()
        self.settings: dict[str, Any] = {name: key.default for name, key in KEYS.items()}
        self.backends: dict[str, dict[str, Any]] = {}
        """Their tables in config.toml."""
        self.sources: dict[str, dict[str, Any]] = {}
        """Likewise."""
        self.options: dict[str, Any] = {}
        """Of the engines that are made."""
        self.hosts = FakeHosts()
        self.bus = Bus()
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self.bus.subscribe(self._note)
        self.engines: list[Engine] = []

    def _note(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def config(self) -> Config:
        return Config(self.settings, self.backends, sources=self.sources)

    def make_engine(self, **options: Any) -> Engine:
        """An engine that is closed at the end; `start` it yourself."""
        options = {**self.options, **options}
        engine = Engine(self.paths, self.config, self.bus, hosts=self.hosts, **options)
        self.engines.append(engine)
        return engine

    def close(self, engine: Engine) -> None:
        self.engines.remove(engine)
        engine.close()

    def close_all(self) -> None:
        for engine in list(self.engines):
            self.close(engine)

    def store(self) -> Store:
        """The job table as another process has it."""
        return Store(self.paths.db_path)

    # -- waiting -----------------------------------------------------------------------------

    def until(self, is_so: Callable[[], Any]) -> None:
        """Wait for it; it is asked again after every event, and now and then besides."""
        deadline = time.monotonic() + LIMIT_S
        with self._changed:
            while not self._changed.wait_for(is_so, LOOK_S):
                assert time.monotonic() < deadline, self.states()

    def until_state(self, job: Job, *states: str) -> dict[str, Any]:
        """Wait until an event says that the job is in one of the states; the event's job."""

        def found() -> dict[str, Any] | None:
            mine = (e.data for e in self.events if e.job_id == job.id and e.name == "state")
            return next((data for data in mine if data["state"] in states), None)

        self.until(found)
        data = found()
        assert data is not None
        return data

    def until_ended(self, job: Job) -> dict[str, Any]:
        return self.until_state(job, "done", "failed", "cancelled", "expired")

    def until_prepared(self, job: Job) -> None:
        """Wait until all of the job's audio is made."""
        self.until(
            lambda: any(
                event.job_id == job.id and event.data.get("audio_s") is not None
                for event in self.events
            )
        )

    def states(self, job: Job | None = None) -> list[str]:
        """The states that events told of, in order: of one job or of all."""
        return [
            event.data["state"]
            for event in self.events
            if event.name == "state" and (job is None or event.job_id == job.id)
        ]


def request(*sentences: str, **fields: Any) -> Request:
    return Request(text=" ".join(sentences or (ONE,)), **{"backend": "scripted", **fields})
