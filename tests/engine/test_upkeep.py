"""What is done to the history beside speech: old jobs are forgotten, and texts are indexed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vox.audio.utterances import UtteranceCache
from vox.config import Config
from vox.engine.upkeep import DAY_S, Upkeep
from vox.jobs import Job, Wanted
from vox.queue.forgetting import AT_ONCE
from vox.queue.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"))
    yield opened
    opened.close()


class Rig:
    def __init__(self, store: Store, folder: Path) -> None:
        self.days = 0.0
        self.forgotten: list[str] = []
        self.utterances = UtteranceCache(str(folder / "utterances"), lambda: 10**9)
        self.upkeep = Upkeep(store, self._config, self.utterances, self.forgotten.extend)

    def _config(self) -> Config:
        return Config({"history_days": self.days})


@pytest.fixture
def rig(store: Store, tmp_path: Path) -> Rig:
    return Rig(store, tmp_path)


def ended(text: str, days_ago: float, **fields: Any) -> Job:
    at = time.time() - days_ago * DAY_S
    shared = {"state": "done", "created_at": at, "finished_at": at}
    return Job(id="", text=text, backend="hibari", **(shared | fields))


def test_jobs_that_ended_too_long_ago_are_forgotten_with_their_audio(
    store: Store, rig: Rig
) -> None:
    old = store.add(ended(f"old xqz {n}", 31) for n in range(AT_ONCE + 1))
    store.add([ended("young", 29), ended("live", 90, state="queued", finished_at=None)])
    store.add([ended("long", 40, finished_at=time.time())])
    rig.utterances.put("old", [np.ones(10, np.float32)], 24_000)
    while rig.upkeep.step():
        pass
    assert len(store.history.jobs()) == len(old) + 3  # 0: never
    rig.days = 30
    steps = 0
    while rig.upkeep.step():
        steps += 1
    assert steps >= 2
    assert sorted(rig.forgotten) == sorted(job.id for job in old)
    assert [job.text for job in store.history.jobs()] == ["long", "live", "young"]
    assert store.history.jobs(wanted=Wanted(search="xqz")) == []
    assert not store._db.query("select 1 from job_search_trigram where term = 'xqz'")
    assert rig.utterances.get("old") is not None  # used since then
    for path in Path(store.path).parent.glob("vox.db*"):
        assert b"old xqz" not in path.read_bytes()


def test_utterances_that_were_not_used_for_so_long_are_forgotten_too(rig: Rig) -> None:
    rig.utterances.put("old", [np.ones(10, np.float32)], 24_000)
    rig.days = 1e-9
    rig.upkeep.step()
    assert rig.utterances.get("old") is None


def test_an_idle_history_costs_a_few_looks(store: Store, rig: Rig) -> None:
    store.add([ended("young", 1)])
    rig.days = 30
    while rig.upkeep.step():
        pass
    asked: list[str] = []
    for connection in (store._db.reader, store._db.writer):
        connection.set_trace_callback(asked.append)
    assert not rig.upkeep.step()
    assert 0 < len(asked) <= 2
    assert all(sql.startswith("select") for sql in asked)
