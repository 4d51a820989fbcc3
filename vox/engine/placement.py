"""Where a job is made: by a host of this machine, or by workers on others.

Who can speak at all decides first, then the setting `placement`, then where it is done sooner.
Knows no jobs' texts and no Redis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..config import Config
from ..errors import VoxError, WorkersAway
from ..fleet import keys
from ..hosts.launch import limits_of
from ..hosts.pool import Pool, model_key
from ..jobs import Job
from ..voices.catalog import Catalog
from .fleet import Fleet
from .rates import Pace, Rates

if TYPE_CHECKING:
    from ..fleet.workers import Announced
    from ..hosts.remote import RemoteHost
    from .fleet import Session

Place = Literal["local", "remote"]
MOST_JOBS = 16
"""Most jobs that workers make at once: each may hold 32 utterances."""


class Verdict(NamedTuple):
    """Where a model's jobs are made now; `place` is None while they have to wait."""

    place: Place | None
    reason: VoxError | None = None
    """Why they wait, or why not on workers."""


class Placement:
    """Any thread may use it."""

    def __init__(
        self,
        catalog: Catalog,
        pool: Pool,
        rates: Rates,
        fleet: Fleet,
        config: Callable[[], Config],
    ) -> None:
        self.fleet = fleet
        self._catalog = catalog
        self._pool = pool
        self._rates = rates
        self._config = config

    def where(self, backend: str, model: str | None, voice: str | None = None) -> Verdict:
        """Where a job of that model and voice is to be made now.

        Raises UnknownBackend, BadConfig.
        """
        wish = self._config()["placement"] if self.fleet.is_set else "local"
        if wish == "local":
            return Verdict("local")
        is_ready = self._catalog.is_ready(backend, model, voice)
        if not (is_ready or self._catalog.may_be_elsewhere(backend)):
            return Verdict("local")  # where it fails, with what is to be installed
        if wish == "auto" and is_ready and self._catalog.info(backend).light:
            return Verdict("local")
        lane = keys.lane(backend, self._catalog.model(backend, model))
        trouble = self.fleet.trouble()
        if trouble is None and self.fleet.serves(lane):
            if is_ready and wish == "auto" and self._is_sooner_here(backend, model, lane):
                return Verdict("local")
            return Verdict("remote")
        if is_ready:
            return Verdict("local", trouble)
        return Verdict(None, trouble or WorkersAway(f"no worker serves {lane}"))

    def place_of(self, backend: str, model: str | None, voice: str | None = None) -> Place | None:
        """The same for the gate: a job whose backend is gone, or badly set, fails here."""
        try:
            return self.where(backend, model, voice).place
        except VoxError:
            return "local"

    def obstacle(self, job: Job) -> VoxError | None:
        """Why the job can be made nowhere now; None: it can, or fails here."""
        try:
            place, reason = self.where(job.backend, job.model, job.voice)
        except VoxError:
            return None
        return reason if place is None else None

    def is_here(self, backend: str, model: str | None) -> bool:
        return self.place_of(backend, model) == "local"

    def is_served(self, backend: str) -> bool:
        """Whether workers that are there now speak for the backend. Quick: it does not look."""
        session = self.fleet.session if self._catalog.may_be_elsewhere(backend) else None
        serving = session.workers if session and session.away is None else ()
        return any(each.is_ours and backend in each.backends for each in serving)

    def most_jobs(self) -> int:
        """How many jobs workers may make at once."""
        session = self.fleet.session
        return max(1, min(MOST_JOBS, session.concurrency)) if session else 1

    def pace(self, backend: str, model: str | None, voice: str | None, here: Pace) -> Pace:
        """How fast jobs of that model and voice are made where they are made now.

        `here`: on this machine. Raises UnknownBackend, BadConfig.
        """
        session = self.fleet.session
        if session is None or self.where(backend, model, voice).place != "remote":
            return here
        lane = keys.lane(backend, self._catalog.model(backend, model))
        serving = _serving(session, lane)
        speed = max((each.x_realtime or 0.0 for each in serving), default=0.0)
        load_s = 0.0 if session.is_warm(lane) else here.load_s
        return here._replace(work=1 / speed if speed else here.work, load_s=load_s)

    def is_ready_here(self, job: Job) -> bool:
        return self._catalog.is_ready(job.backend, job.model, job.voice)

    def _is_sooner_here(self, backend: str, model: str | None, lane: str) -> bool:
        """By where the model is warm, then by who is busy, then by measured speed."""
        session = self.fleet.session
        if session is None:
            return True
        settings = self._catalog.host_settings(backend, model)
        key = model_key(self._catalog.host_of(backend), settings)
        serving = _serving(session, lane)
        warm = [each for each in serving if lane in each.warm]
        speeds = [each.x_realtime for each in warm or serving if each.x_realtime]
        here = (key not in self._pool.loaded, self._pool.turns.is_taken, self._rates.slowness(key))
        there = (
            not warm,
            all(each.busy >= each.concurrency for each in warm or serving),
            1 / max(speeds) if speeds else None,
        )
        if here[:2] != there[:2]:
            return here[:2] < there[:2]
        slow_here, slow_there = here[2], there[2]
        return slow_here is None or slow_there is None or slow_here <= slow_there

    def host(self, job: Job) -> RemoteHost:
        """A host on workers, for that job. Raises WorkersAway."""
        return self.host_of(job.backend, job.model, job.sink == "file", job.priority)

    def host_elsewhere(
        self, backend: str, model: str | None, voice: str | None
    ) -> RemoteHost | None:
        """A host on workers if they make such jobs now. Raises WorkersAway if nobody does.

        And as `where`.
        """
        place, reason = self.where(backend, model, voice)
        if place is None and reason is not None:
            raise reason
        return self.host_of(backend, model) if place == "remote" else None

    def host_of(
        self, backend: str, model: str | None, is_file: bool = False, priority: int = 0
    ) -> RemoteHost:
        """A host on workers; a file's requests go after all others. Raises WorkersAway."""
        session = self.fleet.session
        if session is None:
            raise self.fleet.trouble() or WorkersAway("no workers are set")
        from ..hosts.remote import RemoteHost

        settings = self._catalog.host_settings(backend, model)
        named = self._catalog.model(backend, model)
        limits = limits_of(self._config())
        return RemoteHost(backend, named, settings, session, int(is_file), priority, limits)


def _serving(session: Session, lane: str) -> list[Announced]:
    return [each for each in session.workers if each.is_ours and lane in each.lanes]
