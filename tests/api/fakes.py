"""A context without a daemon: the real job table, bus and spool folder, the rest scripted."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from vox.api.app import make_app
from vox.api.context import Context
from vox.api.event_streams import Broadcaster
from vox.audio.spool import SpoolDir
from vox.audio.utterances import UtteranceCache
from vox.config import Config, load
from vox.errors import NoAudioOutput, NothingSpoken
from vox.fleet.summary import summary
from vox.jobs import AS_IT_WAS, Changes, Job, Request
from vox.paths import Paths, get_paths
from vox.queue.events import Bus
from vox.queue.store import Store
from vox.voices.catalog import Catalog

T = TypeVar("T")
TIMEOUT_S = 20.0


@dataclass
class FakePlayer:
    is_paused: bool = False
    fault: str = ""
    checks: int = 0
    environments: list[dict[str, str]] = field(default_factory=list)

    def check(self) -> None:
        self.checks += 1
        if self.fault:
            raise NoAudioOutput(self.fault)

    def describe(self) -> dict[str, Any]:
        return {"device": "fake"}

    def offer_environment(self, environ: dict[str, str]) -> None:
        self.environments.append(environ)


@dataclass
class FakeModels:
    models: list[dict[str, Any]] = field(default_factory=list)
    answer: bool | None = None

    def describe(self) -> list[dict[str, Any]]:
        return self.models

    def answers(self, name: str) -> bool | None:
        return self.answer


class FakeWarming:
    """Tells of its progress, and ends once a test lets it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.may_end = threading.Event()
        self.is_cancelled = threading.Event()
        self._error = error

    def run(self, on_progress: Callable[[str, float | None], None]) -> dict[str, Any]:
        on_progress("loading scripted", 0.5)
        assert self.may_end.wait(TIMEOUT_S)
        if self._error is not None:
            raise self._error
        return {"backend": "scripted"}

    def cancel(self) -> None:
        self.is_cancelled.set()
        self.may_end.set()


@dataclass
class FakeKept:
    errors: dict[str, str] = field(default_factory=dict)


class FakeWarmModels:
    def __init__(self) -> None:
        self.next = FakeWarming()
        self.asked: list[Any] = []
        self.unloaded: tuple[list[dict[str, Any]], list[str]] = ([], [])

    def warming(self, *wanted: Any) -> FakeWarming:
        self.asked.append(wanted)
        return self.next

    def unload(self, backend: str | None = None) -> tuple[list[dict[str, Any]], list[str]]:
        self.asked.append(backend)
        return self.unloaded


class FakeFleet:
    def __init__(self) -> None:
        self.summary = summary(None)

    def describe(self) -> dict[str, Any]:
        return self.summary

    def look(self) -> dict[str, Any]:
        return self.summary


class FakeSources:
    def __init__(self) -> None:
        self.paused: list[str] = []
        self.muted: list[str] = []

    def is_held(self, job: Job) -> bool:
        return job.source in self.paused

    def pause(self, source: str) -> None:
        self.paused.append(source)

    def resume(self, source: str) -> None:
        self.paused.remove(source)

    def remind(self) -> None:
        pass

    def mute(self, source: str, is_muted: bool) -> None:
        self.muted.append(source) if is_muted else self.muted.remove(source)


class FakeEngine:
    """Takes jobs and lets them wait; a test moves them on in the table."""

    def __init__(self, paths: Paths, config: Callable[[], Config]) -> None:
        self.bus = Bus("epoch")
        self.store = Store(paths.db_path, self.bus)
        self.spools = SpoolDir(paths.spool_dir, 1_000_000)
        self.utterances = UtteranceCache(paths.utterances_dir, lambda: 1_000_000)
        self.catalog = Catalog(paths, config)
        self.player = FakePlayer()
        self.pool = FakeModels()
        self.kept = FakeKept()
        self.models = FakeWarmModels()
        self.fleet = FakeFleet()
        self.sources = FakeSources()
        self.is_started = True
        self.is_healthy = True
        self.damage: str | None = None
        self.changes: list[Changes] = []
        """Those of the replays that were asked for."""

    def add(self, text: str = "Hello", **fields: Any) -> Job:
        fields = {"id": "", "backend": "scripted", **fields}
        (job,) = self.store.add([Job(text=text, **fields)])
        return job

    def submit(self, request: Request) -> Job:
        return self.add(request.text)

    def cancel(self, job_id: str, reason: str = "cancelled") -> Job:
        return self.store.cancel(self.store.get(job_id).id, reason)

    def cancel_all(self, source: str | None = None) -> list[Job]:
        live = self.store.live()
        return [self.cancel(job.id) for job in live if source in (None, job.source)]

    def skip(self) -> Job | None:
        return None

    def move(self, steps: int) -> Job:
        live = self.store.live()
        if not live:
            raise NothingSpoken("nothing is being spoken")
        live[0].heard = max(0, live[0].heard + steps)
        return live[0]

    def pause(self) -> None:
        self.player.is_paused = True

    def resume(self) -> None:
        self.player.is_paused = False

    def replay(self, job_id: str, caller: str | None = None, changes: Changes = AS_IT_WAS) -> Job:
        self.changes.append(changes)
        return self.add(self.store.get(job_id).text)

    def export_audio(self, job_id: str) -> str:
        return self.spools.new_export(".wav")

    def clear(self, older_than_s: float | None = None) -> list[str]:
        return self.store.forgetting.clear(older_than_s)


class FakeInbox:
    def describe(self) -> dict[str, Any]:
        return {"enabled": False}

    def retry(self) -> list[str]:
        return []


class FakeContext:
    """Notes what it is told. Its coroutines and its broadcaster share a loop: see `run`."""

    def __init__(self, home: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self.paths = get_paths({"VOX_HOME": str(home)})
        self.engine = FakeEngine(self.paths, self.config)
        self.inbox = FakeInbox()
        self.broadcaster = Broadcaster(
            self.engine.store, self.engine.bus, self._loop, queue_limit=100, recheck_s=0.1
        )
        self.uptime_s = 12.3456
        self.idle_timeout_s = 300.0
        self.stays_for: list[str] = []
        self.is_leaving = False
        self.http: dict[str, Any] = {"address": None, "error": None}
        self.wyoming: dict[str, Any] = dict(self.http)
        self.calls: list[str] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What it returns."""
        return self._loop.run_until_complete(asyncio.wait_for(coroutine, TIMEOUT_S))

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        self.engine.store.close()

    def config(self) -> Config:
        return load(self.paths.config_path, {})

    def touch(self) -> None:
        self.calls.append("touch")

    async def wake(self) -> None:
        self.calls.append("wake")

    def expect_model(self) -> None:
        self.calls.append("expect model")

    def stop(self, now: bool = False) -> None:
        self.calls.append("stop now" if now else "stop")

    def stop_when_drained(self) -> None:
        self.calls.append("stop when drained")


@contextlib.asynccontextmanager
async def client_of(context: Context) -> AsyncIterator[httpx.AsyncClient]:
    """Talks to the app as over the control socket."""
    transport = httpx.ASGITransport(make_app(context), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client
