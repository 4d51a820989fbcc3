"""Clones are kept as clean reference audio, and bad input is told apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vox.errors import BadInput, BadOption, UnknownLanguage, UnknownVoice
from vox.voices.clones import SAMPLE_RATE, Clones, record

Write = Callable[..., str]


@pytest.fixture
def clones(tmp_path: Path) -> Clones:
    return Clones(str(tmp_path / "voices"), lambda: {"Heart"})


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of a 440 Hz tone with silence around it; the path."""

    def make(
        name: str = "me.wav",
        tone_s: float = 3.0,
        silence_s: float = 0.0,
        sample_rate: int = 44_100,
        channels: int = 1,
        loudness: float = 0.5,
    ) -> str:
        times = np.arange(round(tone_s * sample_rate)) / sample_rate
        quiet = np.zeros(round(silence_s * sample_rate))
        wave = np.concatenate([quiet, loudness * np.sin(2 * np.pi * 440 * times), quiet])
        path = tmp_path / name
        soundfile.write(path, np.repeat(wave[:, None], channels, axis=1), sample_rate)
        return str(path)

    return make


def pitch_hz(samples: np.ndarray[tuple[int], np.dtype[np.float32]], sample_rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * sample_rate / len(samples))


@pytest.mark.parametrize(
    ("name", "sample_rate", "channels"),
    [("a.wav", 44_100, 2), ("b.flac", 16_000, 1), ("c.ogg", 48_000, 2), ("d.mp3", 24_000, 1)],
)
def test_any_sound_file_becomes_mono_at_24_khz(
    clones: Clones, write: Write, name: str, sample_rate: int, channels: int
) -> None:
    made = clones.add("me", write(name, sample_rate=sample_rate, channels=channels))
    samples, rate = soundfile.read(made.audio_path, dtype="float32")
    assert (rate, samples.ndim) == (SAMPLE_RATE, 1)
    assert len(samples) / rate == pytest.approx(3.0, abs=0.2)
    assert pitch_hz(samples, rate) == pytest.approx(440, abs=2)
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.06)


def test_silence_at_the_ends_is_cut_off(clones: Clones, write: Write) -> None:
    made = clones.add("me", write(tone_s=2.0, silence_s=20.0))
    assert soundfile.info(made.audio_path).duration == pytest.approx(2.2, abs=0.05)


def test_transcript_and_language_are_kept(clones: Clones, write: Write) -> None:
    clones.add("me-2", write(), transcript='He said\n"no"\x00 \\ "né"', lang="EN_us")
    (found,) = clones.list()
    assert found == clones.get("me-2")
    assert found.transcript == 'He said "no" \\ "né"'
    assert found.lang == "en-US"


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "-v", "ä", "x" * 65, "a/b"])
def test_an_invalid_name_is_refused(clones: Clones, write: Write, name: str) -> None:
    with pytest.raises(BadOption, match="is not a valid name for a clone"):
        clones.add(name, write())
    assert clones.find(name) is None


def test_a_taken_name_is_refused(clones: Clones, write: Write) -> None:
    clones.add("me", write())
    for name, reason in (
        ("me", "there is a clone"),
        ("heart", "a backend has a voice"),
        ("Piper", "is a backend's name"),
    ):
        with pytest.raises(BadOption, match=reason):
            clones.add(name, write())


@pytest.mark.parametrize(
    ("tone_s", "loudness", "reason"),
    [
        (0.5, 0.5, "too short for a clone: 0.5 s"),
        (31.0, 0.5, "too long for a clone: 31.0 s"),
        (3.0, 0.0, "nothing can be heard"),
    ],
)
def test_a_reference_of_the_wrong_length_is_refused(
    clones: Clones, write: Write, tone_s: float, loudness: float, reason: str
) -> None:
    with pytest.raises(BadInput, match=reason):
        clones.add("me", write(tone_s=tone_s, loudness=loudness))
    assert clones.list() == []
    assert not list(Path(clones.voices_dir).glob("*"))


def test_a_file_without_sound_is_refused(clones: Clones, tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("not sound")
    with pytest.raises(BadInput, match="is not an audio file"):
        clones.add("me", str(text))
    with pytest.raises(BadInput, match=r"cannot read .*: Is a directory"):
        clones.add("me", str(tmp_path))
    with pytest.raises(BadInput, match="file not found"):
        clones.add("me", str(tmp_path / "nowhere.wav"))


def test_an_invalid_language_is_refused(clones: Clones, write: Write) -> None:
    with pytest.raises(UnknownLanguage, match="english"):
        clones.add("me", write(), lang="english")


def test_a_recording_becomes_a_clone(clones: Clones) -> None:
    times = np.arange(2 * 48_000) / 48_000
    samples = (0.3 * np.sin(2 * np.pi * 300 * times)).astype(np.float32)
    made = clones.add_samples("me", samples, 48_000, transcript="hm")
    assert soundfile.info(made.audio_path).duration == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("seconds", [0.5, 31])
def test_a_recording_of_the_wrong_length_is_not_started(seconds: float) -> None:
    with pytest.raises(BadOption, match="cannot be made from"):
        record(seconds)


def test_a_removed_clone_is_gone(clones: Clones, write: Write) -> None:
    clones.add("me", write())
    clones.remove("me")
    assert clones.list() == []
    with pytest.raises(UnknownVoice, match="no clone is called 'me'"):
        clones.remove("me")


def test_a_damaged_clone_is_left_out(clones: Clones, write: Write) -> None:
    clones.add("good", write())
    clones.add("bad", write())
    Path(clones.voices_dir, "bad", "voice.toml").write_text("= broken")
    Path(clones.voices_dir, "stray.txt").write_text("")
    assert [clone.name for clone in clones.list()] == ["good"]
