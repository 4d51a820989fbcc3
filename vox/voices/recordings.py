"""Reads recordings of all usual kinds: what people record with phones, browsers and programs.

`soundfile` reads most of them. What it does not know is left to ffmpeg's libraries (`av`): m4a,
webm, mp4 and their like. Both are imported when a recording is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from ..errors import BadInput

if TYPE_CHECKING:
    from ..audio.pcm import Samples

KINDS = "wav, flac, ogg, opus, mp3, m4a, aac, webm or mp4"
# No playlists, which name files and addresses that would be opened, and no pictures or texts.
_DEMUXERS = (
    "mov,mp4,m4a,3gp,matroska,webm,ogg,mp3,aac,ac3,amr,aiff,asf,avi,caf,flac,mpeg,mpegts,wav"
)


def read(path: str, most_s: float) -> tuple[Samples, int]:
    """The recording's first `most_s` seconds, of the shape (frames, channels), and its rate in Hz.

    Raises BadInput.
    """
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                raise BadInput(f"{path} is empty", "record it again")
            file.seek(0)
            return _by_soundfile(file, most_s) or _by_ffmpeg(file, path, most_s)
    except FileNotFoundError as exc:
        raise BadInput(f"file not found: {path}") from exc
    except OSError as exc:
        raise BadInput(f"cannot read {path}: {exc.strerror or exc}", "check the path") from exc


def _by_soundfile(file: BinaryIO, most_s: float) -> tuple[Samples, int] | None:
    """None if it is of no kind that libsndfile knows."""
    import soundfile

    try:
        with soundfile.SoundFile(file) as sound:
            most = int(most_s * sound.samplerate)
            return sound.read(most, dtype="float32", always_2d=True), sound.samplerate
    except (soundfile.LibsndfileError, RuntimeError):
        return None


def _by_ffmpeg(file: BinaryIO, path: str, most_s: float) -> tuple[Samples, int]:
    import av
    import numpy as np

    errors: Any = av.error.FFmpegError
    file.seek(0)
    try:
        container: Any = av.open(file, "r", options={"format_whitelist": _DEMUXERS})
    except errors as exc:
        raise BadInput(f"{path} is not an audio file", f"pass a {KINDS} file") from exc
    blocks: list[Samples] = []
    read_s, rate = 0.0, 0
    with container:
        stream = container.streams.best("audio")
        if stream is None:
            raise BadInput(f"there is no sound in {path}", "pass another recording")
        to_float: Any = av.AudioResampler(format="fltp")
        try:
            for frame in container.decode(stream):
                rate = frame.sample_rate
                blocks += [block.to_ndarray().T for block in to_float.resample(frame)]
                read_s += frame.samples / rate
                if read_s >= most_s:
                    break
        except (errors, ValueError) as exc:  # also if the kind of sound changes in the middle
            raise BadInput(
                f"{path} is damaged after {read_s:.1f} s", "make it anew, or convert it to wav"
            ) from exc
    if not blocks:
        raise BadInput(f"there is no sound in {path}", "pass another recording")
    return np.concatenate(blocks), rate
