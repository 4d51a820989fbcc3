"""Text: what is refused, and how it is split."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from typing import Any

import pytest

from vox.errors import BadInput, TextTooLong
from vox.text.clean import check
from vox.text.decode import decode
from vox.text.kinds import KINDS
from vox.text.scripts import written_in
from vox.text.speakable import Reading, pieces

AS_WRITTEN = Reading(reads=frozenset(KINDS), emoji="drop")


def texts(text: str, **options: Any) -> list[str]:
    return [piece.text for piece in pieces(text, replace(AS_WRITTEN, **options))]


@pytest.mark.parametrize("text", ["", " \n\t", "...!?", "👍 🎉", "— * —", "\ufeff"])
def test_text_without_words_is_empty(text: str) -> None:
    assert texts(text) == []


@pytest.mark.parametrize("text", ["a", "7", "日本", "§ 3"])
def test_anything_that_can_be_said_is_text(text: str) -> None:
    assert texts(text) == [text]


def test_binary_is_said_to_be_binary() -> None:
    with pytest.raises(BadInput, match="binary"):
        check("a\0b")


def test_arguments_that_were_not_utf_8_are_refused() -> None:
    with pytest.raises(BadInput, match="UTF-8"):
        check("caf\udce9")


def test_too_long_a_text_says_how_long_it_is() -> None:
    with pytest.raises(TextTooLong, match=r"1,001 .*1,000"):
        check("a" * 1_001, limit=1_000)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_decoded(encoding: str) -> None:
    assert texts(decode("Grüße, 世界".encode(encoding))) == ["Grüße, 世界"]


def test_what_is_not_utf_8_is_refused_with_the_place() -> None:
    with pytest.raises(BadInput, match="byte 4 is 0xe9"):
        decode(b"caf\xe9")


def test_sentences_are_found_and_abbreviations_are_not_their_ends() -> None:
    assert texts(
        "Dr. Smith paid 3.5 dollars for it. See https://a.b/c.d?e=1 for more. It is done."
    ) == [
        "Dr. Smith paid 3.5 dollars for it.",
        "See https://a.b/c.d?e=1 for more.",
        "It is done.",
    ]


def test_a_wrapped_paragraph_is_not_cut_at_its_line_ends() -> None:
    assert texts("This sentence is\nwrapped here.\n\nAnother paragraph") == [
        "This sentence is wrapped here.",
        "Another paragraph",
    ]


def test_lists_and_headings_are_cut_at_their_lines_without_markers() -> None:
    text = "# The title\nSome text here\n---\n- first item\n* second item\n1. third item\n> a quote"
    assert texts(text) == [
        "The title",
        "Some text here",
        "first item",
        "second item",
        "1. third item",
        "a quote",
    ]


def test_fragments_are_joined_to_their_neighbours() -> None:
    assert texts("Yes! No. That is what he said. Ok.") == ["Yes! No. That is what he said. Ok."]


def test_a_long_first_sentence_begins_with_a_clause() -> None:
    text = (
        "When the build had finished, which took all of the night, everybody who had waited for it "
        "went home at last and slept for a very long time."
    )
    said = texts(text, first_max=60)
    assert said[0] == "When the build had finished,"
    assert " ".join(said) == text


def test_long_sentences_are_cut_at_clauses() -> None:
    sentence = ", ".join(["there are many words in this clause"] * 40) + "."
    said = texts(sentence, max_chars=200)
    assert all(len(piece) <= 200 for piece in said)
    assert all(piece.endswith((",", ".")) for piece in said)


def test_chinese_is_cut_at_its_full_stops() -> None:
    assert texts("今天天气很好。我们去公园吧。你觉得怎么样？", lang="zh-CN") == [
        "今天天气很好。",
        "我们去公园吧。",
        "你觉得怎么样？",
    ]


def test_a_word_without_end_is_cut_between_letters_and_their_signs() -> None:
    for letter in ("\u0e01\u0e31", "\u0915\u093f", "e\u0301"):  # Thai, Devanagari, Latin
        _, *said = texts("x" + letter * 900)
        assert len(said) > 1
        assert all(piece.startswith(unicodedata.normalize("NFC", letter)) for piece in said)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello 你好世界 world", "你好世界"),
        ("Hello 你好，\n世界! world", "你好， 世界"),
        ("Hello你好", "你好"),
        ("नमस्ते!", "नमस्ते"),
        ("Москва and Санкт-Петербург", "Москва"),
        ("слово " * 10, "слово слово слово с…"),
        ("Grüße, naïve Ångström, ﬁn, ｆｕｌｌ", ""),
        ("5 µm, 3 \u2126, 1º, 👍🏽 🎉 — 42 ½ ②", ""),
        ("日本", "日本"),
        ("日本" + "👍" * 1_000_000, "日本"),
        ("カー and more", ""),
    ],
)
def test_letters_of_other_scripts_are_found(text: str, found: str) -> None:
    assert written_in(text, {"CJK", "CYRILLIC", "DEVANAGARI", "GREEK"}) == found
