"""Recordings for clones, in the forms that phones, browsers and programs make."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from vox.errors import BadInput
from vox.voices import recordings
from vox.voices.clones import Clones

RATE = 48_000
SECONDS = 3.0

FORMS = {
    ".m4a": ("ipod", "aac"),
    ".mp4": ("mp4", "aac"),
    ".mov": ("mov", "aac"),
    ".aac": ("adts", "aac"),
    ".webm": ("webm", "libopus"),
    ".mkv": ("matroska", "flac"),
    ".oga": ("ogg", "libopus"),
}


def tone() -> np.ndarray[Any, np.dtype[np.float32]]:
    times = np.arange(round(SECONDS * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def record(path: Path, container: str, codec: str, layout: str = "stereo") -> Path:
    """Make a recording of a tone, the same in all channels."""
    channels = {"mono": 1, "stereo": 2}[layout]
    samples = np.tile(tone(), (channels, 1))
    with av.open(str(path), "w", format=container) as out:
        stream: Any = out.add_stream(codec, rate=RATE, layout=layout)
        to_codec = av.AudioResampler(format=stream.codec_context.format or "fltp")
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate, frame.pts = RATE, 0
        for part in to_codec.resample(frame):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    return path


def film(path: Path, sound: bool) -> Path:
    """A short film, with or without sound."""
    with av.open(str(path), "w", format="mp4") as out:
        video: Any = out.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        audio: Any = out.add_stream("aac", rate=RATE, layout="mono") if sound else None
        for number in range(10):
            picture = av.VideoFrame.from_ndarray(
                np.full((64, 64, 3), number, np.uint8), format="rgb24"
            )
            picture.pts = number
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        if audio is not None:
            frame = av.AudioFrame.from_ndarray(tone()[np.newaxis], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            out.mux(audio.encode(frame))
            out.mux(audio.encode(None))
    return path


def assert_is_tone(samples: Any, rate: int) -> None:
    single = samples.mean(axis=1)
    assert len(single) / rate == pytest.approx(SECONDS, abs=0.15)
    spectrum = np.abs(np.fft.rfft(single))
    assert np.fft.rfftfreq(len(single), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=2)
    middle = single[rate // 2 : -rate // 2]  # encoders ring where a tone begins and ends
    assert float(np.sqrt(np.mean(middle**2))) == pytest.approx(0.4 / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("layout", ["mono", "stereo"])
@pytest.mark.parametrize("extension", FORMS)
def test_what_phones_and_browsers_record_is_read(
    tmp_path: Path, extension: str, layout: str
) -> None:
    path = record(tmp_path / f"me{extension}", *FORMS[extension], layout)
    assert_is_tone(*recordings.read(str(path), 120.0))


@pytest.mark.parametrize("extension", [".wav", ".flac", ".ogg", ".mp3", ".aiff"])
def test_what_libsndfile_knows_is_read(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"me{extension}"
    soundfile.write(path, np.stack([tone(), tone()], axis=1), RATE)
    samples, rate = recordings.read(str(path), 120.0)
    assert samples.shape[1] == 2
    assert_is_tone(samples, rate)


def test_the_name_of_a_file_does_not_matter(tmp_path: Path) -> None:
    path = record(tmp_path / "me.wav", *FORMS[".m4a"])
    assert_is_tone(*recordings.read(str(path), 120.0))


def test_the_sound_of_a_film_is_read_and_no_more_of_it_than_needed(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", sound=True)
    assert_is_tone(*recordings.read(str(path), 120.0))
    samples, rate = recordings.read(str(path), 1.0)
    assert 1.0 <= len(samples) / rate < 1.1


def test_a_clone_is_made_from_a_recording_of_a_phone(tmp_path: Path) -> None:
    path = record(tmp_path / "me.m4a", *FORMS[".m4a"])
    made = Clones(str(tmp_path / "voices")).add("me", str(path))
    kept = soundfile.info(made.audio_path)
    assert (kept.samplerate, kept.channels) == (24_000, 1)
    assert kept.duration == pytest.approx(SECONDS, abs=0.15)


def test_what_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    whole = record(tmp_path / "me.m4a", *FORMS[".m4a"]).read_bytes()
    silent = film(tmp_path / "silent.mp4", sound=False).read_bytes()
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path / 'me.m4a'}\n"
    for content, told in [
        (b"", "is empty; record it again"),
        (b"words\n" * 200, "is not an audio file; pass a wav, flac, ogg, opus, mp3, m4a, aac,"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "is not an audio file"),
        (playlist.encode(), "is not an audio file"),
        (whole[: len(whole) // 2], "is not an audio file"),
        (silent, "there is no sound in"),
    ]:
        path = tmp_path / "it"
        path.write_bytes(content)
        with pytest.raises(BadInput) as caught:
            recordings.read(str(path), 120.0)
        assert told in caught.value.line
    with pytest.raises(BadInput, match="file not found"):
        recordings.read(str(tmp_path / "nowhere"), 120.0)
    with pytest.raises(BadInput, match="cannot read"):
        recordings.read(str(tmp_path), 120.0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_recording_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = record(tmp_path / "me.m4a", *FORMS[".m4a"])
    path.chmod(0)
    with pytest.raises(BadInput, match="Permission denied"):
        recordings.read(str(path), 120.0)


def test_a_recording_that_is_damaged_is_refused_or_read_as_far_as_it_is_whole(
    tmp_path: Path,
) -> None:
    whole = record(tmp_path / "me.webm", *FORMS[".webm"]).read_bytes()
    path = tmp_path / "part.webm"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    samples, rate = recordings.read(str(path), 120.0)
    assert 1.0 < len(samples) / rate < SECONDS
