"""Whether a text can be what is said in a recording of some length."""

from __future__ import annotations

import pytest

from vox.errors import BadOption
from vox.voices import transcripts

SENTENCE = "The build is finished, and all the tests pass."


@pytest.mark.parametrize(
    ("text", "length_s"),
    [
        (SENTENCE, 2.5),
        ("Franz jagt im komplett verwahrlosten Taxi quer durch Bayern.", 4.0),
        ("今天天气很好，我们去公园散步吧。", 3.5),
        ("ここまでのビルドはすべて成功しました。", 3.0),
        ("오늘은 날씨가 정말 좋네요.", 2.5),
        ("Номер телефона 8 800 555 35 35.", 5.0),
        ("बिल्ड पूरा हो गया है और सभी परीक्षण सफल रहे।", 4.0),
    ],
)
def test_ordinary_speech_is_not_questioned(text: str, length_s: float) -> None:
    transcripts.check(text, length_s)
    assert transcripts.doubt(text, length_s) is None


@pytest.mark.parametrize(
    ("text", "length_s", "which"),
    [
        ("word " * 200, 3.0, "long"),
        ("这" * 60, 3.0, "long"),
        ("Hello.", 20.0, "short"),
        ("...", 3.0, "short"),
    ],
)
def test_a_text_of_another_recording_is_refused_with_a_way_out(
    text: str, length_s: float, which: str
) -> None:
    with pytest.raises(BadOption, match=f"too {which} for {length_s:.1f} s of speech") as refused:
        transcripts.check(text, length_s)
    assert refused.value.hint == "give --text the words of the recording, or leave it out"


@pytest.mark.parametrize(
    ("text", "length_s", "which"), [(SENTENCE, 1.2, "long"), ("Good morning.", 6.0, "short")]
)
def test_a_text_that_hardly_fits_is_noted(text: str, length_s: float, which: str) -> None:
    transcripts.check(text, length_s)
    assert f"the text is {which} for {length_s:.1f} s of speech" in str(
        transcripts.doubt(text, length_s)
    )


def test_before_a_recording_only_a_text_that_nobody_can_say_in_time_is_refused() -> None:
    transcripts.check_longest("Hello.", 30.0)
    with pytest.raises(BadOption):
        transcripts.check_longest("word " * 200, 10.0)
