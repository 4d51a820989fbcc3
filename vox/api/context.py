"""What routes need of the process that serves them, as Protocols.

The daemon is the `Context` of its API; tests bring their own. Routes know nothing else of either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from ..audio.spool import SpoolDir
from ..audio.utterances import UtteranceCache
from ..config import Config
from ..jobs import Changes, Job, Request, Wanted
from ..paths import Paths
from ..queue.events import Bus
from ..queue.texts import Grown
from ..sound_variables import Environment
from ..voices.catalog import Catalog
from . import event_streams


class History(Protocol):
    """All jobs, newest first. Every method raises StorageError if the disk fails."""

    def jobs(self, limit: int | None, wanted: Wanted) -> list[Job]: ...

    def pages(self, limit: int | None, wanted: Wanted, before: int | None) -> Iterator[list[Job]]:
        """As `jobs`, some jobs at a time, and only those made before that `seq`."""

    def last_of_page(self, limit: int, wanted: Wanted, before: int | None) -> str | None:
        """The id of the last of the first `limit` of these; None if there are no more."""

    def stats(self) -> dict[str, Any]:
        """What it adds up to."""

    def counts_by_backend(self) -> dict[tuple[str, str], int]:
        """How many jobs there are by (state, backend)."""


class JobTable(event_streams.JobTable, Protocol):
    """The queue and the history. Every method raises StorageError if the disk fails."""

    @property
    def history(self) -> History: ...

    def show(self, job: Job) -> dict[str, Any]:
        """The job as a JSON object, with its outlook."""

    def shown(self, jobs: Iterable[Job]) -> Iterator[dict[str, Any]]:
        """The jobs as JSON objects, with their outlooks."""

    def shown_queue(self) -> Iterator[dict[str, Any]]:
        """The live jobs as JSON objects, in the order of hearing."""

    def live_counts(self) -> dict[str, int]:
        """How many jobs are in each live state. Quick, and without the table's lock."""

    @property
    def set_aside(self) -> list[str]:
        """The damaged databases that were set aside, oldest first."""


class Player(Protocol):
    """The loudspeaker."""

    @property
    def is_paused(self) -> bool: ...

    def check(self) -> None:
        """Raises NoAudioOutput if nothing can be played now."""

    def describe(self) -> dict[str, Any]: ...

    def offer_environment(self, environ: Environment) -> None:
        """Note the newest caller's sound variables. Quick."""


class Models(Protocol):
    """The warm models."""

    def describe(self) -> list[dict[str, Any]]: ...

    def answers(self, name: str) -> bool | None:
        """Whether the host of a backend answers; None if there is none."""


class Kept(Protocol):
    """The models of the setting `keep`."""

    @property
    def errors(self) -> dict[str, str]:
        """Why one could not be loaded, by its backend."""


class Warming(Protocol):
    """The loading of one model."""

    def run(self, on_progress: Callable[[str, float | None], None]) -> dict[str, Any]: ...
    def cancel(self) -> None: ...


class WarmModels(Protocol):
    """Loads and unloads models. See `engine.warming.Models` for what its methods do and raise."""

    def warming(
        self, backend: str, model: str | None, voice: str | None, keep_alive_s: float | None
    ) -> Warming: ...
    def unload(self, backend: str | None = ...) -> tuple[list[dict[str, Any]], list[str]]: ...


class Fleet(Protocol):
    """The workers on other machines."""

    def describe(self) -> dict[str, Any]:
        """As of the last look at their server. Quick. See `fleet.summary`."""

    def look(self) -> dict[str, Any]:
        """As `describe`, once it is known whether the server is there."""


class Sources(Protocol):
    """Whose jobs are held back or not heard. See `engine.sources.Sources`."""

    @property
    def paused(self) -> list[str]: ...
    @property
    def muted(self) -> list[str]: ...

    def is_held(self, job: Job) -> bool: ...
    def pause(self, source: str) -> None: ...
    def resume(self, source: str) -> None: ...
    def mute(self, source: str, is_muted: bool) -> None: ...
    def remind(self) -> None: ...


class Engine(Protocol):
    """The queue at work. See `engine.Engine` for what its methods do and raise."""

    @property
    def damage(self) -> str | None: ...

    @property
    def bus(self) -> Bus: ...
    @property
    def store(self) -> JobTable: ...
    @property
    def player(self) -> Player: ...
    @property
    def pool(self) -> Models: ...
    @property
    def models(self) -> WarmModels: ...
    @property
    def kept(self) -> Kept: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def sources(self) -> Sources: ...
    @property
    def spools(self) -> SpoolDir: ...
    @property
    def utterances(self) -> UtteranceCache: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def is_started(self) -> bool: ...
    @property
    def is_healthy(self) -> bool: ...

    def overview(self) -> dict[str, Any]: ...
    def submit(self, request: Request) -> Job: ...
    def append_text(self, job_id: str, at: int, text: str) -> Grown: ...
    def flush_text(self, job_id: str) -> None: ...
    def end_text(self, job_id: str, note: str = ...) -> None: ...
    def release(self, job_id: str) -> None: ...
    def cancel(self, job_id: str, reason: str = ...) -> Job: ...
    def cancel_all(self, source: str | None = ...) -> list[Job]: ...
    def skip(self) -> Job | None: ...
    def move(self, steps: int) -> Job: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def replay(self, job_id: str, caller: str | None = ..., changes: Changes = ...) -> Job: ...
    def export_audio(self, job_id: str) -> str: ...
    def clear(self, older_than_s: float | None = ...) -> list[str]: ...


class Inbox(Protocol):
    """The folder whose files are spoken."""

    def describe(self) -> dict[str, Any]: ...

    def retry(self) -> list[str]:
        """Put every failed file back; returns their names. Raises StorageError."""


class Context(Protocol):
    """The process that serves the API."""

    @property
    def paths(self) -> Paths: ...
    @property
    def config(self) -> Callable[[], Config]: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def broadcaster(self) -> event_streams.Broadcaster: ...

    @property
    def uptime_s(self) -> float: ...

    @property
    def idle_timeout_s(self) -> float:
        """Seconds without activity after which the process leaves; -1: never."""

    @property
    def stays_for(self) -> list[str]:
        """The settings because of which it never leaves by itself."""

    @property
    def is_leaving(self) -> bool: ...

    @property
    def http(self) -> dict[str, Any]:
        """The API's address on TCP, or the error that keeps it from being served there."""

    @property
    def wyoming(self) -> dict[str, Any]:
        """As `http`, of the Wyoming server."""

    def touch(self) -> None:
        """Note activity: the idle timeout begins anew."""

    async def wake(self) -> None:
        """Check the queue now: another process has written to it."""

    def expect_model(self) -> None:
        """Do not leave before the model is loaded that is asked for now."""

    def stop(self, now: bool = False) -> None:
        """Leave, after the current job unless `now`."""

    def stop_when_drained(self) -> None:
        """Leave once the queue is empty."""
