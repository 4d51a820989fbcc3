"""Characters, keys, spelled texts and symbols, in six languages."""

from __future__ import annotations

import string

import pytest

from vox.speechd.letters import letter_name
from vox.speechd.marked import Mark, Marked
from vox.speechd.symbols import LANGUAGES, symbols, word
from vox.speechd.wording import Wording, tidied

ENGLISH = Wording("en-us")


def test_every_symbol_has_a_name_in_each_language() -> None:
    assert len(symbols()) > 80
    for sign, symbol in symbols().items():
        assert len(symbol.names) == len(LANGUAGES), sign
        assert all(any(map(str.isalpha, name)) for name in symbol.names), sign
    assert set(string.punctuation) <= set(symbols())


@pytest.mark.parametrize("name", ["acute", "capital", "control", "kp", "prior", "window"])
def test_every_word_is_there_in_each_language(name: str) -> None:
    assert all(word(name, lang) for lang in LANGUAGES)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_letter_has_a_name_of_its_own(lang: str) -> None:
    names = [letter_name(letter, lang) for letter in string.ascii_lowercase]
    assert None not in names
    assert len(set(names)) == 26


@pytest.mark.parametrize(
    ("lang", "char", "said"),
    [
        ("en-us", "b", "bee"), ("en-us", "z", "zee"), ("en-gb", "z", "zed"), ("de", "y", "Ypsilon"),
        ("en", "é", "E acute"), ("en", "e\u0301", "E acute"), ("fr", "é", "E accent aigu"),
        ("de", "ß", "Eszett"), ("es", "ñ", "eñe"), ("en", "5", "5"), ("en", "中", "中"),
        ("en", ".", "dot"), ("de", "@", "at"), ("it", "@", "chiocciola"), ("pl", "@", "at"),
        ("en", " ", "space"), ("en", "\n", "new line"), ("en", "∴", "therefore"),
        ("en", "😀", "😀"), ("en", "B", "bee"), ("en", "", ""),
    ],
)  # fmt: skip
def test_a_character_is_named(lang: str, char: str, said: str) -> None:
    assert Wording(lang).character(char) == said


def test_a_capital_is_told_where_it_is_asked_for() -> None:
    assert Wording("en", says_capitals=True).character("B") == "capital bee"
    assert Wording("fr", says_capitals=True).character("É") == "E accent aigu majuscule"
    assert Wording("en", says_capitals=True).character("b") == "bee"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("control_a", "control eigh"), ("shift_A", "shift eigh"), ("KP_Enter", "keypad enter"),
        ("kp-*", "keypad star"), ("kp-5", "keypad 5"), ("_", "underscore"), ("F1", "eff 1"),
        ("control_alt_Delete", "control alt delete"), ("space", "space"),
        ("control__", "control underscore"),
        ("Return", "return"), ("Page_Down", "Page down"), ("prior", "page up"), ("x", "ex"),
    ],
)  # fmt: skip
def test_a_key_is_named(name: str, said: str) -> None:
    assert ENGLISH.key(name) == said


def test_a_text_is_spelled() -> None:
    assert ENGLISH.spelled("Hi 5!") == "aitch, eye, space, 5, exclamation mark, "


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("none", "Hi, (you)! a+b $5."),
        ("some", "Hi, (you)! a plus b $5."),
        ("most", "Hi, left paren you right paren ! a plus b $5."),
        ("all", "Hi comma, left paren you right paren exclamation mark! a plus b dollar 5 dot."),
    ],
)
def test_symbols_are_said_as_the_mode_of_punctuation_asks(mode: str, said: str) -> None:
    text = ENGLISH.punctuated(Marked("Hi, (you)! a+b $5."), mode)
    assert tidied(text).text == said


def test_a_dot_between_digits_is_no_pause() -> None:
    assert tidied(ENGLISH.punctuated(Marked("1.5"), "all")).text == "1 dot 5"


def test_what_the_server_has_torn_apart_is_put_together() -> None:
    text = tidied(Marked(" Version 1 .5  is out ", (Mark("m", 11),)))
    assert text == Marked("Version 1.5 is out", (Mark("m", 10),))
