"""The rules that choose who speaks, for the built-in backends and one of a third party."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.voices.conftest import Fetch, Settable, needs_no_mlx
from vox.backends.base import Voice
from vox.errors import (
    BackendNotInstalled,
    BadOption,
    UnknownLanguage,
    UnknownVoice,
    VoxError,
)
from vox.voices import choice
from vox.voices.catalog import Catalog
from vox.voices.choice import ignored, voices_for
from vox.voices.wish import Resolved, Wish

needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng here")


def resolve(
    catalog: Catalog, backend: str | None = None, voice: str | None = None, **wish: Any
) -> Resolved:
    return choice.resolve(catalog, Wish(backend=backend, voice=voice, **wish))


def who(resolved: Resolved) -> tuple[str, str | None, str | None]:
    return resolved.backend, resolved.voice, resolved.lang


def raised(kind: type[VoxError], catalog: Catalog, **wish: Any) -> VoxError:
    with pytest.raises(kind) as caught:
        resolve(catalog, **wish)
    return caught.value


def test_a_request_that_names_nothing_is_english_by_hibari(catalog: Catalog) -> None:
    assert resolve(catalog) == Resolved("hibari", None, None, None, [])
    assert who(resolve(catalog, lang="EN_gb")) == ("hibari", None, "en-GB")


@needs_espeak
def test_another_language_goes_to_say_if_piper_has_no_voice(
    catalog: Catalog, config: Settable
) -> None:
    assert who(resolve(catalog, lang="de")) == ("say", None, "de")
    assert who(resolve(catalog, default_lang="de")) == ("say", None, "de")
    assert who(resolve(catalog, lang="de", default_backend="hibari")) == ("say", None, "de")


@needs_espeak
def test_the_text_chooses_its_language_if_nothing_else_does(catalog: Catalog) -> None:
    assert who(resolve(catalog, text_lang="ja")) == ("say", None, "ja")
    assert who(resolve(catalog, text_lang="uk", default_backend="hibari")) == ("say", None, "uk")
    assert who(resolve(catalog, "say", text_lang="ru")) == ("say", None, "ru")


@pytest.mark.parametrize(
    ("wish", "chosen"),
    [
        ({"lang": "en"}, ("hibari", None, "en")),
        ({"default_lang": "en"}, ("hibari", None, "en")),
        ({"voice": "heart"}, ("hibari", "heart", None)),
        ({"backend": "hibari"}, ("hibari", None, None)),  # which does not speak Japanese
        ({"source_lang": "en", "source_table": "sources.x"}, ("hibari", None, "en")),
    ],
)
def test_who_is_named_speaks_whatever_the_text_tells(
    catalog: Catalog, wish: dict[str, Any], chosen: tuple[str, str | None, str | None]
) -> None:
    assert who(resolve(catalog, **wish, text_lang="ja")) == chosen


def test_a_language_that_nobody_speaks_is_not_taken_from_the_text(catalog: Catalog) -> None:
    assert who(resolve(catalog, text_lang="bo")) == ("hibari", None, None)


def test_the_configured_backend_speaks_its_languages(catalog: Catalog, toy: None) -> None:
    assert who(resolve(catalog, default_backend="toy")) == ("toy", None, None)
    assert who(resolve(catalog, default_backend="toy", lang="en")) == ("hibari", None, "en")
    assert who(resolve(catalog, "hibari", default_backend="toy")) == ("hibari", None, None)


def test_the_named_backend_must_speak_the_language(catalog: Catalog) -> None:
    error = raised(UnknownLanguage, catalog, backend="hibari", lang="de")
    assert error.line == "hibari does not speak de; it speaks en"
    assert error.exit_code == 2
    assert raised(UnknownLanguage, catalog, lang="english").hint == "write en"
    raised(UnknownLanguage, catalog, lang="tlh")
    # A language that is only a default stands back.
    assert who(resolve(catalog, "hibari", default_lang="de")) == ("hibari", None, None)
    assert who(resolve(catalog, lang="en", default_lang="german")) == ("hibari", None, "en")


def test_a_unique_voice_needs_no_backend(catalog: Catalog, toy: None) -> None:
    assert who(resolve(catalog, voice="zamenhof")) == ("toy", "zamenhof", None)
    assert who(resolve(catalog, voice="HEART")) == ("hibari", "heart", None)


def test_an_ambiguous_voice_needs_a_backend(catalog: Catalog, toy: None, clone: str) -> None:
    voices = catalog.voices()
    assert [voice.backend for voice in voices if voice.name == "zamenhof"] == ["toy", "toy-huge"]
    # The toy has it installed, the huge one has not.
    assert resolve(catalog, voice="zamenhof").backend == "toy"
    weights = Path(catalog.settings_for("toy-huge").env_dir) / "weights"
    weights.mkdir(parents=True)
    (weights / "toy.bin").write_text("")
    error = raised(BadOption, catalog, voice="zamenhof")
    assert error.hint == "choose one: -b toy or -b toy-huge"
    assert resolve(catalog, voice="zamenhof", default_backend="toy-huge").backend == "toy-huge"


def test_an_unknown_voice_gets_similar_names_as_a_hint(catalog: Catalog) -> None:
    assert raised(UnknownVoice, catalog, voice="heartt").line == (
        "no voice is called 'heartt'; did you mean heart or af_heart?"
    )
    assert raised(UnknownVoice, catalog, voice="nobody").hint == "see: vox voices"
    for name in ("hibari", "Kokoro"):
        hint = f"it is a backend: -b {name.lower()}"
        assert raised(UnknownVoice, catalog, voice=name).hint == hint
    assert raised(UnknownVoice, catalog, voice="Ryann").hint == "did you mean Ryan or Dylan?"
    error = raised(UnknownVoice, catalog, backend="hibari", voice="nobody")
    assert error.hint.startswith("e.g. heart, ") and error.exit_code == 4


def test_an_unfetched_voice_gets_the_command_that_fetches_it(
    catalog: Catalog, tmp_path: Path
) -> None:
    error = raised(BackendNotInstalled, catalog, voice="emma")
    assert error.hint == "run: vox backends install hibari --voice emma"
    # Seen as soon as it is there.
    (tmp_path / "hibari").mkdir()
    (tmp_path / "hibari" / "bf_emma.int8.onnx").write_bytes(b"")
    assert who(resolve(catalog, voice="emma")) == ("hibari", "emma", None)


def test_a_voice_of_an_uninstalled_backend_is_installed_with_it(catalog: Catalog) -> None:
    error = raised(BackendNotInstalled, catalog, voice="de_DE-thorsten-medium")
    install = "vox backends install piper --voice de_DE-thorsten-medium"
    assert error.line == f"piper is not installed; run: {install}"


def test_a_piper_voice_speaks_only_its_own_language(catalog: Catalog) -> None:
    error = raised(VoxError, catalog, backend="piper", voice="de_DE-thorsten-medium", lang="en")
    assert error.message == "de_DE-thorsten-medium speaks de-DE, not en"


def test_voices_for_a_language_come_best_first(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        Voice("kumo", "kokoro"),  # of no language of its own
        Voice("far", "kokoro", "en-US"),
        Voice("fetched", "piper", "en-US"),
        Voice("unfetched", "piper", "en-GB", installed=False),
        Voice("german", "piper", "de-DE", installed=False),
        Voice("many", "qwen-native", "zh"),
        Voice("me", "qwen-native", "fr", is_clone=True),
    ]
    monkeypatch.setattr(catalog, "voices", lambda *_args, **_keywords: found)

    def names(lang: str) -> list[str]:
        return [voice.name for voice in voices_for(catalog, lang)]

    assert names("en") == ["far", "fetched", "unfetched", "kumo", "many", "me"]
    assert names("en-GB") == ["unfetched", "far", "fetched", "kumo", "many", "me"]
    assert names("de") == ["german", "many", "me"]
    assert names("zh") == ["many", "me"]
    assert names("xx") == []
    with pytest.raises(UnknownLanguage):
        names("klingonese")


def test_the_configured_voice_applies_only_to_its_own_backend(
    catalog: Catalog, config: Settable, toy: None
) -> None:
    assert who(resolve(catalog, default_voice="zamenhof")) == ("toy", "zamenhof", None)
    assert who(resolve(catalog, "hibari", default_voice="zamenhof")) == ("hibari", None, None)
    assert who(resolve(catalog, default_voice="zamenhof", lang="en")) == ("hibari", None, "en")
    gone = resolve(catalog, default_voice="nobody")
    assert who(gone) == ("hibari", None, None)
    assert gone.notes == ["the configured voice is not used: no voice is called 'nobody'"]
    config.backends["toy"] = {"voice": "zamenhof"}
    assert who(resolve(catalog, "toy")) == ("toy", "zamenhof", None)


def test_a_clone_goes_to_an_installed_backend_that_can_clone(
    catalog: Catalog, clone: str, toy: None
) -> None:
    resolved = resolve(catalog, voice=clone)
    assert who(resolved) == ("toy", "me", "eo")
    assert resolved.clone == catalog.clone("me")
    error = raised(BadOption, catalog, backend="hibari", voice=clone)
    assert error.message == "hibari cannot speak with a cloned voice"
    assert [voice.backend for voice in catalog.voices() if voice.is_clone] == ["toy"]
    assert resolve(catalog, default_voice=clone).clone is not None


@needs_no_mlx
def test_what_is_here_goes_before_what_workers_may_have(
    catalog: Catalog, config: Settable, clone: str, toy: None, fetched: Fetch
) -> None:
    config.values["workers"] = "redis://gpu"
    assert resolve(catalog, voice=clone).backend == "toy"
    assert resolve(catalog).backend == "hibari"
    assert who(resolve(catalog, "qwen", clone)) == ("qwen", "me", "eo")
    fetched("0.6B-CustomVoice")
    assert catalog.is_ready("qwen") and not catalog.is_ready("qwen", voice=clone)
    assert ignored(catalog, resolve(catalog, "qwen", clone)) == []
    assert resolve(catalog, voice=clone).backend == "toy"
    fetched("0.6B-Base")
    assert catalog.is_ready("qwen", voice=clone)
    assert resolve(catalog, voice=clone).backend == "qwen"


def test_of_what_workers_may_have_what_they_serve_goes_first(
    catalog: Catalog, config: Settable, clone: str, toy: None
) -> None:
    asked: list[str] = []

    def is_served(name: str) -> bool:
        asked.append(name)
        return name in ("voxtream", "kokoro")

    catalog.is_served = is_served
    config.values["workers"] = "redis://gpu"
    assert resolve(catalog, voice=clone).backend == "toy"
    assert resolve(catalog, voice="zamenhof").backend == "toy"
    assert resolve(catalog).backend == "hibari"
    assert not asked  # it takes a while
    assert resolve(catalog, voice="heart").backend == "hibari"
    assert resolve(catalog, voice="af_heart").backend == "kokoro"
    (Path(catalog.settings_for("toy").env_dir) / "weights" / "toy.bin").unlink()
    assert resolve(catalog, voice=clone).backend == "voxtream"
    assert resolve(catalog, voice=clone, default_backend="qwen").backend == "qwen"


def test_a_language_that_nothing_here_speaks_goes_to_workers_that_are_there(
    catalog: Catalog, config: Settable, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.values["workers"] = "redis://gpu"
    catalog.is_served = lambda name: name == "piper"
    assert resolve(catalog, lang="de").backend == "say"
    monkeypatch.setenv("PATH", "")  # where the program of `say` is
    assert resolve(catalog, lang="de").backend == "piper"
    catalog.is_served = lambda _name: False
    raised(BackendNotInstalled, catalog, lang="de")
    assert resolve(catalog, lang="en").backend == "hibari"


@needs_no_mlx
def test_a_clone_goes_to_a_backend_that_has_the_weights_for_clones(
    catalog: Catalog, clone: str, fetched: Fetch, toy: None
) -> None:
    fetched("0.6B-CustomVoice")
    assert catalog.is_ready("qwen")
    assert resolve(catalog, voice=clone).backend == "toy"
    assert resolve(catalog, default_voice=clone).backend == "toy"
    chosen = resolve(catalog, "qwen", clone)
    with pytest.raises(BackendNotInstalled, match=r"0\.6B-Base are not installed") as caught:
        ignored(catalog, chosen)
    assert caught.value.hint == "run: vox backends install qwen -m 0.6B-Base"
    fetched("0.6B-Base")
    assert ignored(catalog, chosen) == []
    assert resolve(catalog, voice=clone).backend == "qwen"


@needs_no_mlx
def test_the_hint_is_the_weights_for_clones_if_only_those_are_missing(
    catalog: Catalog, clone: str, fetched: Fetch
) -> None:
    fetched("0.6B-CustomVoice")
    error = raised(BackendNotInstalled, catalog, voice=clone)
    assert error.hint == "run: vox backends install qwen -m 0.6B-Base"


@needs_no_mlx
def test_a_style_that_is_not_followed_gets_a_note(catalog: Catalog, fetched: Fetch) -> None:
    fetched("0.6B-CustomVoice")
    (note,) = ignored(catalog, resolve(catalog, "qwen"), style="a giant")
    assert note.startswith("0.6B-CustomVoice ignores --style; use -m ")
    fetched("1.7B-CustomVoice")
    ryan = resolve(catalog, "qwen", "Ryan", model="1.7B")
    assert ignored(catalog, ryan, style="a giant", model="1.7B") == []
    fetched("1.7B-VoiceDesign")
    assert ignored(catalog, resolve(catalog, "qwen"), style="a giant") == []
    # A voice has a sound of its own, which is not described.
    assert ignored(catalog, resolve(catalog, "qwen", "Ryan"), style="a giant") == [note]


def test_a_clone_that_no_backend_can_speak_gets_a_command_as_a_hint(
    catalog: Catalog, clone: str
) -> None:
    error = raised(BackendNotInstalled, catalog, voice=clone)
    assert error.hint.startswith("run: vox backends install ")


def test_a_clone_cannot_take_the_name_of_a_voice(catalog: Catalog, clone: str) -> None:
    with pytest.raises(BadOption, match="a backend has a voice"):
        catalog.clones.check_name("heart")


def test_gender_picks_a_voice_or_gets_a_note(catalog: Catalog, tmp_path: Path) -> None:
    missing = resolve(catalog, gender="male")
    assert missing.voice is None
    assert missing.notes == ["hibari has no male voice installed; --gender is ignored"]
    (tmp_path / "hibari").mkdir()
    (tmp_path / "hibari" / "bm_fable.int8.onnx").write_bytes(b"")
    assert who(resolve(catalog, gender="male")) == ("hibari", "fable", None)
    clash = resolve(catalog, voice="heart", gender="male")
    assert clash.notes == ["heart is female; --gender is ignored"]
    raised(BadOption, catalog, gender="loud")


def test_each_ignored_option_gets_one_note(catalog: Catalog) -> None:
    notes = resolve(catalog, "hibari", style="sad").notes
    assert notes == ["hibari has no style; --style is ignored"]


@needs_espeak
def test_a_third_party_s_backend_comes_before_the_last_resort(
    catalog: Catalog, config: Settable, toy: None
) -> None:
    assert list(catalog.asked_by_default()) == ["hibari", "piper", "toy", "say"]
    assert who(resolve(catalog, lang="eo")) == ("toy", None, "eo")
    weights = Path(catalog.settings_for("toy").env_dir) / "weights" / "toy.bin"
    weights.unlink()
    assert who(resolve(catalog, lang="eo")) == ("say", None, "eo")


def test_a_language_that_no_installed_backend_speaks_gets_a_command_as_a_hint(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no espeak-ng
    assert raised(BackendNotInstalled, catalog, lang="eo").line == (
        "no installed backend speaks eo; run: vox backends install toy"
    )
    assert raised(BackendNotInstalled, catalog, lang="de-AT").hint == (
        "run: vox backends install piper --voice de"
    )
