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
def test_a_tag_is_normalized(written: str, usual: str) -> None:
    assert normalize(written) == usual


@pytest.mark.parametrize("written", ["", "e", "english", "en us", "en-", "12", "-en", "en/US"])
def test_an_invalid_tag_is_refused(written: str) -> None:
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


def test_a_script_that_no_spoken_language_uses_is_foreign() -> None:
    assert {"CJK", "CYRILLIC", "GREEK"} <= foreign_scripts(["en"])
    assert "LATIN" not in foreign_scripts(["en"]) | foreign_scripts(["ru"])
    assert "CYRILLIC" not in foreign_scripts(["en", "ru-RU"])
    assert not {"CJK", "HIRAGANA", "KATAKANA"} & foreign_scripts(["ja"])


@pytest.mark.parametrize("spoken", [[], [""], ["en", "tlh"]])
def test_no_script_is_foreign_to_an_unknown_language(spoken: list[str]) -> None:
    assert foreign_scripts(spoken) == frozenset()
