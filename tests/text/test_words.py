"""The table of the words that vox itself says."""

from __future__ import annotations

import pytest

from vox.text.words import LANGUAGES, word


@pytest.mark.parametrize("lang", ["de", "de-AT", "DE", "de_CH"])
def test_a_word_is_said_in_the_language_of_the_tag(lang: str) -> None:
    assert word(lang, "dot") == "Punkt"


def test_a_language_that_the_table_lacks_is_spoken_to_in_english() -> None:
    assert word("nl", "dot") == "dot"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_its_words(lang: str) -> None:
    assert word(lang, "link to").strip()
    assert "{}" in word(lang, "flag")


def test_an_unknown_word_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        word("en", "no such row")
