"""Places of a text in what is said of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vox.text.marks import places
from vox.text.speakable import Reading, pieces


def words_at(text: str, **reading: str) -> list[str]:
    """What is said from the place of each word of the text on, to the end of a word."""
    wanted = Reading(**reading)  # type: ignore[arg-type]
    said = [piece.text for piece in pieces(text, wanted)]
    offsets = [word.start() for word in re.finditer(r"\S+", text)]
    found = []
    for utterance, share in places(text, offsets, wanted):
        of_it = said[utterance]
        found.append(" ".join(of_it[round(share * len(of_it)) :].split()[:1]))
    return found


def test_words_that_are_said_as_they_are_written_are_found_exactly() -> None:
    text = "The door is open. Dr. Smith, e.g., sees the garden behind it? Yes!"
    assert words_at(text) == text.split()


def test_what_is_said_otherwise_moves_no_word_behind_it() -> None:
    found = words_at("It costs $5.50 and 1,234 of 3.14 GB. Ask me@example.org today.")
    assert [found[at] for at in (0, 1, 3, 5, 8, 10)] == [
        "It",
        "costs",
        "and",
        "of",
        "Ask",
        "today.",
    ]


def test_of_markdown_what_is_not_said_is_where_the_next_words_are() -> None:
    found = words_at("# Title\n\n- one *two*\n- [link](http://x.org/a) end.\n", format="markdown")
    assert found[1] == "Title" and found[3:5] == ["one", "two"] and found[-1] == "end."


def test_japanese_is_found_by_its_characters() -> None:
    text = "今日は良い天気です。明日は雨です。"
    (first, second) = places(text, [0, text.index("明日")], Reading(lang="ja"))
    assert first == (0, 0.0)
    assert second.utterance == 1 or 0.5 < second.share < 0.7


@settings(max_examples=30)
@given(st.text(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_they_are_in_order_and_within_what_is_said(text: str, offsets: list[int]) -> None:
    reading = Reading(format="plain")
    count = len(list(pieces(text, reading)))
    found = places(text, sorted(min(each, len(text)) for each in offsets), reading)
    assert found == sorted(found)
    assert all(0 <= utterance < max(1, count) and 0 <= share <= 1 for utterance, share in found)


@pytest.mark.parametrize("text", ["", " ", "..."])
def test_where_nothing_is_said_they_are_at_the_beginning(text: str) -> None:
    assert places(text, [0, len(text)], Reading()) in ([(0, 0.0)] * 2, [(0, 0.0), (0, 1.0)])
