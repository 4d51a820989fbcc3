"""Time spans as text."""

from __future__ import annotations

from datetime import datetime

import pytest

from vox.durations import moment, seconds, seconds_or_span


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        (" 1 H 30 M ", 5400),
        ("1.5h", 5400),
        ("500ms", 0.5),
        ("2w", 1_209_600),
        ("-1m", -60),
        ("0s", 0),
    ],
)
def test_a_time_span_is_read(text: str, expected_s: float) -> None:
    assert seconds(text) == expected_s
    assert seconds_or_span(text) == expected_s


@pytest.mark.parametrize("text", ["", "30", "m", "1h30", "30x", "1,5h", "--1m", "٣m", "1h-30m"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time span such as 90s"):
        seconds(text)


def test_a_number_is_seconds() -> None:
    assert [seconds_or_span(each) for each in (1800, "1800", "-1", 0.5)] == [1800, 1800, -1, 0.5]


NOW = datetime.fromisoformat("2026-11-29T14:30").timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "2026-11-29T12:30"),
        ("1d 1h", "2026-11-28T13:30"),
        ("today", "2026-11-29T00:00"),
        ("Yesterday", "2026-11-28T00:00"),
        ("2026-11-02", "2026-11-02T00:00"),
        (" 2026-11-02T08:15 ", "2026-11-02T08:15"),
        ("2026-11-02T08:15:00Z", "2026-11-02T08:15:00Z"),
    ],
)
def test_a_time_is_read_in_local_time(text: str, expected: str) -> None:
    assert moment(text, NOW) == datetime.fromisoformat(expected).timestamp()


@pytest.mark.parametrize(
    "text", ["", "2", "tomorrow", "-2h", "2026-13-01", "0001-01-01T00:00", "x"]
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time such as 2h"):
        moment(text, NOW)
