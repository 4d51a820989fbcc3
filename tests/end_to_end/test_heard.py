"""What is heard is what was asked for: recorded from the loudspeaker, recognised as words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.running import Vox
from tests.sound import Recorder, read_audio, recognise, segments_of_sound, word_overlap, words_of

SENTENCE = "The build is finished and all the tests pass."

# Twelve sentences of ten words, each with a word of its own that the recogniser knows well.
_TOPICS = """
window garden winter summer doctor teacher letter picture money paper water music
""".split()


def long_text(topics: list[str]) -> str:
    return " ".join(f"Today the {topic} was seen by people from another city." for topic in topics)


def test_a_sentence_is_heard_as_these_words(vox: Vox, recorder: Recorder) -> None:
    vox.ok(SENTENCE)
    assert word_overlap(SENTENCE, recognise(recorder.stop())) >= 0.7


@pytest.mark.slow
@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_a_sentence_is_written_as_these_words(vox: Vox, tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"out.{extension}"
    vox.ok("-o", str(path), SENTENCE)
    assert word_overlap(SENTENCE, recognise(read_audio(path))) >= 0.8


@pytest.mark.slow
def test_writing_a_file_makes_no_sound(vox: Vox, recorder: Recorder, tmp_path: Path) -> None:
    vox.ok("-o", str(tmp_path / "out.wav"), SENTENCE)
    assert segments_of_sound(recorder.stop()) == []


@pytest.mark.slow
@pytest.mark.parametrize("sink", ["played", "written"])
def test_every_sentence_of_a_long_text_is_heard_once_and_in_order(
    vox: Vox, recorder: Recorder, tmp_path: Path, sink: str
) -> None:
    # The ear takes its time.
    topics = _TOPICS[:8] if sink == "played" else _TOPICS
    text = long_text(topics)
    assert len(words_of(text)) == 10 * len(topics)
    if sink == "played":
        # Faster shortens the wait for the ear; the words stay as clear.
        vox.ok("--speed", "1.3", "-f", "-", stdin=text, timeout_s=280)
        recording = recorder.stop()
    else:
        path = tmp_path / "out.wav"
        vox.ok("-o", str(path), "-f", "-", stdin=text)
        recording = read_audio(path)
    words = recognise(recording)
    # One "another city" for each sentence: none is missing, none comes twice.
    assert abs(words.count("city") - len(topics)) <= 2, words
    heard = [word for word in words if word in topics]
    assert word_overlap(topics, heard) >= 0.7, heard
    assert len(heard) <= len(topics) + 2


@pytest.mark.slow
def test_silence_at_the_ends_is_trimmed_and_sentences_are_apart(vox: Vox, tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    vox.ok("-o", str(path), "One sentence is here. Another sentence is there.")
    recording = read_audio(path)
    segments = segments_of_sound(recording, gap_s=0.15)
    assert segments[0][0] < 0.05
    assert recording.duration_s - segments[-1][1] < 0.1
    assert len(segments) == 2
    assert 0.15 < segments[1][0] - segments[0][1] < 0.5
