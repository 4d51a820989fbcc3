"""The header of an inbox file."""

from __future__ import annotations

import pytest

from vox.errors import BadInput, BadOption
from vox.inbox.header import parse


def test_a_text_without_header_is_left_alone() -> None:
    assert parse("Hello.\n---\nWorld.\n") == ({}, "Hello.\n---\nWorld.\n")


def test_a_header_gives_fields_of_the_request_and_leaves_the_text_below() -> None:
    text = (
        "---\nvoice: heart\nLang: en-GB\nspeed: 1.5\nvolume: 0.5\nbackend: hibari\nmodel: big\n"
        "style: 'calm: slow'\ngender: Female\nfresh: yes\npriority: HIGH\noutput: x.wav\n"
        "expires: 30\nkeep_alive: 1h30m\nreplace: door\n\n# a remark\n---\nHello.\n"
    )
    fields, body = parse(text)
    assert body == "Hello.\n"
    assert fields == {
        "voice": "heart",
        "lang": "en-GB",
        "speed": 1.5,
        "volume": 0.5,
        "backend": "hibari",
        "model": "big",
        "style": "calm: slow",
        "gender": "female",
        "fresh": True,
        "priority": "high",
        "output": "x.wav",
        "expires_s": 30.0,
        "replace": "door",
        "keep_alive": 5400.0,
    }


def test_a_key_may_be_spelled_as_its_flag() -> None:
    assert parse("---\nkeep-alive: 30m\n---\nHello.") == ({"keep_alive": 1800.0}, "Hello.")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_newlines_and_a_byte_order_mark_are_fine(newline: str) -> None:
    text = "\ufeff" + newline.join(["---", "voice: heart", "---", "Hello."])
    assert parse(text) == ({"voice": "heart"}, "Hello.")


def test_a_ruled_line_without_a_second_one_begins_no_header() -> None:
    assert parse("---\nvoice: heart\nHello.") == ({}, "---\nvoice: heart\nHello.")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("colour: red", "line 2 of the header has an unknown key 'colour'"),
        ("just words", "line 2 of the header is not KEY: VALUE: 'just words'"),
        ("voice:", "line 2 of the header: voice has no value"),
        ("speed: fast", "speed 'fast' must be a number"),
    ],
)
def test_what_is_not_understood_is_an_error_that_says_where(line: str, said: str) -> None:
    with pytest.raises((BadInput, BadOption), match=said):
        parse(f"---\n{line}\n---\nHello.")


def test_a_key_may_not_be_repeated() -> None:
    with pytest.raises(BadInput, match="line 3 of the header repeats voice"):
        parse("---\nvoice: a\nvoice: b\n---\nHello.")
