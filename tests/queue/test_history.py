"""Which jobs of the history are found, and how much is read for that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vox.jobs import ENDED, STATES, Job, Wanted
from vox.queue.history import History
from vox.queue.store import Store

NOW = 1_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(str(tmp_path / "vox.db"), clock=lambda: NOW)
    yield opened
    opened.close()


@pytest.fixture
def history(store: Store) -> History:
    return store.history


def job(text: str = "hello", **fields: Any) -> Job:
    return Job(id="", text=text, backend="hibari", **fields)


def texts(history: History, limit: int | None = None, **wanted: Any) -> list[str]:
    """The texts of the jobs that are wanted, oldest first."""
    return [each.text for each in history.jobs(limit, Wanted(**wanted))][::-1]


def many(store: Store) -> list[Job]:
    """Jobs of each state, of three sources, one a minute until now."""
    made = []
    for number in range(42):
        fields = {"state": STATES[number % 7], "source": "abc"[number % 3]}
        made.append(job(f"number {number}", created_at=NOW - 60 * (41 - number), **fields))
    return store.add(made)


@pytest.mark.parametrize("states", [(), ("failed",), ("failed", "queued", "failed"), ENDED])
@pytest.mark.parametrize("source", [None, "b", "nobody"])
@pytest.mark.parametrize("since", [None, NOW - 600, NOW + 1])
@pytest.mark.parametrize("search", [None, "R 1"])
def test_all_that_is_asked_for_counts_together(
    store: Store,
    history: History,
    states: tuple[Any, ...],
    source: str | None,
    since: float | None,
    search: str | None,
) -> None:
    expected = [
        each.text
        for each in many(store)
        if (not states or each.state in states)
        and source in (None, each.source)
        and (since is None or each.created_at >= since)
        and (search is None or search.lower() in each.text)
    ]
    wanted = Wanted(search, states, source, since)
    assert texts(history, **wanted._asdict()) == expected
    assert texts(history, 3, **wanted._asdict()) == expected[-3:]
    last = history.last_of_page(2, wanted)
    assert (last is not None) == (len(expected) > 2)
    if last:
        assert store.get(last).text == expected[-2]
        page = next(history.pages(1, wanted, before=store.get(last).seq))
        assert [each.text for each in page] == [expected[-3]]


def test_a_job_that_was_put_last_is_found_by_when_it_was_made(
    store: Store, history: History
) -> None:
    old, _ = store.add([job("old", created_at=NOW - 60), job("new", created_at=NOW)])
    store.put_last(old.id)
    assert texts(history) == ["new", "old"]
    assert texts(history, since=NOW - 1) == ["new"]


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(states=("failed",)),
        Wanted(states=("failed", "cancelled")),
        Wanted(states=("queued",)),
        Wanted(source="a"),
        Wanted(since=NOW),
    ],
)
def test_a_few_of_a_long_history_are_found_by_an_index(
    store: Store, history: History, wanted: Wanted
) -> None:
    many(store)
    asked: list[str] = []
    store._db.reader.set_trace_callback(asked.append)
    history.jobs(20, wanted)
    store._db.reader.set_trace_callback(None)
    for sql in asked:
        plan = [row[3] for row in store._db.query(f"explain query plan {sql}")]
        assert not any(step.startswith("SCAN job") for step in plan), (sql, plan)
        assert not any("ORDER BY" in step and "job" in step for step in plan), (sql, plan)
