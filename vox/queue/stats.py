"""What the history adds up to: jobs, seconds heard, and what warm models and the cache saved.

Read from one index (`job_stats`), without the jobs' rows. Counts jobs that have ended; what was
forgotten is not counted.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .database import Database
from .rows import LIVE_SQL

DAY_S = 86_400.0
PERIODS = {"7d": 7 * DAY_S, "30d": 30 * DAY_S}
"""How long ago, in seconds, a job may have been made that counts in each."""

_SUMS = f"""
select backend, source, count(*) as jobs,
    sum(case when sink = 'play' then said_s else 0 end) as heard_s,
    sum(case when sink = 'play' then 0 else said_s end) as written_s,
    sum(saved_load_s) as saved_load_s,
    sum(saved_synthesis_s) as saved_synthesis_s
from (
    select backend, source, created_at, sink, saved_load_s, saved_synthesis_s,
        coalesce(case when state = 'done' then audio_s
            else audio_s * min(heard, utterances) / utterances end, 0) as said_s
    from job indexed by job_stats where state not in {LIVE_SQL}
)
"""
_ALL = f"{_SUMS} group by backend, source"
"""In the order of the index, so that nothing is sorted."""
_SINCE = f"{_SUMS} where backend = ? and source = ? and created_at >= ?"


@dataclass(slots=True)
class Sums:
    """Of some jobs."""

    jobs: int = 0
    heard_s: float = 0.0
    """Seconds of their audio that were heard."""
    written_s: float = 0.0
    """Seconds of audio that went into files and streams."""
    saved_load_s: float = 0.0
    """What loading would have taken where the model was warm."""
    saved_synthesis_s: float = 0.0
    """What it took once to make the utterances that came from the cache."""

    def add(self, row: Any) -> None:
        for name in ("jobs", "heard_s", "written_s", "saved_load_s", "saved_synthesis_s"):
            setattr(self, name, getattr(self, name) + (row[name] or 0))


@dataclass(slots=True)
class Period:
    """What the jobs of a period add up to, together, by backend and by source."""

    total: Sums = field(default_factory=Sums)
    backends: dict[str, Sums] = field(default_factory=dict)
    sources: dict[str, Sums] = field(default_factory=dict)

    def add(self, row: Any) -> None:
        self.total.add(row)
        self.backends.setdefault(row["backend"], Sums()).add(row)
        self.sources.setdefault(row["source"], Sums()).add(row)

    def to_dict(self) -> dict[str, Any]:
        return {
            **_rounded(self.total),
            "backends": _sorted(self.backends),
            "sources": _sorted(self.sources),
        }


def stats(db: Database, now: float) -> dict[str, Any]:
    """The periods by their names, as JSON: see `Period.to_dict`. Raises StorageError."""
    periods = {name: Period() for name in (*PERIODS, "all")}
    for row in db.query(_ALL):
        periods["all"].add(row)
        for name, length_s in PERIODS.items():
            for recent in db.query(_SINCE, (row["backend"], row["source"], now - length_s)):
                if recent["jobs"]:
                    periods[name].add(recent)
    return {name: period.to_dict() for name, period in periods.items()}


def _rounded(sums: Sums) -> dict[str, Any]:
    return {name: round(value, 1) for name, value in asdict(sums).items()}


def _sorted(sums: dict[str, Sums]) -> list[dict[str, Any]]:
    """The most jobs first."""
    ordered = sorted(sums.items(), key=lambda item: (-item[1].jobs, item[0]))
    return [{"name": name, **_rounded(each)} for name, each in ordered]
