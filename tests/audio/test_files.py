"""Audio files and streams, read back with libsndfile."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from tests.sound import decoded
from vox.audio.encoder import Encoder
from vox.audio.files import FORMATS, check_output, encode, media_type, write
from vox.audio.pcm import Samples, from_pcm16
from vox.audio.spool import Spool, SpoolDir
from vox.errors import BadOption, BadOutput, StorageError


def tone(seconds: float, rate: int) -> Samples:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )


def spool_of(tmp_path: Path, samples: Samples, rate: int) -> Spool:
    spool = SpoolDir(str(tmp_path / "spool"), 10**9).open("a1")
    spool.begin_utterance(0)
    spool.append(samples, rate)
    spool.end_utterance()
    spool.finish()
    return spool


def assert_is_tone(samples: Samples, rate: int, seconds: float) -> None:
    assert len(samples) / rate == pytest.approx(seconds, abs=0.12)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()] == pytest.approx(440, abs=3)
    assert float(np.abs(samples).max()) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000])
@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_every_format_is_written_and_reads_back(tmp_path: Path, extension: str, rate: int) -> None:
    path = tmp_path / f"out{extension}"
    write(spool_of(tmp_path, tone(1.0, rate), rate), str(path))
    if extension in (".aac", ".m4a"):
        heard = decoded(path.read_bytes())
        samples, found = heard.samples, heard.sample_rate
    else:
        samples, found = soundfile.read(path, dtype="float32")
    assert_is_tone(samples, found, 1.0)
    assert sorted(os.listdir(tmp_path)) == [path.name, "spool"]


@pytest.mark.parametrize("extension", [".mp3", ".opus"])
def test_a_long_file_at_another_rate_has_no_seams(tmp_path: Path, extension: str) -> None:
    """The spool is read in blocks of ten seconds: there must be no click between two of them."""
    path = tmp_path / f"out{extension}"
    rate = 21_000
    write(spool_of(tmp_path, tone(21.0, rate), rate), str(path))
    samples, found = soundfile.read(path, dtype="float32")
    # What is not the tone (a click has every frequency), in steps of 50 ms, without the ends.
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / found) < 3_000] = 0
    rest = np.fft.irfft(spectrum)[found : found * 20]
    step = found // 20
    peaks = np.abs(rest[: len(rest) // step * step]).reshape(-1, step).max(axis=1)
    assert peaks.max() < 5 * np.median(peaks)


def test_loud_volume_lifts_the_quiet_and_never_wraps(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    samples = np.concatenate([tone(0.5, 24_000), 0.1 * tone(0.5, 24_000)])
    write(spool_of(tmp_path, samples, 24_000), str(path), volume=5.0)
    written, _ = soundfile.read(path, dtype="float32")
    assert 0.9 < float(np.abs(written).max()) <= 1.0
    assert float(np.abs(written[12_000:]).max()) == pytest.approx(0.25, abs=0.01)
    assert np.all(np.sign(written[:12_000]) == np.sign(samples[:12_000].round(4)))


def test_an_existing_file_is_replaced_and_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "real.wav", tmp_path / "link.wav"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write(spool_of(tmp_path, tone(0.2, 24_000), 24_000), str(link))
    assert link.is_symlink()
    assert soundfile.info(target).frames == 4_800


@pytest.mark.parametrize("extension", [".wav", ".m4a"])
def test_a_new_file_obeys_the_umask_of_its_caller_and_an_old_one_keeps_its_permissions(
    tmp_path: Path, extension: str
) -> None:
    spool, path = spool_of(tmp_path, tone(0.2, 24_000), 24_000), tmp_path / f"out{extension}"

    def written(umask: int | None) -> int:
        write(spool, str(path), umask=umask)
        return stat.S_IMODE(path.stat().st_mode)

    assert written(0o077) == 0o600
    assert written(0o022) == 0o600
    path.chmod(0o664)
    assert written(0o077) == 0o664
    path.unlink()
    assert written(0o007) == 0o660


class FullDisk(io.BytesIO):
    """A file on a disk that is full once so much is written."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: Any, /) -> int:
        if self.tell() + len(data) > self._room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


@pytest.mark.parametrize("room", [0, 1_000, 20_000])
@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_a_full_disk_is_told(tmp_path: Path, extension: str, room: int) -> None:
    spool = spool_of(tmp_path, tone(20.0, 24_000), 24_000)
    fmt = FORMATS[extension]
    with pytest.raises(OSError, match="No space left"):
        encode(spool, FullDisk(room), fmt, 1.0, lambda: None, f"x{extension}")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    spool = spool_of(tmp_path, tone(0.2, 24_000), 24_000)
    target = tmp_path / "taken.wav"
    target.mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write(spool, str(target))
    assert sorted(os.listdir(tmp_path)) == ["spool", "taken.wav"]


