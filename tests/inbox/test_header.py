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
@pytest.mark.parametrize("before", ["", "\ufeff", "\ufeff\ufeff", "\n\n", "\ufeff\n \n"])
def test_any_newlines_byte_order_marks_and_blank_lines_are_fine(newline: str, before: str) -> None:
    text = before + newline.join(["---", "voice: heart", "---", "Hello."])
    assert parse(text) == ({"voice": "heart"}, "Hello.")


@pytest.mark.parametrize(
    "text",
    [
        "---\nvoice: heart\nHello.",
        "---\nVoice: heart",
        "\ufeff---\r\nkeep-alive: 5m\r\n\r\nHello.",
        "---\n# mine\n\nspeed: 2\n----\nHello.",
        "---\nlang: en\nHello.\n-- -\n",
    ],
)
def test_a_header_that_does_not_end_is_refused_and_not_read_aloud(text: str) -> None:
    with pytest.raises(BadInput, match=r"which begins with '.*', does not end") as found:
        parse(text)
    assert found.value.hint == "add a line of --- below its last KEY: VALUE"


@pytest.mark.parametrize(
    "text",
    [
        "---\nHello.\n",
        "---\nNote: this is a text.\n",
        "---\n\nOne thing: a rule is above.\n\n---\n\nAnd another.\n",
        "---\ntitle: A page\ndate: 2026-11-29\n---\nHello.",
        "---\ntitle: A page\nsource: https://example.com\n---\nHello.",
        "---\ntitle: A page\nlang: en\ntags:\n  - one\n---\nHello.",
        "---\nlang: en\ntitle: A page\n",
        "---",
    ],
)
def test_a_rule_and_the_front_matter_of_a_page_are_no_header(text: str) -> None:
    assert parse(text) == ({}, text)


def test_a_header_may_be_empty() -> None:
    assert parse("---\n---\nHello.") == ({}, "Hello.")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("title: x\nvoice: heart", "line 2 of the header has an unknown key 'title'"),
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
