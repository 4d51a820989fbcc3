"""What the history adds up to, by period, backend and source; read from one index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vox.jobs import Job
from vox.queue.stats import DAY_S
from vox.queue.store import Store

NOW = 1_000_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"), clock=lambda: NOW)
    yield opened
    opened.close()


def ended(days_ago: float, **fields: Any) -> Job:
    shared = {"id": "", "text": "x", "backend": "hibari", "state": "done"}
    return Job(**(shared | {"created_at": NOW - days_ago * DAY_S} | fields))


def test_jobs_add_up_by_period_backend_and_source(store: Store) -> None:
    store.add(
        [
            ended(1, audio_s=10.0, source="repo", saved_load_s=2.0, saved_synthesis_s=0.5),
            ended(8, audio_s=5.0, backend="kokoro", source="repo"),
            ended(40, audio_s=7.0, sink="file"),
            ended(1, state="cancelled", audio_s=8.0, heard=1, utterances=4),
            ended(1, state="failed", utterances=4),
            ended(1, state="queued", audio_s=99.0),
        ]
    )
    stats = store.history.stats()
    assert {name: each["jobs"] for name, each in stats.items()} == {"7d": 3, "30d": 4, "all": 5}
    assert stats["7d"]["heard_s"] == 12.0
    assert (stats["all"]["heard_s"], stats["all"]["written_s"]) == (17.0, 7.0)
    assert (stats["7d"]["saved_load_s"], stats["7d"]["saved_synthesis_s"]) == (2.0, 0.5)
    assert [(each["name"], each["jobs"]) for each in stats["all"]["backends"]] == [
        *(("hibari", 4), ("kokoro", 1))
    ]
    assert [(each["name"], each["heard_s"]) for each in stats["30d"]["sources"]] == [
        *(("cli", 2.0), ("repo", 15.0))
    ]


def test_an_empty_history_adds_up_to_nothing(store: Store) -> None:
    stats = store.history.stats()
    assert [each["jobs"] for each in stats.values()] == [0, 0, 0]
    assert stats["all"]["backends"] == []


def test_the_rows_of_jobs_are_not_read(store: Store) -> None:
    store.add([ended(1)])
    asked: list[str] = []
    store._db.reader.set_trace_callback(asked.append)
    store.history.stats()
    store._db.reader.set_trace_callback(None)
    assert len(asked) == 3
    for sql in asked:
        plan = [row[3] for row in store._db.query(f"explain query plan {sql}")]
        assert len(plan) == 1 and "USING COVERING INDEX job_stats" in plan[0], plan
