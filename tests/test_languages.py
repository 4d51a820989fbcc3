"""Language tags are compared as speakers would."""

from __future__ import annotations

import pytest

from vox.errors import UnknownLanguage
from vox.languages import closeness, foreign_scripts, normalize, primary


@pytest.mark.parametrize(
    ("written", "usual"),
    [
        ("en", "en"),
        ("EN_us", "en-US"),
        (" de-at ", "de-AT"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("en-GB-X-RP", "en-GB-x-rp"),
    ],
)
def test_a_tag_is_brought_into_its_usual_writing(written: str, usual: str) -> None:
    assert normalize(written) == usual


@pytest.mark.parametrize("written", ["", "e", "english", "en us", "en-", "12", "-en", "en/US"])
def test_what_is_no_tag_is_refused(written: str) -> None:
    with pytest.raises(UnknownLanguage, match="is not a language tag"):
        normalize(written)


def test_a_language_s_english_name_gets_its_tag_as_a_hint() -> None:
    with pytest.raises(UnknownLanguage) as caught:
        normalize("German")
    assert caught.value.hint == "write de"


def test_closer_tags_fit_better() -> None:
    assert closeness("en-US", "en-us") > closeness("en-US", "en") > closeness("en-US", "en-GB") > 0
    assert closeness("de", "en") == closeness("", "en") == 0
    assert closeness("cmn", "zh") > 0
    assert primary("nb-NO") == primary("no")


def test_scripts_are_strange_to_who_speaks_no_language_that_is_written_in_them() -> None:
    assert {"CJK", "CYRILLIC", "GREEK"} <= foreign_scripts(["en"])
    assert "LATIN" not in foreign_scripts(["en"]) | foreign_scripts(["ru"])
    assert "CYRILLIC" not in foreign_scripts(["en", "ru-RU"])
    assert not {"CJK", "HIRAGANA", "KATAKANA"} & foreign_scripts(["ja"])


@pytest.mark.parametrize("spoken", [[], [""], ["en", "tlh"]])
def test_of_a_language_that_is_not_known_no_script_is_called_strange(spoken: list[str]) -> None:
    assert foreign_scripts(spoken) == frozenset()
