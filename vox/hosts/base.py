"""What a host is: one backend and its model, warm, wherever they live.

The contract between those who use a host (the pool and the engine) and those who make one.
`handle.Handle` is a host in a subprocess of this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol

from ..backends.base import Chunk, Progress, Settings, Utterance


def no_progress(_text: str, _fraction: float | None) -> None:
    """The progress of loading, for nobody."""


def nothing() -> None:
    """What to do when a request has begun, if there is nothing to do."""


class Host(Protocol):
    """One backend and its model.

    A host is loaded and then synthesizes one utterance at a time. One thread at a time uses it;
    `cancel`, `kill`, `answers`, `describe` and the properties may be used from any thread.
    A host that is not alive never becomes alive again: a new one takes its place.
    """

    @property
    def name(self) -> str:
        """The backend's name."""

    @property
    def settings(self) -> Settings:
        """What it was started with. Other settings need another host."""

    @property
    def is_alive(self) -> bool:
        """False once its process or connection is gone."""

    @property
    def is_current(self) -> bool:
        """False if its backend was removed or installed anew since the host was started.

        Also if its model lies in a folder of the user's own, and the files there are others now.
        """

    @property
    def device(self) -> str | None:
        """Where the model runs, for example "cpu" or "cuda:0"; None before it is loaded."""

    @property
    def load_s(self) -> float | None:
        """Seconds that loading has taken so far; None before the model is loaded."""

    @property
    def rss_mb(self) -> float | None:
        """Memory of this machine that it uses, in megabytes; None if unknown."""

    @property
    def vram_mb(self) -> float | None:
        """Memory of this machine's GPU that it uses, in megabytes; None if unknown."""

    @property
    def last_used(self) -> float:
        """When it was last used (`time.monotonic`)."""

    @property
    def idle_s(self) -> float:
        """Seconds since it was last used; 0 while it loads or synthesizes."""

    @property
    def cut_off(self) -> bool:
        """The last utterance ended at a limit of the backend's: see `Backend.cut_off`."""

    @property
    def made_on(self) -> str | None:
        """Who made the last utterance, if that was a worker on another machine."""

    def take_notes(self) -> list[str]:
        """What loading it gave the caller to know; empty from then on."""

    def load(self, wish: Utterance | None = None, on_progress: Progress = no_progress) -> None:
        """Load the model; on a loaded host whatever `wish` needs besides, which is mostly nothing.

        `wish`: a request as an utterance without text; None: whatever is usual. Raises HostCrashed,
        HostTimeout or OutOfMemory (the host is dead), LoadFailed or BackendNotInstalled (it is
        dead unless it was loaded before).
        """

    def synthesize(
        self, utterance: Utterance, on_begun: Callable[[], None] = nothing
    ) -> Generator[Chunk, None, None]:
        """Yield the utterance's chunks as they are made.

        `on_begun`: called once `cancel` would end it, before anything is made. What was cancelled
        before that may raise there, and then nothing is made.

        Closing the generator stops the work. Raises SynthesisFailed (the host lives on),
        HostCrashed, HostTimeout or OutOfMemory (the host is dead).
        """

    def cancel(self) -> None:
        """End the current synthesis soon, if need be by killing the host.

        So also a `load` on a loaded host, but never the first, which may take minutes.
        """

    def end_job(self) -> None:
        """A job's synthesis is over: count the job; the host is idle from now on."""

    def close(self) -> None:
        """End the host in order if it is idle, else kill it. Then its memory is free."""

    def kill(self) -> None:
        """End the host now, whatever it does. Then its memory is free."""

    def answers(self, timeout_s: float = 2.0) -> bool:
        """Whether the host reacts in time. True for one that is alive and busy."""

    def describe(self) -> dict[str, Any]:
        """The host as `/health` and `vox daemon status` show it (see `Handle.describe`)."""


class HostFactory(Protocol):
    """Starts hosts. The pool gets all its hosts from one factory."""

    def __call__(self, name: str, settings: Settings) -> Host:
        """A new host for the backend, not loaded yet.

        Raises UnknownBackend, BackendNotInstalled and whatever `Backend.prepare` raises.
        """