class Unwanted(Exception):
    """The job was cancelled meanwhile."""


@pytest.mark.parametrize("asked", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("extension", sorted(FORMATS))
def test_a_write_that_is_interrupted_leaves_nothing_behind_however_late_it_is(
    tmp_path: Path, extension: str, asked: int
) -> None:
    spool = spool_of(tmp_path, tone(35.0, 8_000), 8_000)  # four blocks, and before it appears
    checks = iter(range(1, asked))

    def check() -> None:
        if next(checks, None) is None:
            raise Unwanted

    with pytest.raises(Unwanted):
        write(spool, str(tmp_path / f"out{extension}"), check=check)
    assert os.listdir(tmp_path) == ["spool"]


@pytest.mark.parametrize(
    "name", ["out", "out.txt", "no/such/folder.wav", "folder.wav", "x" * 260 + ".wav"]
)
def test_an_output_that_cannot_be_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(BadOutput):
        check_output(str(tmp_path / name))


def test_an_output_is_accepted_whatever_the_case_of_its_extension(tmp_path: Path) -> None:
    check_output(str(tmp_path / "Out.WAV"))


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "opus", "mp3"])
def test_every_stream_decodes(name: str) -> None:
    encoder = Encoder(name, 22_050)
    whole = tone(2.0, 22_050)
    parts = [encoder.feed(whole[at : at + 1_000]) for at in range(0, len(whole), 1_000)]
    data = b"".join([*parts, encoder.finish()])
    with soundfile.SoundFile(io.BytesIO(data)) as file:  # which cannot tell its length
        assert_is_tone(
            file.read(round(file.samplerate * 1.9), dtype="float32"), file.samplerate, 1.9
        )


@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "opus", "mp3"])
def test_a_stream_flows_before_its_end(name: str) -> None:
    encoder = Encoder(name, 24_000)
    early = sum(len(encoder.feed(tone(0.5, 24_000))) for _ in range(6))
    assert early > 0.4 * (early + len(encoder.finish()))


@pytest.mark.parametrize("frames", [1, 4_096, 50_000])
@pytest.mark.parametrize("name", ["wav", "flac"])
def test_a_stream_of_known_length_tells_it(name: str, frames: int) -> None:
    encoder = Encoder(name, 24_000, frames)
    whole = tone(3.0, 24_000)[:frames]
    parts = [encoder.feed(whole[at : at + 1_000]) for at in range(0, frames, 1_000)]
    data = b"".join([*parts, encoder.finish()])
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert file.frames == len(file.read()) == frames
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.audio[0]
        assert stream.duration == frames
        assert sum(frame.samples for frame in container.decode(audio=0)) == frames
    if name == "wav":
        sizes = [int.from_bytes(data[at : at + 4], "little") for at in (4, 40)]
        assert sizes == [len(data) - 8, len(data) - 44]


def test_pcm_is_24_khz_whatever_the_voice() -> None:
    encoder = Encoder("pcm", 48_000)
    data = encoder.feed(tone(1.0, 48_000)) + encoder.finish()
    assert_is_tone(from_pcm16(data), 24_000, 1.0)


@pytest.mark.parametrize("seconds", [0.06, 0.1, 0.15, 0.3, 2.0])
@pytest.mark.parametrize("name", ["wav", "flac", "ogg", "opus", "mp3", "aac"])
def test_a_stream_is_whole_however_short_it_is(name: str, seconds: float) -> None:
    for rate in (22_050, 24_000, 48_000):
        encoder = Encoder(name, rate)
        heard = decoded(encoder.feed(tone(seconds, rate)) + encoder.finish())
        # Encoders pad the first and the last block, and ffmpeg skips the first of Vorbis.
        assert seconds - 0.02 <= heard.duration_s < seconds + 0.12


def test_aac_without_its_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(BadOption, match="aac needs the package av") as caught:
        Encoder("aac", 24_000)
    assert "pip install av" in caught.value.line


def test_aac_is_made_of_adts_frames() -> None:
    encoder = Encoder("aac", 24_000)
    data = encoder.feed(tone(1.0, 24_000)) + encoder.finish()
    assert data[:1] == b"\xff"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(BadOption, match="unknown"):
        media_type("midi")
