"""Marks of a job's text: checked, kept as long as the text, and told as events."""

from __future__ import annotations

import pytest

from vox.engine.engine import Engine
from vox.errors import BadOption
from vox.jobs import MARK_CHARS, MOST_MARKS, Mark

from .rig import ONE, TWO, Rig, request


def mark(at: int, name: str = "") -> Mark:
    return Mark(name=name or str(at), at=at)


def test_an_event_tells_of_each_between_the_begin_and_the_end(rig: Rig, engine: Engine) -> None:
    second = len(ONE) + 3
    wanted = request(private=True)
    wanted.text = f"  {ONE} {TWO}\n"
    wanted.marks = [mark(second, "b"), mark(2, "a"), mark(second, "c")]
    job = engine.submit(wanted)
    assert job.marks == [mark(0, "a"), mark(second - 2, "b"), mark(second - 2, "c")]
    assert engine.store.get(job.id).marks == job.marks
    rig.until_ended(job)
    told = [event for event in rig.events if event.job_id == job.id]
    names = [event.data["name"] for event in told if event.name == "mark"]
    assert names == ["a", "b", "c"]
    order = [event.data.get("state", event.name) for event in told if event.name != "progress"]
    assert order[-5:] == ["speaking", "mark", "mark", "mark", "done"]
    assert engine.store.get(job.id).marks == []


@pytest.mark.parametrize(
    ("marks", "fields", "line"),
    [
        ([mark(99)], {}, "mark '99' is at 99; the text has 19 characters"),
        ([mark(-1)], {}, "mark '-1' is at -1; the text has 19 characters"),
        ([mark(0, "x" * (MARK_CHARS + 1))], {}, "a mark's name has 100 characters at most"),
        ([mark(0)] * (MOST_MARKS + 1), {}, "10,001 marks; 10,000 are the limit"),
        ([mark(0)], {"output": "x.wav"}, "marks are for a whole text that is heard"),
        ([mark(0)], {"is_open": True}, "marks are for a whole text that is heard"),
    ],
)
def test_what_marks_nothing_that_is_heard_is_refused(
    engine: Engine, marks: list[Mark], fields: dict[str, object], line: str
) -> None:
    wanted = request(ONE, **fields)
    wanted.marks = marks
    with pytest.raises(BadOption) as refused:
        engine.submit(wanted)
    assert refused.value.message == line
