"""The spool: each job's audio on disk, while it is made and afterwards for replay.

A job has two files: `ID.pcm`, 16-bit mono, and `ID.idx`, which says which part of it counts (see
`spool_index`). After a crash, opening the spool cuts both back to the last complete utterance.
Nothing is fsynced: the spool is a cache, and a killed process loses nothing that it had written.
Knows nothing of voices or devices.
"""

from __future__ import annotations

import bisect
import contextlib
import glob
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import StorageError
from ..files import cannot_write, make_dir, remove_parts
from .pcm import BYTES_PER_FRAME, EMPTY, Resampler, Samples, from_pcm16, mono, to_pcm16
from .spool_index import COMPLETE_LINE, Index, Segment, rate_line, segment_line

__all__ = ["Segment", "Spool", "SpoolDir"]

_PCM = ".pcm"
_INDEX = ".idx"
_EXPORT = "export-"


@dataclass(frozen=True, slots=True)
class _Begun:
    """The utterance that is being written."""

    index: int
    start_frame: int


class Made(NamedTuple):
    """How much of a job's audio is there."""

    utterances: int
    """Counted from the text's start."""
    whole_s: float
    """Seconds of these."""
    audio_s: float
    """Seconds with what there is of the next one."""
    is_complete: bool


class Spool:
    """One job's audio on disk: one writer thread, any number of reader threads.

    `frames` counts what is on disk, with the utterance that is still growing; `segments` are the
    complete utterances. Made by `SpoolDir.open`. Writing raises StorageError.
    """

    def __init__(self, path: str, job_id: str) -> None:
        """`path`: without an extension."""
        self.job_id = job_id
        self._pcm_path = path + _PCM
        self._lock = threading.Lock()
        self._wakers: list[Callable[[], None]] = []
        self._rolled_back_to: list[int] = []
        self._begun: _Begun | None = None
        self._resampler: Resampler | None = None
        self._fed_rate: int | None = None
        self._users = 0
        self.is_abandoned = False
        self._open(path)

    def _open(self, path: str) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        make_dir(os.path.dirname(path))
        try:
            self._pcm = os.open(path + _PCM, flags, 0o600)
        except OSError as exc:
            raise cannot_write(path + _PCM, exc) from exc
        try:
            index = Index.read(path + _INDEX, os.fstat(self._pcm).st_size // BYTES_PER_FRAME)
            self.frames = index.segments[-1].end_frame if index.segments else 0
            self._index = os.open(path + _INDEX, flags | os.O_APPEND, 0o600)
            os.ftruncate(self._index, index.good_bytes)
            os.ftruncate(self._pcm, self.frames * BYTES_PER_FRAME)
        except OSError as exc:
            os.close(self._pcm)
            raise cannot_write(path, exc) from exc
        self.sample_rate = index.sample_rate
        self.segments = index.segments
        self.is_complete = index.is_complete

    # -- writing -----------------------------------------------------------------------------

    def begin_utterance(self, index: int) -> None:
        """What is appended from now on is the utterance with this index."""
        with self._lock:
            self._begun = _Begun(index, self.frames)
            self._wake()

    def append(self, samples: Samples, sample_rate: int) -> None:
        """Add samples to the utterance. The first rate is the job's; others are resampled."""
        if self.sample_rate is None:
            self._write_line(rate_line(sample_rate))
            self.sample_rate = sample_rate
        self._write_samples(self._at_own_rate(mono(samples), sample_rate))

    def _at_own_rate(self, samples: Samples, sample_rate: int) -> Samples:
        assert self.sample_rate is not None
        rest = EMPTY
        if sample_rate != self._fed_rate:
            rest = self._finish_resampling()
            self._fed_rate = sample_rate
            if sample_rate != self.sample_rate:
                self._resampler = Resampler(sample_rate, self.sample_rate)
        if self._resampler is None:
            return np.concatenate([rest, samples])
        return np.concatenate([rest, self._resampler.feed(samples)])

    def _finish_resampling(self) -> Samples:
        """What the resampler, if there is one, still holds."""
        resampler, self._resampler, self._fed_rate = self._resampler, None, None
        return EMPTY if resampler is None else resampler.finish()

    def _write_samples(self, samples: Samples) -> None:
        if not len(samples):
            return
        data = memoryview(to_pcm16(samples))
        at = self.frames * BYTES_PER_FRAME
        try:
            self._check_not_cut()
            while data:
                written = os.pwrite(self._pcm, data, at)
                data, at = data[written:], at + written
        except OSError as exc:
            raise cannot_write(self._pcm_path, exc) from exc
        with self._lock:
            self.frames += len(samples)
            self._wake()

    def _check_not_cut(self) -> None:
        if os.fstat(self._pcm).st_size < self.frames * BYTES_PER_FRAME:
            raise self._was_cut()

    def end_utterance(self, is_unsaid: bool = False) -> Segment:
        """The utterance is complete; from now on it survives a crash.

        `is_unsaid`: it has no audio, because the voice could not say it.
        """
        if self._begun is None:
            raise RuntimeError("end_utterance without begin_utterance")
        self._write_samples(self._finish_resampling())
        begun = self._begun
        segment = Segment(
            begun.index,
            begun.start_frame,
            self.frames,
            is_unsaid,
        )
        self._write_line(segment_line(segment))
        with self._lock:
            self.segments.append(segment)
            self._begun = None
            self._wake()
        return segment

    def rollback(self) -> None:
        """Drop the samples of the utterance that was begun and not ended: its host died."""
        with self._lock:
            if self._begun is None:
                return
            self.frames = self._begun.start_frame
            self._rolled_back_to.append(self.frames)
            self._begun = None
            self._resampler = self._fed_rate = None
            self._wake()

    def finish(self) -> None:
        """All utterances are there: the job's audio is complete and kept for replay."""
        if self.is_complete:
            return
        self._check_not_cut()
        if self.sample_rate is not None:
            self._write_line(COMPLETE_LINE)
        with self._lock:
            self.is_complete = True
            self._wake()

    def abandon(self) -> None:
        """The job failed or was cancelled: no more audio will come. Wakes readers."""
        with self._lock:
            self.is_abandoned = True
            self._wake()

    def _write_line(self, line: bytes) -> None:
        try:
            if os.write(self._index, line) != len(line):
                raise StorageError(
                    f"cannot write {self._pcm_path}: No space left on device",
                    "free disk space",
                )
        except OSError as exc:
            raise cannot_write(self._pcm_path, exc) from exc

    # -- reading -----------------------------------------------------------------------------

    @property
    def is_growing(self) -> bool:
        """More audio may come."""
        return not (self.is_complete or self.is_abandoned)

    @property
    def is_mid_utterance(self) -> bool:
        return self._begun is not None

    def made(self) -> Made:
        """How much is there."""
        with self._lock:
            rate = self.sample_rate or 1
            whole = self.segments[-1].end_frame if self.segments else 0
            utterances = self.segments[-1].index + 1 if self.segments else 0
            return Made(utterances, whole / rate, self.frames / rate, self.is_complete)

    def read(self, start_frame: int, count: int) -> Samples:
        """Up to `count` frames from `start_frame`: as many as there are, maybe none.

        Raises StorageError if another process cut the file off, or the disk cannot be read.
        """
        count = min(count, self.frames - start_frame)
        if count <= 0:
            return EMPTY
        size = count * BYTES_PER_FRAME
        try:
            data = os.pread(self._pcm, size, start_frame * BYTES_PER_FRAME)
        except OSError as exc:
            raise StorageError(f"cannot read {self._pcm_path}: {exc.strerror}") from exc
        if len(data) < size:
            raise self._was_cut()
        return from_pcm16(data)

    def _was_cut(self) -> StorageError:
        return StorageError(
            f"{self._pcm_path} was truncated by another program",
            f"to speak it again: vox replay {self.job_id}",
        )

    def after_rollbacks(self, frame: int, rollbacks_seen: int) -> tuple[int, int]:
        """A reader's position after the rollbacks it had not seen, and the count of all."""
        with self._lock:
            return min([frame, *self._rolled_back_to[rollbacks_seen:]]), len(self._rolled_back_to)

    def start_of(self, index: int) -> int | None:
        """Where utterance `index`, or the first after it, starts; None if not known yet."""
        with self._lock:
            for segment in self.segments:
                if segment.index >= index:
                    return segment.start_frame
            if self._begun is not None and self._begun.index >= index:
                return self._begun.start_frame
            return None if self.is_growing else self.frames

    def frame_at(self, index: int, share: float) -> int | None:
        """The frame at so much of utterance `index`, or where the first after it starts.

        None if it is not known yet.
        """
        with self._lock:
            at = bisect.bisect_left(self.segments, index, key=lambda segment: segment.index)
            if at < len(self.segments):
                found = self.segments[at]
                length = found.end_frame - found.start_frame if found.index == index else 0
                return found.start_frame + round(share * length)
            if self._begun is not None and (self._begun.index > index or not share):
                return self._begun.start_frame if self._begun.index >= index else None
            return None if self.is_growing else self.frames

    def sounding(self) -> list[Segment]:
        """The utterances that have sound, in order; one that is being made never ends."""
        with self._lock:
            found = [each for each in self.segments if each.start_frame < each.end_frame]
            if self._begun is not None:
                found.append(Segment(self._begun.index, self._begun.start_frame, sys.maxsize))
            return found

    def utterances_before(self, frame: int) -> int:
        """How many utterances, counted from the text's start, end at or before `frame`."""
        with self._lock:
            count = bisect.bisect_right(self.segments, frame, key=lambda s: s.end_frame)
            return self.segments[count - 1].index + 1 if count else 0

    def add_waker(self, waker: Callable[[], None]) -> None:
        """Have `waker` called in the writer's thread, after every change. It must not block."""
        with self._lock:
            self._wakers.append(waker)

    def remove_waker(self, waker: Callable[[], None]) -> None:
        with self._lock:
            if waker in self._wakers:
                self._wakers.remove(waker)

    def _wake(self) -> None:
        for waker in self._wakers:
            waker()

    def hold(self) -> Spool:
        """Count one more user, who calls `close` in the end."""
        with self._lock:
            self._users += 1
        return self

    def close(self) -> None:
        """The last user's call closes the files."""
        with self._lock:
            self._users -= 1
            if self._users != 0:
                return
            os.close(self._pcm)
            os.close(self._index)

    @property
    def is_closed(self) -> bool:
        return self._users <= 0


class SpoolDir:
    """The folder of the spools, limited in bytes: the oldest are removed first."""

    def __init__(self, path: str, limit_bytes: int) -> None:
        """The folder is made now, or else when something is written: it may be removed."""
        self.path = path
        with contextlib.suppress(StorageError):
            make_dir(path)
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._open: dict[str, Spool] = {}

    def _base(self, job_id: str) -> str:
        if not job_id.isalnum():
            raise ValueError(f"not a job id: {job_id!r}")
        return os.path.join(self.path, job_id)

    def open(self, job_id: str) -> Spool:
        """The job's spool: a new one, or continued after its last complete utterance.

        Opening one that is open shares it; every opener closes it. Raises StorageError.
        """
        base = self._base(job_id)
        with self._lock:
            live = self._open.get(job_id)
            if live is not None and not live.is_closed and not live.is_abandoned:
                return live.hold()
            self._forget_closed()
            self._open[job_id] = spool = Spool(base, job_id).hold()
            return spool

    def _forget_closed(self) -> None:
        self._open = {key: spool for key, spool in self._open.items() if not spool.is_closed}

    def has(self, job_id: str) -> bool:
        """True if the job's complete audio is there."""
        base = self._base(job_id)
        try:
            frames = os.stat(base + _PCM).st_size // BYTES_PER_FRAME
        except OSError:
            return False
        return Index.read(base + _INDEX, frames).is_complete

    def peek(self, job_id: str) -> Made | None:
        """How much of the job's audio is there; None: nothing, as far as can be told."""
        spool = self._open.get(job_id)
        if spool is not None and not spool.is_closed and not spool.is_abandoned:
            return spool.made()
        base = self._base(job_id)
        try:
            frames = os.stat(base + _PCM).st_size // BYTES_PER_FRAME
            index = Index.read(base + _INDEX, frames)
        except OSError:
            return None
        last = index.segments[-1] if index.segments else None
        if last is None:
            return None
        audio_s = last.end_frame / (index.sample_rate or 1)
        return Made(last.index + 1, audio_s, audio_s, index.is_complete)

    def share(self, job_id: str, new_id: str) -> bool:
        """Give another job the same complete audio, by links; False if it is not there."""
        if not self.has(job_id):
            return False
        try:
            # The index last: it is what makes the audio count.
            for extension in (_PCM, _INDEX):
                os.link(self._base(job_id) + extension, self._base(new_id) + extension)
        except OSError:
            # Evicted just now, or a file system without links: the audio is synthesized anew. One
            # link without the other would have the shared audio cut off when it is opened.
            with contextlib.suppress(OSError):
                os.unlink(self._base(new_id) + _PCM)
            return False
        return True

    def take_over(self, job_id: str, new_id: str) -> None:
        """Give another job what there is of the audio of one that was cut off, if anything is.

        Not if that is still in use, nor in place of what the other job has.
        """
        old, new = self._base(job_id), self._base(new_id)
        with self._lock, contextlib.suppress(OSError):
            live = self._open.get(job_id)
            if (live is None or live.is_closed) and not os.path.exists(new + _PCM):
                os.rename(old + _PCM, new + _PCM)
                os.rename(old + _INDEX, new + _INDEX)

    def remove(self, job_id: str) -> None:
        """Remove the job's audio. Readers that have it open are not disturbed."""
        base = self._base(job_id)
        with self._lock:
            self._open.pop(job_id, None)
            for extension in (_PCM, _INDEX):
                try:
                    os.unlink(base + extension)
                except FileNotFoundError:
                    pass
                except OSError as exc:
                    raise cannot_write(base + extension, exc) from exc

    def _sizes(self) -> dict[str, tuple[float, int]]:
        """By job on disk: when it was last written, and its size in bytes.

        None if there is no folder, or another thing in its place.
        """
        sizes: dict[str, tuple[float, int]] = {}
        with contextlib.suppress(OSError), os.scandir(self.path) as entries:
            for entry in entries:
                job_id, extension = os.path.splitext(entry.name)
                if extension not in (_PCM, _INDEX) or not job_id.isalnum():
                    continue
                try:
                    info = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                at, size = sizes.get(job_id, (0.0, 0))
                sizes[job_id] = (max(at, info.st_mtime), size + info.st_size)
        return sizes

    def new_export(self, extension: str) -> str:
        """An empty file for audio on its way to a client. The caller removes it.

        Raises StorageError.
        """
        make_dir(self.path)
        try:
            fd, path = tempfile.mkstemp(extension, _EXPORT, self.path)
        except OSError as exc:
            raise cannot_write(self.path, exc) from exc
        os.close(fd)
        return path

    def remove_exports(self) -> None:
        """Remove exports that a dead daemon left. Nobody writes into the folder yet."""
        remove_parts(self.path, 0.0)
        for path in glob.glob(os.path.join(glob.escape(self.path), _EXPORT + "*")):
            with contextlib.suppress(OSError):
                os.unlink(path)

    def usage_bytes(self) -> int:
        return sum(size for _, size in self._sizes().values())

    def evict(self, keep: Container[str]) -> list[str]:
        """Remove the oldest, except those in `keep`, until the folder is within its limit.

        Returns the ids of the removed jobs.
        """
        sizes = self._sizes()
        total = sum(size for _, size in sizes.values())
        gone = []
        for job_id, (_, size) in sorted(sizes.items(), key=lambda item: item[1]):
            if total <= self.limit_bytes:
                break
            if job_id not in keep:
                try:
                    self.remove(job_id)
                except StorageError:  # `vox doctor` tells
                    break
                total -= size
                gone.append(job_id)
        return gone
