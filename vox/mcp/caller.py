"""Who calls a tool: where its jobs are and under which name they are sent. One for each call."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ..client.front import Front
from ..client.jobs import CallJobs
from ..client.laptop import find
from ..client.serving import knowing_workers
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
    environ: Mapping[str, str] = field(default_factory=dict)
    """The caller's, if it is known: it tells whether a laptop hears it."""

    @functools.cached_property
    def jobs(self) -> CallJobs:
        """Raises DaemonUnavailable if there is a laptop that does not answer."""
        # This process has no business with sound: what it sends is heard in a daemon.
        here = Front(self.paths, self.notes.append, speaks_here=False)
        return find(self.paths, self.environ) or here

    @property
    def catalog(self) -> Catalog:
        return knowing_workers(Catalog(self.paths, LiveConfig(self.paths.config_path)), self.paths)
