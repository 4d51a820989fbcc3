"""Recordings of cloned voices on their way to the workers: by content, once, for a while.

A client offers a recording before it asks for its voice; a worker keeps what it fetched in a folder
of its own. Neither writes a name, a transcript or a digest into a log.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
import wave

from ..errors import UnknownVoice
from ..files import write
from . import keys
from .server import Server

TTL_S = 3600.0
"""How long the server keeps a recording after its last use."""
KEPT_S = 7 * 86400.0
"""How long a worker keeps it."""
KEPT_BYTES = 256_000_000
MAX_BYTES = 16_000_000
"""Of one recording: 30 s in 48 kHz and 32 bits, twice over."""
MOST_S = 60.0
"""How long it may be. Those that vox makes have half of it at most."""


def digest_of(path: str) -> str:
    """The SHA-256 of a recording. Raises UnknownVoice if it cannot be read."""
    return hashlib.sha256(_content(path)).hexdigest()


def _is_recording(data: bytes) -> bool:
    """Whether it is a plain WAV file, as `vox clone` makes them."""
    try:
        with wave.open(io.BytesIO(data)) as wav:
            frames, rate = wav.getnframes(), wav.getframerate()
            size = frames * wav.getsampwidth() * wav.getnchannels()
            is_usual: bool = 0 < frames <= MOST_S * rate and size <= len(data)
            return is_usual
    except (wave.Error, EOFError, ValueError, ArithmeticError):
        return False


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise UnknownVoice(
            f"the recording of the voice cannot be read: {exc.strerror}", "see: vox clone list"
        ) from exc
    if len(data) > MAX_BYTES:
        raise UnknownVoice("the recording of the voice is too long for a worker")
    return data


class Clones:
    """A client's side."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._offered: dict[str, float] = {}
        """When the server last had a recording, by digest (`time.monotonic`)."""

    def offer(self, digest: str, path: str) -> None:
        """Make sure that the server has the recording. Raises WorkersAway, UnknownVoice."""
        now = time.monotonic()
        if now - self._offered.get(digest, -TTL_S) < TTL_S / 4:
            return
        ttl_ms = round(1000 * TTL_S)
        if not self._server.call("pexpire", keys.clone(digest), ttl_ms):
            data = _content(path)
            if hashlib.sha256(data).hexdigest() != digest:
                raise UnknownVoice("the recording of the voice was changed meanwhile", "try again")
            self._server.put(keys.clone(digest), data, ttl_ms)
        self._offered[digest] = now

    def forget(self, digest: str) -> None:
        """The server did not have it after all."""
        self._offered.pop(digest, None)

    def forget_all(self) -> None:
        self._offered.clear()


class KeptClones:
    """A worker's: a folder of recordings, named by their digests."""

    def __init__(self, server: Server, folder: str) -> None:
        self._server = server
        self._folder = folder

    def path(self, digest: str) -> str | None:
        """Where the recording is, fetched if need be; None: the server does not have it, or not as
        it was.

        Raises WorkersAway, StorageError, and UnknownVoice if it is no recording: what reads it
        may be given nothing that unpacks to more than it seems.
        """
        path = os.path.join(self._folder, f"{digest}.wav")
        if os.path.exists(path):
            with contextlib.suppress(OSError):
                os.utime(path)
            return path
        key = keys.clone(digest)
        length = self._server.call("strlen", key)
        data = self._server.call("get", key) if length <= MAX_BYTES else None
        if data is None or hashlib.sha256(data).hexdigest() != digest:
            if length:
                self._server.call("delete", key)  # so that the client sends it again
            return None
        if not _is_recording(data):
            raise UnknownVoice(
                f"the recording of the voice is not a WAV file of at most {MOST_S:g} s"
            )
        self.tidy(len(data))
        write(path, data, mode=0o600)
        return path

    def tidy(self, coming: int = 0) -> None:
        """Delete what was not used for long, and what is too much, the longest unused first."""
        with contextlib.suppress(OSError):
            entries = [(each.stat(), each.path) for each in os.scandir(self._folder)]
            entries.sort(key=lambda each: each[0].st_mtime)
            total = coming + sum(stat.st_size for stat, _ in entries)
            for stat, path in entries:
                if total > KEPT_BYTES or time.time() - stat.st_mtime > KEPT_S:
                    with contextlib.suppress(OSError):
                        os.unlink(path)
                    total -= stat.st_size
