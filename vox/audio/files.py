"""Audio files: whether one can be written at a path, and writing a job's spool to it.

A file appears complete or not at all. Owns the extensions; formats and codecs are `encoder`'s.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from ..errors import BadOutput, StorageError
from ..files import folder_of, replacing
from .encoder import FORMATS as ENCODINGS
from .encoder import AacFile, Encoder, Format, media_type, needs_length
from .pcm import USUAL_RATE, Resampler, Samples, amplified, frames_in
from .spool import Spool

__all__ = [
    "FORMATS",
    "Encoder",
    "check_output",
    "media_type",
    "needs_length",
    "part_name",
    "remove_part",
    "write",
]

FORMATS = {f".{name}": ENCODINGS[name] for name in ("wav", "flac", "ogg", "opus", "mp3", "aac")}
FORMATS[".m4a"] = ENCODINGS["aac"]
"""By extension, in lower case."""

_BLOCK_S = 10.0

Check = Callable[[], None]
"""Raises to stop the writing."""


def check_output(path: str) -> None:
    """Raises BadOutput if no audio file can be written there. Called before the synthesis."""
    folder = os.path.dirname(os.path.abspath(path))
    if os.path.isdir(path):
        raise BadOutput(f"{path} is a folder", "name a file in it")
    _format_of(path)
    if not os.path.isdir(folder):
        raise BadOutput(
            f"cannot write {path}: there is no folder {folder}", f"create it: mkdir -p {folder}"
        )
    try:
        with folder_of(path):
            pass
    except OSError as exc:
        raise BadOutput(f"cannot write {path}: {exc.strerror}", "choose another name") from exc
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadOutput(f"cannot write {path}: no permission in {folder}", "choose another folder")
    if _is_there(path):
        if not os.path.isfile(path):
            raise BadOutput(f"{path} is not a regular file", "choose another name")
        if not os.access(path, os.W_OK):
            raise BadOutput(f"cannot write {path}: it is write-protected", "choose another name")


def _is_there(path: str) -> bool:
    """Whether it exists. Raises BadOutput for a name that no file can have."""
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except OSError as exc:
        raise BadOutput(f"cannot write {path}: {exc.strerror}", "choose another name") from exc
    return True


def _format_of(path: str) -> Format:
    extension = os.path.splitext(path)[1].lower()
    try:
        return FORMATS[extension]
    except KeyError:
        known = " ".join(FORMATS)
        what = "the file name needs an extension"
        if extension:
            what = f"unsupported extension {extension}"
        raise BadOutput(f"cannot write {path}: {what}", f"use one of: {known}") from None


def write(
    spool: Spool,
    path: str,
    volume: float = 1.0,
    check: Check = lambda: None,
    part: str | None = None,
    is_new: bool = False,
    umask: int | None = None,
) -> None:
    """Write a complete spool to an audio file, which replaces an existing one in one step.

    It keeps the permissions of the existing one. A new one has those that `umask` leaves (None:
    that of this process).

    `part`: the name that it has in the same folder until it is complete; None: any. `is_new`:
    nothing is replaced, not even what has appeared meanwhile.
    `check` is called before every block of ten seconds, and once more before the file appears.
    Raises what `check` raises, BadOutput and StorageError; then no part of the file is left.
    """
    fmt = _format_of(path)
    try:
        # Not durable: it can be synthesized again, and an fsync would hold up the next job.
        with replacing(path, temporary=part, durable=False, is_new=is_new) as file:
            if (mode := _mode(path, umask)) is not None:
                os.fchmod(file.fileno(), mode)
            encode(spool, file, fmt, volume, check, path)
            check()
    except FileExistsError as exc:
        raise StorageError(
            f"cannot write {path}: a file of that name was made meanwhile", "choose another name"
        ) from exc
    except OSError as exc:
        raise StorageError(
            f"cannot write {path}: {exc.strerror or exc}", "free disk space or choose another place"
        ) from exc


def _mode(path: str, umask: int | None) -> int | None:
    """The permissions that the file is to have; None: those of any new file."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode) & 0o777
    except OSError:
        return None if umask is None else 0o666 & ~umask


def part_name(job_id: str) -> str:
    """The name of a job's file until it is complete: the same one after a crash."""
    return f".vox-{job_id}.part"


def remove_part(path: str, part: str) -> None:
    """Remove what a process that was killed had written. Raises nothing."""
    with contextlib.suppress(OSError), folder_of(path) as (folder, _):
        os.unlink(part, dir_fd=folder)


class _Sink:
    """The file that libsndfile writes to. It drops Python's exceptions, so this keeps them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            return self._file.write(data)
        except OSError as exc:
            self.error = exc
            return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)


def encode(
    spool: Spool, file: BinaryIO, fmt: Format, volume: float, check: Check, path: str
) -> None:
    import soundfile

    source_rate = spool.sample_rate or USUAL_RATE  # without any sound it has none
    rate = fmt.rate_for(source_rate)
    sink = _Sink(file)
    try:
        with contextlib.closing(_opened(sink, fmt, rate, path)) as out:
            for samples in _at_rate(spool, source_rate, rate, volume, check):
                out.write(samples.clip(-1.0, 1.0))
                if sink.error is not None:
                    break
        file.flush()
    except (soundfile.LibsndfileError, AssertionError) as exc:  # a short write
        raise sink.error or OSError(errno.EIO, str(exc)) from exc
    if sink.error is not None:
        raise sink.error


def _opened(sink: _Sink, fmt: Format, rate: int, path: str) -> Any:
    """The encoder, to which samples are written, and which is closed in the end."""
    if fmt.container:
        import soundfile

        return soundfile.SoundFile(sink, "w", rate, 1, subtype=fmt.subtype, format=fmt.container)
    return AacFile(sink, rate, "ipod" if path.lower().endswith(".m4a") else "adts")


def _at_rate(
    spool: Spool, source_rate: int, rate: int, volume: float, check: Check
) -> Iterator[Samples]:
    resampler = Resampler(source_rate, rate) if rate != source_rate else None
    position = 0
    while len(samples := spool.read(position, frames_in(_BLOCK_S, source_rate))):
        check()
        position += len(samples)
        samples = amplified(samples, volume)
        yield samples if resampler is None else resampler.feed(samples)
    if resampler is not None:
        yield resampler.finish()
