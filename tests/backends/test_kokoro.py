"""kokoro on the real model, in the environment that `vox backends install kokoro` makes.

Where the project's releases cannot be reached that model comes with Japanese voices alone; of
these `jm_kumo` speaks English plainly enough to be taken down.
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.sound import Recording, recognise, word_overlap
from vox.backends import registry
from vox.backends.base import Settings, Utterance
from vox.backends.kokoro import Kokoro
from vox.bootstrap import bootstrap_args
from vox.errors import LoadFailed, SynthesisFailed, UnknownVoice
from vox.hosts.handle import Handle

Host = Callable[[str], Handle]
Environment = Callable[[str], tuple[str, Settings]]
SENTENCE = "She sells one hundred and twenty three books. We are going to the market on Monday."


def spoken(handle: Handle, utterance: Utterance) -> Recording:
    chunks = list(handle.synthesize(utterance))
    return Recording(np.concatenate([chunk.samples for chunk in chunks]), chunks[0].sample_rate)


@pytest.mark.heavy
def test_it_says_the_words(host: Host) -> None:
    heard = recognise(spoken(host("kokoro"), Utterance(SENTENCE, lang="en-US", speed=0.9)))
    assert word_overlap(SENTENCE, heard) >= 0.6, heard


@pytest.mark.heavy
def test_sentences_come_one_by_one_with_a_pause_in_between(host: Host) -> None:
    chunks = list(host("kokoro").synthesize(Utterance("Yes. No.")))
    assert len(chunks) == 3
    assert not chunks[1].samples.any()


@pytest.mark.heavy
def test_speed_changes_the_duration(host: Host) -> None:
    slow = spoken(host("kokoro"), Utterance("Good morning to you.", speed=0.5)).duration_s
    quick = spoken(host("kokoro"), Utterance("Good morning to you.", speed=2.0)).duration_s
    assert slow > 2 * quick


@pytest.mark.heavy
def test_a_language_that_it_does_not_speak_is_refused(host: Host) -> None:
    with pytest.raises(SynthesisFailed, match="'ja'"):
        spoken(host("kokoro"), Utterance("Guten Tag", lang="ja"))


@pytest.mark.heavy
def test_voices_that_are_fetched_while_it_is_warm_are_spoken_with(
    environment: Environment, settings: Settings
) -> None:
    interpreter, installed = environment("kokoro")
    theirs, ours = (Path(each.env_dir, "weights") for each in (installed, settings))
    ours.mkdir(parents=True)
    for path in theirs.iterdir():
        (ours / path.name).symlink_to(path)
    command = [interpreter, *bootstrap_args("vox.hosts.host")]
    handle = Handle("kokoro", command, registry.import_string("kokoro"), settings)
    try:
        handle.load()
        with pytest.raises(UnknownVoice):
            spoken(handle, Utterance("Yes.", voice="af_new"))
        with zipfile.ZipFile(ours / "voices_ja.npz") as source:
            style = source.read("jm_kumo.npy")
        with zipfile.ZipFile(ours / "voices-v1.0.bin", "w") as archive:
            archive.writestr("af_new.npy", style)
        assert spoken(handle, Utterance("Yes.", voice="af_new")).duration_s > 0.1
    finally:
        handle.kill()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(str(tmp_path / "clones"), str(tmp_path / "kokoro"))


def put_voices(settings: Settings, file: str, *names: str) -> None:
    weights = Path(settings.env_dir, "weights")
    weights.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(weights / file, "w") as archive:
        for name in names:
            archive.writestr(f"{name}.npy", b"")


def test_voices_tell_language_and_gender_from_their_names(settings: Settings) -> None:
    put_voices(settings, "voices-v1.0.bin", "bm_george", "jf_alpha", "zf_xiaoni")
    found = {voice.name: voice for voice in Kokoro.voices(settings)}
    assert (found["bm_george"].lang, found["bm_george"].gender) == ("en-GB", "male")
    # Nothing here reads Japanese or Chinese: these voices speak what kokoro does, with an accent.
    assert found["jf_alpha"].lang is None and found["jf_alpha"].gender == "female"
    assert found["zf_xiaoni"].description == "Chinese accent"
    assert found["bm_george"].installed and not found["af_heart"].installed


def test_it_is_missing_its_model_then_its_voices_then_nothing(settings: Settings) -> None:
    assert "its model is not fetched" in (Kokoro.missing(settings) or "")
    weights = Path(settings.env_dir, "weights")
    weights.mkdir(parents=True)
    (weights / "kokoro-v1.0.int8.onnx").write_bytes(b"")
    assert "its voices are not fetched" in (Kokoro.missing(settings) or "")
    put_voices(settings, "voices-v1.0.bin", "af_heart")
    assert Kokoro.missing(settings) is None
    larger = Settings(settings.voices_dir, settings.env_dir, model="fp32")
    assert "fp32 is not fetched" in (Kokoro.missing(larger) or "")


def test_a_voice_or_model_that_is_asked_for_is_fetched_beside_what_is_there(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_voices(settings, "voices_ja.npz", "jf_alpha")
    (Path(settings.env_dir, "weights") / "kokoro-v1.0.int8.onnx").write_bytes(b"")
    # What would be fetched is told by its failing: nobody answers there.
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    for wanted in ([], ["jf_alpha"], ["int8"]):
        fetch(settings, *wanted)
    for name in ("af_heart", "fp16"):
        with pytest.raises(LoadFailed, match="no connection to github"):
            fetch(settings, "jf_alpha", name)
    put_voices(settings, "voices-v1.0.bin", "jf_alpha", "af_heart")
    fetch(settings, "af_heart")
    with pytest.raises(UnknownVoice, match="xx_nobody"):
        fetch(settings, "xx_nobody")


def fetch(settings: Settings, *wanted: str) -> None:
    asked = dataclasses.replace(settings, options={"voices": wanted})
    Kokoro.fetch(asked, lambda _text, _done: None)


def test_a_damaged_voices_file_lists_none_of_them(settings: Settings) -> None:
    put_voices(settings, "voices-v1.0.bin", "af_heart")
    Path(settings.env_dir, "weights", "voices-v1.0.bin").write_bytes(b"not a zip")
    assert not any(voice.installed for voice in Kokoro.voices(settings))
