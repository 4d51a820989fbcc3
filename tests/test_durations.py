"""Time spans as text."""

from __future__ import annotations

import pytest

from vox.durations import seconds, seconds_or_span


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
