"""Which Qwen3-TTS checkpoint, speaker and language an utterance gets: no package needed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from vox.backends import registry
from vox.backends.base import Clone, Settings, Utterance
from vox.backends.qwen.family import (
    SPEAKERS,
    chosen,
    kind_for,
    language_name,
    max_frames,
    speaker_for,
)
from vox.backends.qwen.native import QwenNative
from vox.errors import BackendNotInstalled, LoadFailed, UnknownVoice

MODEL_SPEAKERS = sorted(name.lower() for name in SPEAKERS)
CLONE = Clone("me", "/me.wav")


def settings(tmp_path: Path, model: str | None = None) -> Settings:
    return Settings(voices_dir=str(tmp_path), env_dir=str(tmp_path), model=model)


@pytest.mark.parametrize(
    ("model", "repo"),
    [
        (None, "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice"),
        ("1.7b", "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"),
        ("Base", "Qwen/Qwen3-TTS-12Hz-0.6B-Base"),
        ("1.7B-Base", "Qwen/Qwen3-TTS-12Hz-1.7B-Base"),
        ("VoiceDesign", "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign"),
        ("somebody/their-base", "somebody/their-base"),
    ],
)
def test_a_model_is_picked_by_size_kind_or_repository(
    tmp_path: Path, model: str | None, repo: str
) -> None:
    assert chosen(settings(tmp_path, model), QwenNative.repo_pattern).repo == repo


def test_a_folder_is_what_its_config_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"tts_model_type": "base", "tts_model_size": "1b7"}')
    found = chosen(settings(tmp_path, str(tmp_path)), QwenNative.repo_pattern)
    assert (found.kind, found.size, found.repo) == ("Base", "1.7B", None)


def test_a_name_that_means_no_model_is_refused_with_those_there_are(tmp_path: Path) -> None:
    wish = settings(tmp_path, "huge")
    with pytest.raises(BackendNotInstalled, match="huge") as refused:
        chosen(wish, QwenNative.repo_pattern)
    assert "1.7B" in refused.value.hint
    assert "huge" in (QwenNative.missing(wish) or "")


def make_folder(folder: Path) -> Path:
    """What looks like a whole model."""
    for part in (folder, folder / "speech_tokenizer"):
        part.mkdir()
        (part / "config.json").write_text("{}")
        (part / "model.safetensors").write_bytes(b"weights")
    return folder


def test_a_folder_of_the_users_own_is_installed_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(make_folder(tmp_path / "mine"))
    for model in (str(tmp_path / "mine"), "~/mine", "./../mine"):
        wish = settings(tmp_path / "env", model)
        assert (QwenNative.weights_mb(wish), QwenNative.missing(wish)) == (0, None)
        QwenNative.fetch(wish, lambda _text, _fraction: None)
    assert not (tmp_path / "env").exists()


@pytest.mark.parametrize("lost", ["config.json", "speech_tokenizer/model.safetensors"])
def test_a_folder_that_is_no_whole_model_is_refused_before_anything_is_installed(
    tmp_path: Path, lost: str
) -> None:
    folder = make_folder(tmp_path / "mine")
    (folder / lost).unlink()
    wish = settings(tmp_path, str(folder))
    with pytest.raises(BackendNotInstalled, match=f"no whole Qwen3-TTS model in {folder}") as none:
        QwenNative.weights_mb(wish)
    assert none.value.hint == f"it lacks {lost}"
    away = settings(tmp_path, str(tmp_path / "away"))
    assert QwenNative.missing(away) == f"there is no folder {tmp_path / 'away'}"
    assert lost in (QwenNative.missing(wish) or "")


def test_how_much_is_fetched_goes_by_the_model_and_what_is_there(tmp_path: Path) -> None:
    def needed(model: str | None, *further: str) -> int:
        wish = settings(tmp_path, model)
        return QwenNative.weights_mb(dataclasses.replace(wish, options={"voices": further}))

    assert (needed(None), needed("1.7B"), needed("VoiceDesign")) == (2494, 4516, 4516)
    # The codec is counted once, and so is what is named twice; a speaker is no model.
    assert needed("0.6B", "0.6B-Base", "0.6B", "Ryan") == 2494 + 1829
    assert needed("somebody/their-1.7B-base") > needed("somebody/theirs") > 2000
    make_folder_of = tmp_path / "weights" / "Qwen--Qwen3-TTS-12Hz-0.6B-CustomVoice"
    make_folder_of.parent.mkdir()
    make_folder(make_folder_of)
    assert needed(None) == 0
    with pytest.raises(BackendNotInstalled, match="has no model 'huge'"):
        needed("huge")


def test_absent_weights_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    missing = QwenNative.missing(settings(tmp_path)) or ""
    assert "0.6B-CustomVoice" in missing
    assert missing.endswith("run: vox backends install qwen-native")
    for model, command in [
        (None, "vox backends install qwen-native"),
        ("1.7B", "vox backends install qwen-native -m 1.7B-CustomVoice"),
        ("a/b", "vox backends install qwen-native -m a/b"),
    ]:
        with pytest.raises(BackendNotInstalled) as refused:
            QwenNative(settings(tmp_path, model)).load(lambda _text, _fraction: None)
        assert refused.value.hint == f"run: {command}"


@pytest.mark.parametrize(
    ("utterance", "kind"),
    [
        (Utterance("x"), "CustomVoice"),
        (Utterance("x", style="calm"), "CustomVoice"),
        (Utterance("x", voice="Ryan", style="calm"), "CustomVoice"),
        (Utterance("x", clone=CLONE, style="calm"), "Base"),
    ],
)
def test_the_kind_follows_from_the_utterance(utterance: Utterance, kind: str) -> None:
    assert kind_for(utterance, "CustomVoice", has_design=False) == kind


def test_a_style_without_a_voice_goes_to_voice_design_where_it_is_installed() -> None:
    assert (
        kind_for(Utterance("x", style="a giant"), "CustomVoice", has_design=True) == "VoiceDesign"
    )
    assert kind_for(Utterance("x"), "VoiceDesign", has_design=True) == "VoiceDesign"
    named = Utterance("x", voice="Ryan", style="a giant")
    assert kind_for(named, "VoiceDesign", has_design=True) == "CustomVoice"


@pytest.mark.parametrize(
    ("utterance", "speaker"),
    [
        (Utterance("x"), "ryan"),
        (Utterance("x", voice="Ono Anna"), "ono_anna"),
        (Utterance("x", lang="zh-CN"), "vivian"),
        (Utterance("x", lang="ko"), "sohee"),
        (Utterance("x", lang="zh", gender="male"), "uncle_fu"),
        (Utterance("x", lang="de", gender="female"), "serena"),
        (Utterance("x", lang="ja", gender="male"), "ryan"),
    ],
)
def test_a_speaker_follows_from_voice_language_and_gender(
    utterance: Utterance, speaker: str
) -> None:
    assert speaker_for(utterance, MODEL_SPEAKERS) == speaker


def test_an_unknown_speaker_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownVoice, match="Bob") as refused:
        speaker_for(Utterance("x", voice="Bob"), MODEL_SPEAKERS)
    assert "Uncle_Fu" in refused.value.hint


def test_a_model_of_the_users_own_speaks_with_its_own_speaker() -> None:
    assert speaker_for(Utterance("x"), ["grandma"]) == "grandma"


def test_nine_voices_have_language_and_sex_and_one_default_each(tmp_path: Path) -> None:
    voices = QwenNative.voices(settings(tmp_path))
    assert len(voices) == 9
    assert all(voice.lang and voice.gender for voice in voices)
    defaults = [voice.lang for voice in voices if voice.is_default]
    assert sorted(map(str, defaults)) == ["en", "ja", "ko", "zh"]


def test_a_model_of_the_users_own_has_its_own_voices(tmp_path: Path) -> None:
    config = {"tts_model_type": "custom_voice", "talker_config": {"spk_id": {"ryan": 1, "oma": 2}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = {voice.name: voice for voice in QwenNative.voices(settings(tmp_path, str(tmp_path)))}
    assert set(found) == {"Ryan", "oma"}
    assert (found["Ryan"].lang, found["oma"].lang, found["oma"].backend) == (
        "en",
        None,
        "qwen-native",
    )
    # A clone speaks with what has no speakers.
    (tmp_path / "config.json").write_text('{"tts_model_type": "base"}')
    assert len(QwenNative.voices(settings(tmp_path, str(tmp_path)))) == 9


def test_languages_are_named_as_the_models_call_them() -> None:
    assert [language_name(tag) for tag in ("de-AT", "zh_TW", "cmn", "nl", None)] == [
        "German",
        "Chinese",
        "Chinese",
        "Auto",
        "Auto",
    ]


def test_the_bound_of_a_text_grows_with_what_there_is_to_say() -> None:
    assert max_frames("") == max_frames("Hi.") > 0
    assert max_frames("这是一个很长的句子，用来测试。" * 3) > max_frames("a" * 45)
    assert max_frames("1234567890" * 3) > max_frames("abcdefghij" * 3)
    assert max_frames("a" * 100_000) < 2048


def test_qwen_is_qwen_native_where_there_is_no_apple_silicon(tmp_path: Path) -> None:
    qwen = registry.get("qwen")
    assert qwen.info.name == "qwen"
    assert {voice.backend for voice in qwen.voices(settings(tmp_path))} == {"qwen"}
    assert issubclass(qwen, QwenNative) != registry.on_apple_silicon()


def test_torchaudios_libraries_for_another_torch_are_removed(tmp_path: Path) -> None:
    library = tmp_path / "torchaudio" / "lib" / "libtorchaudio.so"
    library.parent.mkdir(parents=True)
    library.touch()
    QwenNative.after_install(str(tmp_path))
    assert not library.exists()
    QwenNative.after_install(str(tmp_path))


def test_no_network_is_one_line_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Port 1 of this machine refuses every connection, as a machine without network does.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(LoadFailed, match=r"no connection to 127\.0\.0\.1"):
        QwenNative.fetch(settings(tmp_path), lambda _text, _fraction: None)
