"""SSML, and what clients take for it, becomes a text with marks."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vox.speechd import ssml
from vox.speechd.marked import Mark, Marked


def read(source: str) -> Marked:
    return ssml.read(source, "-".join)


def with_marks(text: Marked) -> str:
    """The text with [NAME] where the marks are."""
    shown = text.text
    for mark in reversed(text.marks):
        shown = f"{shown[: mark.at]}[{mark.name}]{shown[mark.at :]}"
    return shown


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<speak>Hello.</speak>", "Hello."),
        ('<speak>One <mark name="m1"/>two.</speak>', "One [m1]two."),
        ("<speak>Six <mark name='m'/> seven</speak>", "Six [m] seven"),
        ("no root element & <b>raw", "no root element & raw"),
        ("a &lt; b &amp; c", "a < b & c"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("&amp;#228; &quot;q&quot;", 'ä "q"'),
        ("two<break time='300ms'/> four", "two,  four"),
        ("two<break time='1s'/>four", "two. four"),
        ("two.<break strength='strong'/>Four", "two.Four"),
        ('<say-as interpret-as="characters">abc</say-as> d', "a-b-c d"),
        ('<say-as interpret-as="date">2026</say-as>', "2026"),
        ('<sub alias="World Wide Web">WWW</sub> now', "World Wide Web now"),
        ("One.<p>Two.</p>", "One.\nTwo.\n"),
        ("a<!-- no -->b<?xml version='1.0'?>", "ab"),
        ('the last <mark name="x"', 'the last <mark name="x"'),
        ("", ""),
    ],
)
def test_what_is_said_of_ssml(source: str, text: str) -> None:
    assert with_marks(read(source)) == text


@given(st.text(alphabet="<>/&;\"' =abm\n", max_size=60))
def test_nothing_is_refused_and_marks_lie_in_the_text(source: str) -> None:
    found = read(source)
    places = [mark.at for mark in found.marks]
    assert places == sorted(places)
    assert all(0 <= at <= len(found.text) for at in places)


@pytest.mark.parametrize("piece", ["<a ", '<a "', "<!--", "&amp;", "<mark name='", "<say-as>"])
def test_a_long_text_costs_no_more_than_it_is_long(piece: str) -> None:
    def seconds(count: int) -> float:
        since = time.process_time()
        read(piece * count)
        return time.process_time() - since

    seconds(1000)
    assert seconds(40_000) < 40 * seconds(4000) + 0.5  # four times that if its square counted


def test_marks_move_with_the_text() -> None:
    text = Marked("a%b%", (Mark("0", 0), Mark("1", 1), Mark("2", 2), Mark("3", 4)))
    assert with_marks(text.sub(re.compile("%"), lambda _: " percent ")) == (
        "[0]a[1] percent [2]b percent [3]"
    )
    assert with_marks(text.sub(re.compile("%b"), lambda _: "")) == "[0]a[1][2]%[3]"


@given(
    st.text(alphabet="ab ", max_size=30),
    st.lists(st.integers(0, 30), max_size=6),
    st.sampled_from(["", "x", "long words"]),
)
def test_marks_stay_in_order_and_in_the_text(text: str, places: list[int], new: str) -> None:
    marks = tuple(Mark(str(at), at) for at in sorted(places) if at <= len(text))
    moved = Marked(text, marks).sub(re.compile("a+ ?"), lambda _: new)
    assert [mark.name for mark in moved.marks] == [mark.name for mark in marks]
    assert [mark.at for mark in moved.marks] == sorted(mark.at for mark in moved.marks)
    assert all(0 <= mark.at <= len(moved.text) for mark in moved.marks)
    assert moved.text == re.sub("a+ ?", new, text)
