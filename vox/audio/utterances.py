"""The utterance cache: what was synthesized once is said again without a host.

One file for each utterance, named by its key (see `engine.cache_keys`): a header by which the file
proves itself whole, then 16-bit mono PCM. It is limited in bytes; the least recently used are
removed first. Several processes may use one folder. A cache that cannot be read or written costs
a synthesis, never a job. Knows nothing of jobs, texts or voices.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import StorageError
from ..files import cannot_write, make_dir, replacing
from .pcm import BYTES_PER_FRAME, Samples, from_pcm16, to_pcm16

log = logging.getLogger(__name__)

_HEADER = struct.Struct("<8sIIIf")
"""A mark, the sample rate in Hz, the frames, the CRC-32 of what follows, and the seconds that the
synthesis took."""
_MARK = b"vox-utt2"
_FULL_TO = 0.9
"""To which part of the limit it is emptied, so that not every utterance looks for the oldest."""


class Kept(NamedTuple):
    """An utterance's audio, shaped but without the pause after it."""

    samples: Samples
    sample_rate: int
    made_s: float
    """What the synthesis took, in seconds."""


class _File(NamedTuple):
    used_at: float
    """When it was last used: seconds since the epoch."""
    size: int
    path: str


class UtteranceCache:
    """Any thread may use it. `limit_bytes` is asked each time; 0 turns the cache off."""

    def __init__(
        self, path: str, limit_bytes: Callable[[], int], clock: Callable[[], float] = time.time
    ) -> None:
        """`path`: the folder, which is made when something is kept."""
        self.path = path
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._size: int | None = None
        """What the folder holds in bytes, if no other process writes; None: not counted yet."""
        self._has_warned = False

    def get(self, key: str, is_noted: bool = True) -> Kept | None:
        """The utterance; None if it is not there, or not whole. It counts as used if `is_noted`."""
        if not self._limit_bytes():
            return None
        path = os.path.join(self.path, key)
        try:
            with open(path, "rb") as file:
                kept = _decoded(file.read())
            if kept is None:
                os.unlink(path)
        except FileNotFoundError:
            return None
        except OSError as exc:
            self._warn(exc)
            return None
        if is_noted:
            with contextlib.suppress(OSError):  # in a read-only folder it keeps its old time
                os.utime(path, (self._clock(),) * 2)
        return kept

    def has(self, key: str) -> bool:
        """Whether the utterance is there, as far as its name tells."""
        return bool(self._limit_bytes()) and os.path.exists(os.path.join(self.path, key))

    def put(
        self, key: str, parts: Sequence[Samples], sample_rate: int, made_s: float = 0.0
    ) -> None:
        """Keep an utterance, made of these parts, in place of what is there. Raises nothing."""
        data, limit = _encoded(np.concatenate(parts), sample_rate, made_s), self._limit_bytes()
        with self._lock:
            try:
                if len(data) <= limit:
                    make_dir(self.path)
                    with replacing(os.path.join(self.path, key), mode=0o600, durable=False) as file:
                        file.write(data)
                    self._size = None if self._size is None else self._size + len(data)
                self._make_room(limit)
            except FileNotFoundError:
                pass  # another process cleared the cache meanwhile
            except (OSError, StorageError) as exc:
                self._warn(exc)

    def _make_room(self, limit: int) -> None:
        """Remove the least recently used if there is more than the limit."""
        if self._size is not None and self._size <= limit:
            return
        files = self._files()
        self._size = sum(file.size for file in files)
        if self._size <= limit:
            return
        for file in sorted(files):
            if self._size <= limit * _FULL_TO:
                break
            _remove(file.path)
            self._size -= file.size

    def evict(self) -> None:
        """Remove what is too much: the limit may be lower than it was. Raises nothing."""
        with self._lock:
            try:
                self._make_room(self._limit_bytes())
            except OSError as exc:
                self._warn(exc)

    def clear(self, unused_for_s: float | None = None) -> None:
        """Remove what was not used for so many seconds; None: everything. Raises StorageError."""
        before = None if unused_for_s is None else self._clock() - unused_for_s
        with self._lock:
            path = self.path
            try:
                for file in self._files():
                    if before is None or file.used_at < before:
                        path = file.path
                        _remove(path)
            except OSError as exc:
                raise cannot_write(path, exc) from exc
            self._size = None

    def usage_bytes(self) -> int:
        """What the folder holds; 0 if it cannot be read."""
        try:
            return sum(file.size for file in self._files())
        except OSError:
            return 0

    def _files(self) -> list[_File]:
        """All files in the folder, also what a process that was killed left half written.

        Raises OSError if there is a folder that cannot be read.
        """
        found = []
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    try:
                        info = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # another process removed it
                    found.append(_File(info.st_mtime, info.st_size, entry.path))
        except FileNotFoundError:
            return []
        return found

    def _warn(self, exc: OSError | StorageError) -> None:
        if not self._has_warned:
            self._has_warned = True
            reason = exc.message if isinstance(exc, StorageError) else str(exc)
            log.warning("the utterance cache does not work: %s", reason)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # another process removed it
        os.unlink(path)


def _encoded(samples: Samples, sample_rate: int, made_s: float) -> bytes:
    pcm = to_pcm16(samples)
    return _HEADER.pack(_MARK, sample_rate, len(samples), zlib.crc32(pcm), made_s) + pcm


def _decoded(data: bytes) -> Kept | None:
    """What the file holds; None unless it is whole and of ours."""
    if len(data) < _HEADER.size:
        return None
    mark, sample_rate, frames, checksum, made_s = _HEADER.unpack_from(data)
    pcm = memoryview(data)[_HEADER.size :]
    is_whole = len(pcm) == frames * BYTES_PER_FRAME and zlib.crc32(pcm) == checksum
    if mark != _MARK or not (is_whole and frames and sample_rate):
        return None
    return Kept(from_pcm16(bytes(pcm)), sample_rate, made_s)
