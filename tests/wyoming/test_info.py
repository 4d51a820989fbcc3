"""What the server offers, by the voices and clones that there are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import pytest

from vox.backends.base import Info, Voice
from vox.voices.catalog import Catalog
from vox.wyoming.info import info


class Catalogued:
    """The voices of some backends, which speak these languages."""

    def __init__(self, languages: dict[str, tuple[str, ...]], voices: Sequence[Voice]) -> None:
        self._languages = languages
        self._voices = list(voices)

    def info(self, name: str) -> Info:
        return Info(name=name, summary="", package="", languages=self._languages[name])

    def voices(self) -> list[Voice]:
        return self._voices


def offered(languages: dict[str, tuple[str, ...]], *voices: Voice) -> dict[str, dict[str, Any]]:
    """The voices by name."""
    found = info(cast("Catalog", Catalogued(languages, voices)))
    return {voice["name"]: voice for voice in found["tts"][0]["voices"]}


def test_what_is_not_installed_is_not_offered() -> None:
    assert not offered({"a": ()}, Voice("x", "a", "en", installed=False))


@pytest.mark.parametrize(
    ("of_backend", "voice", "others", "languages"),
    [
        ((), Voice("x", "a", "en-US"), (), ["en-US"]),
        ((), Voice("x", "a"), (), ["en"]),
        (("en", "de"), Voice("x", "a"), (), ["en", "de"]),
        # The German voice speaks German better, and nobody else speaks French.
        (("en", "de", "fr"), Voice("x", "a", "en-GB"), (Voice("y", "a", "de"),), ["en-GB", "fr"]),
        (("en", "de"), Voice("me", "a", "de", is_clone=True), (), ["de", "en"]),
        (("en", "de"), Voice("me", "a", is_clone=True), (Voice("y", "a", "de"),), ["en", "de"]),
    ],
)
def test_a_voice_is_offered_for_the_languages_that_it_is_best_at(
    of_backend: tuple[str, ...], voice: Voice, others: tuple[Voice, ...], languages: list[str]
) -> None:
    assert offered({"a": of_backend}, voice, *others)[f"a/{voice.name}"]["languages"] == languages


def test_a_clone_is_offered_with_each_backend_that_speaks_it() -> None:
    clones = [Voice("me", name, is_clone=True) for name in ("a", "b")]
    found = offered({"a": ("en",), "b": ("de",)}, *clones)
    assert {name: voice["description"] for name, voice in found.items()} == {
        "a/me": "me (your clone, a)",
        "b/me": "me (your clone, b)",
    }


def test_two_hundred_voices_are_small_enough_to_be_asked_for_all_the_time() -> None:
    voices = [Voice(f"voice-number-{number}", "a", "en-GB-scotland") for number in range(200)]
    data = info(cast("Catalog", Catalogued({"a": ()}, voices)))
    assert len(json.dumps(data)) < 100_000
