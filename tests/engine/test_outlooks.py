"""What is foreseen of the live jobs of an engine, and what it costs those who add jobs."""

from __future__ import annotations

import pytest

from vox.engine import outlooks
from vox.engine.outlooks import FEW
from vox.queue.outlooks import LiveEntry

from .rig import ONE, Rig, request

MANY = 3 * FEW


def test_who_adds_jobs_behind_many_does_not_go_through_them_each_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However quickly a forecast was made: it holds until the end of the test.
    monkeypatch.setattr(outlooks, "COSTLY", 1e9)
    monkeypatch.setattr(outlooks, "CHEAP_S", 1e9)
    engine = rig.make_engine()
    store, looks = engine.store, 0
    outline = store.outline

    def counted() -> list[LiveEntry]:
        nonlocal looks
        looks += 1
        return outline()

    monkeypatch.setattr(store, "outline", counted)
    shown = [store.show(engine.submit(request(ONE))) for _ in range(MANY)]
    assert [each["position"] for each in shown] == list(range(1, MANY + 1))
    assert looks <= FEW + 1
    assert all(each["starts_in_s"] is not None for each in shown[:FEW])

    urgent = engine.submit(request(ONE, priority="high"))
    assert [store.show(urgent)["position"] for _ in range(2)] == [1, 1]
    file = engine.submit(request(ONE, output=f"{rig.paths.data_dir}/a.wav"))
    assert store.show(file)["position"] == MANY + 2
    assert looks <= FEW + 1

    queue = list(store.shown_queue())  # who asks for all is told how it is now
    assert [each["position"] for each in queue] == list(range(1, MANY + 3))
    assert [each["id"] for each in (queue[0], queue[-1])] == [urgent.id, file.id]
    assert all(each["starts_in_s"] is not None for each in queue[:-1])
