"""The system's synthesizer, run for real."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.sound import Recording, recognise, word_overlap
from vox.backends.base import Chunk, Settings, Utterance
from vox.backends.say import Say
from vox.errors import UnknownVoice

pytestmark = pytest.mark.skipif(
    sys.platform != "darwin" and shutil.which("espeak-ng") is None, reason="no espeak-ng here"
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(str(tmp_path_factory.mktemp("voices")), str(tmp_path_factory.mktemp("say")))


@pytest.fixture(scope="module")
def say(settings: Settings) -> Say:
    backend = Say(settings)
    backend.load(lambda _text, _done: None)
    return backend


def sound(chunks: list[Chunk]) -> Recording:
    return Recording(np.concatenate([chunk.samples for chunk in chunks]), chunks[0].sample_rate)


def duration_s(say: Say, text: str, **how: object) -> float:
    return sound(list(say.synthesize(Utterance(text, **how)))).duration_s  # type: ignore[arg-type]


@pytest.mark.slow
def test_it_says_the_words(say: Say) -> None:
    sentence = "Good morning. Please open the window and close the door."
    heard = recognise(sound(list(say.synthesize(Utterance(sentence, speed=0.8)))))
    # A formant synthesizer is hard to recognise: some words are, noise has none of them.
    assert word_overlap(sentence, heard) >= 0.3, heard


def test_speed_changes_the_duration(say: Say) -> None:
    sentence = "The build is finished and all the tests pass."
    slow, usual, quick = (duration_s(say, sentence, speed=speed) for speed in (0.5, 1.0, 2.0))
    assert slow > 1.5 * usual > 2.2 * quick


def test_text_that_looks_like_an_option_or_a_command_is_spoken(say: Say) -> None:
    assert duration_s(say, "--help") > 0.3
    assert duration_s(say, "-f /etc/passwd; $(touch x) `touch x`") > 1.0
    # Between double brackets espeak-ng would take phonemes, macOS commands.
    assert duration_s(say, "before [[ nobody hears this sentence ]] after") > 1.5
    assert not os.path.exists("x")


def test_another_language_has_another_voice(say: Say) -> None:
    text = "Guten Morgen, die Rechnung ist fertig."
    german = list(say.synthesize(Utterance(text, lang="de")))
    english = list(say.synthesize(Utterance(text, lang="en-US")))
    assert len(sound(german).samples) != len(sound(english).samples)
    with pytest.raises(UnknownVoice, match="tlh"):
        list(say.synthesize(Utterance(text, lang="tlh")))


@pytest.mark.skipif(sys.platform == "darwin", reason="variants are espeak-ng's")
def test_gender_selects_a_variant_of_the_voice(say: Say) -> None:
    plain, female, male = (
        sound(list(say.synthesize(Utterance("Hello there.", gender=gender)))).samples
        for gender in (None, "female", "male")
    )
    assert not np.array_equal(plain, female)
    assert not np.array_equal(female, male)


def test_closing_in_mid_sentence_ends_the_program(say: Say) -> None:
    chunks = say.synthesize(Utterance("One sentence after the other. " * 500))
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert not children()


def children() -> list[str]:
    """Names of this process's children that still run."""
    if sys.platform != "linux":
        return []
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = [Path(f"/proc/{pid}/comm").read_text().strip() for pid in pids]
    return [name for name in names if name in ("espeak-ng", "espeak", "say")]


def test_voices_have_languages_and_one_default_each(settings: Settings) -> None:
    voices = Say.voices(settings)
    defaults = {voice.lang: voice for voice in voices if voice.is_default}
    assert any(lang and lang.startswith("en") for lang in defaults)
    assert len({voice.name for voice in voices}) == len(voices) > 10


def test_without_the_program_it_says_how_to_get_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if sys.platform == "darwin":
        pytest.skip("macOS always has say")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install espeak-ng" in (Say.missing(settings) or "")
    assert Say.voices(settings) == []
