"""piper on a real voice, in the environment that `vox backends install piper` makes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tests.backends.hub_server import HubServer, running
from tests.sound import Recording, recognise, word_overlap
from vox.backends.base import Settings, Utterance
from vox.backends.kit.manifest import Manifest
from vox.backends.piper.adapter import Piper
from vox.backends.piper.voices import REPOSITORY, REVISION
from vox.errors import LoadFailed, UnknownVoice
from vox.hosts.handle import Handle

Host = Callable[[str], Handle]
SENTENCE = "Good morning. Please open the window and close the door."


def spoken(handle: Handle, utterance: Utterance) -> Recording:
    chunks = list(handle.synthesize(utterance))
    return Recording(np.concatenate([chunk.samples for chunk in chunks]), chunks[0].sample_rate)


@pytest.mark.heavy
def test_it_says_the_words(host: Host) -> None:
    heard = recognise(spoken(host("piper"), Utterance(SENTENCE, voice="en_US-joe-medium")))
    assert word_overlap(SENTENCE, heard) >= 0.6, heard


@pytest.mark.heavy
def test_sentences_come_one_by_one(host: Host) -> None:
    chunks = list(host("piper").synthesize(Utterance(SENTENCE)))
    assert len(chunks) == 2


@pytest.mark.heavy
def test_speed_changes_the_duration(host: Host) -> None:
    def lasts_s(speed: float) -> float:
        """Of several: piper draws each duration anew, and one alone varies by a sixth."""
        said = [spoken(host("piper"), Utterance(SENTENCE, speed=speed)) for _ in range(4)]
        return sum(recording.duration_s for recording in said)

    slow, usual, quick = lasts_s(0.5), lasts_s(1.0), lasts_s(2.0)
    assert slow > usual > quick
    # Not four times: no sound is shorter than a frame. 2.7 on average.
    assert slow > 2.3 * quick


@pytest.mark.heavy
def test_what_is_not_installed_is_named_with_the_command_that_fetches_it(host: Host) -> None:
    with pytest.raises(UnknownVoice) as caught:
        spoken(host("piper"), Utterance("Bonjour.", lang="fr"))
    assert caught.value.hint == "run: vox backends install piper --voice fr"
    with pytest.raises(UnknownVoice) as caught:
        spoken(host("piper"), Utterance("Hallo.", voice="de_DE-thorsten-medium"))
    assert caught.value.hint == "run: vox backends install piper --voice de_DE-thorsten-medium"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(str(tmp_path / "clones"), str(tmp_path / "piper"))


def put_voice(settings: Settings, folder: str, name: str, config: dict[str, object]) -> None:
    place = Path(settings.env_dir, folder)
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.onnx").write_bytes(b"")
    (place / f"{name}.onnx.json").write_text(json.dumps(config))


def test_voice_files_are_found_where_they_are_put(settings: Settings) -> None:
    assert "vox backends install piper" in (Piper.missing(settings) or "")
    put_voice(settings, "weights", "de_DE-kerstin-low", {})
    put_voice(settings, "voices", "mine", {"espeak": {"voice": "fr"}})
    Path(settings.env_dir, "voices", "half.onnx").write_bytes(b"")
    assert Piper.missing(settings) is None
    found = {voice.name: voice for voice in Piper.voices(settings)}
    assert "half" not in found
    assert found["mine"].lang == "fr" and found["mine"].installed
    assert found["de_DE-kerstin-low"].lang == "de-DE"
    # What is installed is the default before what could be.
    assert found["de_DE-kerstin-low"].is_default
    assert not found["de_DE-thorsten-medium"].is_default
    assert not found["de_DE-thorsten-medium"].installed
    assert found["es_ES-davefx-medium"].is_default


VOICE = "no_NO-talesyntese-medium"
PLACE = "no/no_NO/talesyntese/medium"
DEFAULT = "en_US-lessac-medium"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """Has a voice whose checksum vox does not know, and another than the one that it knows."""
    files = {
        f"{PLACE}/{VOICE}.onnx": b"a model",
        f"{PLACE}/{VOICE}.onnx.json": b"{}",
        f"en/en_US/lessac/medium/{DEFAULT}.onnx": b"somebody else's model",
    }
    with running({REPOSITORY: files}, monkeypatch) as server:
        yield server


def fetch(settings: Settings, *voices: str) -> None:
    asked = dataclasses.replace(settings, options={"voices": voices})
    Piper.fetch(asked, lambda _text, _done: None)


def test_a_voice_comes_from_one_commit_and_is_recorded(hub: HubServer, settings: Settings) -> None:
    fetch(settings, "no")
    assert hub.asked == [
        f"/{REPOSITORY}/resolve/{REVISION}/{PLACE}/{VOICE}.onnx{end}" for end in ("", ".json")
    ]
    weights = Path(settings.env_dir, "weights")
    assert Manifest(str(weights)).sha256(f"{VOICE}.onnx") == sha256(b"a model").hexdigest()
    fetch(settings, VOICE)
    assert len(hub.asked) == 2


def test_a_known_voice_that_is_another_is_refused(hub: HubServer, settings: Settings) -> None:
    with pytest.raises(LoadFailed, match=rf"{DEFAULT}\.onnx was damaged in transfer"):
        fetch(settings)
    assert Piper.missing(settings)


def test_a_voice_or_language_that_nobody_has_is_not_fetched(settings: Settings) -> None:
    for wanted in ("xx", "nonsense voice"):
        asked = Settings(settings.voices_dir, settings.env_dir, options={"voices": [wanted]})
        with pytest.raises(UnknownVoice, match=wanted):
            Piper.fetch(asked, lambda _text, _done: None)
