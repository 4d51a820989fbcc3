"""What the server sets, and the voices it is told of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vox.jobs import OPTIONS
from vox.speechd.settings import Settings, VoiceType, fastest_in, how, local_language, parse
from vox.speechd.voices import Voices

LISTED: list[dict[str, Any]] = [
    {"name": name, "backend": backend, "lang": lang, "gender": gender, "installed": installed,
     "is_default": name == "heart", "description": "", "is_clone": False}
    for name, backend, lang, gender, installed in (
        ("heart", "hibari", "en-US", "female", True),
        ("fenrir", "hibari", "en-US", "male", False),
        ("emma", "hibari", "en-GB", "female", True),
        ("thorsten", "piper", "de-DE", "male", True),
        ("heart", "kokoro", "en-US", "female", True),
        ("me", "qwen", None, None, True),
    )
]  # fmt: skip


def test_a_block_is_read_and_what_is_unknown_or_wrong_is_passed_over() -> None:
    found = parse(
        ["rate=50", "volume=1000", "pitch=x", "punctuation_mode=some", "spelling_mode=on",
         "language=de_DE.UTF-8", "voice=female2", "synthesis_voice=NULL", "nonsense", "=", "rate"]
    )  # fmt: skip
    assert found == Settings(
        rate=0, volume=100, punctuation="some", spells=True, language="de-de",
        voice_type=VoiceType("female", 2),
    )  # fmt: skip


@pytest.mark.parametrize("language", ["c", "C", "NULL", "POSIX", ""])
def test_no_language_is_none(language: str) -> None:
    assert parse([f"language={language}"]).language is None


@pytest.mark.parametrize(
    ("voice", "found"),
    [
        ("male1", None),
        ("MALE2", VoiceType("male", 2)),
        ("child_female", VoiceType("female", 1)),
        ("robot", None),
        ("", None),
    ],
)
def test_the_type_that_the_server_usually_sends_leaves_the_voice_to_vox(
    voice: str, found: VoiceType | None
) -> None:
    assert parse([f"voice={voice}"]).voice_type == found


def test_rates_and_volumes_are_those_of_espeak_s_module() -> None:
    assert how(Settings(), 2.64) == {}
    assert how(Settings(rate=100, volume=0), 2.64) == {"speed": 2.64, "volume": 0.5}
    assert how(Settings(rate=-100, volume=-100), 2.64) == {"speed": 0.47, "volume": 0.0}
    assert how(Settings(rate=50), 3.0) == {"speed": 2.0}


def test_the_highest_speed_can_be_set(tmp_path: Path) -> None:
    path = tmp_path / "vox.conf"
    assert fastest_in(str(path)) == fastest_in(None) == 2.64
    path.write_text('# FastestSpeed 2\nFastestSpeed "3.5"\n')
    assert fastest_in(str(path)) == 3.5
    path.write_text("FastestSpeed 99\n")
    assert fastest_in(str(path)) == OPTIONS["speed"].high
    path.write_bytes(b"FastestSpeed soon\n")
    assert fastest_in(str(path)) == 2.64


def test_the_language_of_the_environment() -> None:
    assert local_language({"LANG": "de_AT.UTF-8"}) == "de-at"
    assert local_language({"LANG": "C.UTF-8"}) == local_language({}) == "en"


def test_installed_voices_are_listed_under_names_of_their_own(tmp_path: Path) -> None:
    voices = Voices(str(tmp_path / "cache" / "voices.json"))
    assert voices.lines() == ["vox\tnone\tnone"]
    voices.learn(LISTED)
    assert voices.lines() == [
        "hibari/heart\ten-US\tfemale1",
        "emma\ten-GB\tfemale1",
        "thorsten\tde-DE\tmale1",
        "kokoro/heart\ten-US\tfemale2",
        "me\tnone\tnone",
    ]
    assert Voices(str(tmp_path / "cache" / "voices.json")).lines() == voices.lines()
    found = voices.named("Kokoro/Heart")
    assert found is not None
    assert found.wish == {"voice": "heart", "backend": "kokoro"}
    assert voices.named("nobody") is None


def test_a_type_of_voice_is_one_of_the_language(tmp_path: Path) -> None:
    voices = Voices(str(tmp_path / "voices.json"))
    voices.learn(LISTED)

    def name(gender: str, number: int, language: str) -> str | None:
        found = voices.of_type(VoiceType(gender, number), language)
        return f"{found.backend}/{found.name}" if found else None

    assert name("female", 2, "en-us") == "kokoro/heart"
    assert name("female", 3, "en-us") == "hibari/heart"
    assert name("female", 1, "en-gb") == "hibari/emma"
    assert name("male", 1, "de") == "piper/thorsten"
    assert name("male", 1, "en") is None


@pytest.mark.parametrize("damage", ["", "{}", "[1]", '[{"name": "x"}]', "\xff"])
def test_a_damaged_list_is_as_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "voices.json"
    path.write_text(damage, encoding="latin-1")
    assert Voices(str(path)).lines() == ["vox\tnone\tnone"]
