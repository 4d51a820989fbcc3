"""Who calls a tool: where its jobs are and under which name they are sent. One for each call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..client.front import Front
from ..config import LiveConfig
from ..paths import Paths
from ..voices.catalog import Catalog

Report = Callable[[float, str], Awaitable[None]]
"""Tells the caller's host how far a call is: seconds that it takes so far, and what is done."""


@dataclass
class Caller:
    paths: Paths
    source: str
    """The name under which it sends jobs, unless it gives another one."""
    report: Report
    is_leaving: Callable[[], bool]
    """Whether this process is leaving, and not the caller."""
    notes: list[str] = field(default_factory=list)
    """What the user should know, by `client`."""

    def __post_init__(self) -> None:
        # This process has no business with sound: what it sends is heard in a daemon.
        self.jobs = Front(self.paths, self.notes.append, speaks_here=False)

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.paths, LiveConfig(self.paths.config_path))
