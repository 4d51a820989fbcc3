"""What is foreseen of jobs, as a function of what is made, heard and measured."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest

from vox.engine.forecast import Making, Scene, Track, forecast
from vox.engine.rates import Pace
from vox.engine.sizes import Size
from vox.jobs import INTERRUPT
from vox.outlook import Outlook
from vox.queue.outlooks import LiveEntry

TraceFunction = Callable[[FrameType, str, Any], Any]

PACE = Pace(char_s=0.1, work=0.5, first_s=0.4, load_s=2.0)
SCENE = Scene(loaded=frozenset({"m"}))
ENTRY: dict[str, Any] = {
    **dict.fromkeys(LiveEntry._fields),
    "state": "queued",
    "sink": "play",
    "priority": 0,
    "backend": "scripted",
    "speed": 1.0,
    "heard": 0,
    "is_open": False,
    "is_held": False,
}
MADE = {"is_complete": True, "is_in_line": True}


def track(seq: int, *, chars: float = 100.0, **known: Any) -> Track:
    """A job of 100 characters, so of 10 s, in one utterance."""
    fields = {name: known.pop(name) for name in list(known) if name in LiveEntry._fields}
    entry = LiveEntry(**{**ENTRY, "id": f"j{seq}", "seq": seq, **fields})
    return Track(entry, Size(chars, 1.0), PACE, known.pop("key", "m"), **known)


def made(seq: int, seconds: float, **known: Any) -> Track:
    return track(seq, made=1, made_s=seconds, whole_s=seconds, **{**MADE, **known})


def speaking(seq: int, seconds: float, heard_s: float, **known: Any) -> Track:
    return made(seq, seconds, state="speaking", heard_s=heard_s, **known)


def starts(found: dict[str, Outlook]) -> dict[str, tuple[float | None, bool]]:
    return {
        job_id: (
            None if each.starts_in_s is None else round(each.starts_in_s, 3),
            each.starts_in_is_exact,
        )
        for job_id, each in found.items()
    }


def test_what_is_made_is_foreseen_exactly() -> None:
    found = forecast(
        [speaking(1, 10.0, 4.0), made(2, 3.0), made(3, 5.0)], SCENE._replace(sounding="j1")
    )
    assert starts(found) == {"j1": (None, False), "j2": (6.25, True), "j3": (9.5, True)}
    assert [each.position for each in found.values()] == [1, 2, 3]
    assert [each.phase for each in found.values()] == ["speaking", "ready", "ready"]
    assert (found["j1"].heard_s, found["j1"].left_s, found["j1"].expected_s) == (4.0, 6.0, 10.0)


def test_what_was_interrupted_goes_on_before_others_begin_whatever_their_priority() -> None:
    interrupting = speaking(3, 2.0, 0.0, priority=INTERRUPT)
    cut_in_on = made(1, 10.0, state="preparing", heard_s=4.0, is_interrupted=True)
    waiting = made(2, 3.0, state="preparing", priority=10)
    found = forecast([interrupting, cut_in_on, waiting], SCENE._replace(sounding="j3"))
    assert list(found) == ["j3", "j1", "j2"]
    assert [each.starts_in_s for each in found.values()] == [None, 2.25, 8.5]


def test_what_is_not_made_is_predicted_by_the_pace_of_its_voice() -> None:
    first = track(1, state="preparing", is_in_line=True, making=Making())
    found = forecast([first, track(2, chars=50.0), track(3)], SCENE)
    assert starts(found) == {"j1": (0.4, False), "j2": (10.65, False), "j3": (15.9, False)}
    assert [each.phase for each in found.values()] == ["making", "waiting", "waiting"]
    assert [each.left_s for each in found.values()] == [10.0, 5.0, 10.0]


def test_a_voice_that_is_slower_than_speech_keeps_those_behind_waiting() -> None:
    slow = PACE._replace(work=2.0)
    first, second = track(1, state="preparing", making=Making()), track(2)
    first.pace = second.pace = slow
    found = forecast([first, second], SCENE)
    assert starts(found)["j2"] == (20.4, False)  # the first is made in 20 s


def test_a_model_that_is_to_be_loaded_takes_its_time() -> None:
    loading = Making(is_loading=True, loading=0.5)
    first = track(1, state="preparing", making=loading, key="other")
    found = forecast([first, track(2, key="other")], SCENE)
    assert starts(found)["j1"] == (1.4, False)
    assert (found["j1"].phase, found["j1"].loading) == ("loading", 0.5)


def test_one_that_interrupts_is_heard_once_it_has_sound_and_the_others_later() -> None:
    now = speaking(1, 10.0, 4.0)
    found = forecast(
        [now, made(2, 3.0), made(3, 2.0, priority=INTERRUPT)], SCENE._replace(sounding="j1")
    )
    assert starts(found) == {"j1": (None, False), "j3": (0.0, True), "j2": (8.5, True)}


def test_one_of_a_high_priority_comes_before_others_that_are_made_or_being_made() -> None:
    first = track(1, state="preparing", is_in_line=True, making=Making())
    found = forecast([track(2, priority=10), first], SCENE)
    assert list(found) == ["j2", "j1"]
    heard = forecast(
        [speaking(1, 10.0, 4.0), made(2, 3.0), track(3, priority=10)], SCENE._replace(sounding="j1")
    )
    assert list(heard) == ["j1", "j3", "j2"]


@pytest.mark.parametrize("sounding", [None, "j1"])
def test_while_nothing_can_be_heard_nothing_starts(sounding: str | None) -> None:
    scene = SCENE._replace(can_sound=False, sounding=sounding)
    found = forecast([speaking(1, 10.0, 4.0), made(2, 3.0)], scene)
    assert starts(found) == {"j1": (None, False), "j2": (None, False)}
    assert [each.phase for each in found.values()] == ["speaking", "ready"]


def test_files_come_last_and_say_when_they_are_written() -> None:
    book = track(
        1,
        sink="file",
        state="preparing",
        utterances=4,
        made=1,
        made_s=2.5,
        whole_s=2.5,
        making=Making(),
    )
    alone = forecast([book], SCENE)["j1"]
    assert (alone.phase, alone.made, alone.fraction, alone.position) == ("making", 1, 0.25, 1)
    assert alone.starts_in_s is None
    assert alone.left_s == pytest.approx((7.5 + 2 * 0.25 + 0.25) * 0.5, abs=0.1)
    beside = forecast([track(2), book], SCENE)
    assert list(beside) == ["j2", "j1"]
    assert (beside["j1"].left_s or 0.0) > (
        alone.left_s or 0.0
    ) + 4.0  # what is for the ear is made first


def test_a_file_of_which_all_is_made_is_not_written_yet() -> None:
    book = made(
        1, 100.0, sink="file", is_in_line=False, making=Making(is_resting=True, encoded_s=0.5)
    )
    book.encoding = 0.02
    found = forecast([book], SCENE)["j1"]
    assert (found.phase, found.fraction, found.left_s) == ("making", 1.0, 1.5)


def test_enough_that_is_made_is_ready_though_more_will_be() -> None:
    resting = track(
        2,
        state="preparing",
        utterances=9,
        made=3,
        made_s=30.0,
        whole_s=30.0,
        making=Making(is_resting=True),
        is_in_line=True,
    )
    found = forecast([speaking(1, 10.0, 4.0), resting], SCENE._replace(sounding="j1"))
    assert (found["j2"].phase, found["j2"].made) == ("ready", 3)
    assert starts(found)["j2"] == (6.25, True)


def test_a_text_that_is_silent_keeps_its_place_and_holds_up_nobody() -> None:
    parked = track(1, is_open=True, chars=0.0)
    found = forecast([parked, made(2, 3.0), made(3, 3.0)], SCENE)
    assert list(found) == ["j1", "j2", "j3"]
    assert starts(found) == {"j1": (None, False), "j2": (0.0, True), "j3": (3.25, True)}


def test_what_was_interrupted_waits_before_the_others() -> None:
    interrupted = speaking(1, 10.0, 4.0)
    other = speaking(3, 2.0, 0.5, priority=INTERRUPT)
    found = forecast([interrupted, made(2, 3.0), other], SCENE._replace(sounding="j3"))
    assert list(found) == ["j3", "j1", "j2"]
    assert [each.phase for each in found.values()] == ["speaking", "ready", "ready"]
    assert starts(found)["j1"] == (1.75, True)


def test_one_of_which_all_was_played_is_still_heard_for_a_moment() -> None:
    found = forecast([speaking(1, 10.0, 10.0), made(2, 3.0)], SCENE._replace(behind_s=0.06))
    assert (found["j1"].phase, found["j1"].left_s, found["j1"].position) == ("speaking", 0.0, 1)
    assert starts(found) == {"j1": (None, False), "j2": (0.31, True)}


def test_ten_thousand_jobs_are_foreseen_in_a_moment() -> None:
    found = forecast([track(seq) for seq in range(10_000)], SCENE)
    assert [each.position for each in found.values()] == list(range(1, 10_001))


def lines(what: Callable[[], object]) -> int:
    """How many lines are gone through, each turn of a loop being one, however busy the machine."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: object) -> TraceFunction:
        nonlocal counted
        counted += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        what()
    finally:
        sys.settrace(before)
    return counted


@pytest.mark.parametrize("sink", ["play", "stream", "file"])
def test_ten_times_as_many_jobs_take_ten_times_as_long(sink: str) -> None:
    few, many = (
        lines(partial(forecast, [track(seq, sink=sink) for seq in range(count)], SCENE))
        for count in (100, 1_000)
    )
    assert many < 15 * few


def test_files_go_between_those_that_wait_for_their_text() -> None:
    jobs = [made(3, 3.0), made(1, 3.0), *(track(seq, sink="file") for seq in (5, 4))]
    jobs += [track(seq, is_open=True, chars=0.0) for seq in (7, 2)]
    held = [track(seq, is_held=True) for seq in (9, 0)]
    found = forecast([*held, *jobs], SCENE)
    assert list(found) == ["j1", "j2", "j3", "j7", "j4", "j5", "j0", "j9"]
