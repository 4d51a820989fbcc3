"""Downloads a file: goes on where it stopped, shows progress, compares the checksum.

`huggingface_hub` could download models, but does less. Since 1.31, which the MLX backend needs, it
starts an interrupted file of up to 4 GB again; 0.36 reports no bytes to its caller; and no version
compares the checksum. Standard library only, because this runs in every backend's environment.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping

from ...errors import LoadFailed, StorageError
from ..base import Progress
from .progress import transfer

PART = ".part"
"""Ends the name of a file or folder that is not complete yet."""
_TIMEOUT_S = 20.0
_BLOCK = 1 << 18


def sha256_of(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(
    url: str,
    path: str,
    progress: Progress,
    sha256: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Download `url` to `path` unless that exists; returns the file's SHA-256.

    A later call goes on where this one is interrupted. `headers` are not sent to a host that the
    server redirects to. Raises LoadFailed (at once without a network; if the checksum is not
    `sha256`), StorageError.
    """
    if os.path.exists(path):
        digest = sha256_of(path)
        if sha256 not in (None, digest):
            raise LoadFailed(
                f"{path} is not the file of {url}: its checksum differs",
                "move it away and run it again",
            )
        return digest
    part = path + PART
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _transfer(url, part, progress, headers or {})
    except urllib.error.HTTPError as exc:
        raise LoadFailed(f"{url} cannot be fetched: {exc.code} {exc.reason}") from exc
    except OSError as exc:
        raise _translated(exc, url, path) from exc
    digest = sha256_of(part)
    if sha256 not in (None, digest):
        os.unlink(part)
        raise LoadFailed(f"{url} was damaged in transfer: its checksum differs", "run it again")
    os.replace(part, path)
    return digest


def _translated(exc: OSError, url: str, path: str) -> LoadFailed | StorageError:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(
            f"the disk is full: {os.path.basename(path)} was not fetched",
            "free disk space and run it again, it goes on where it stopped",
        )
    if exc.filename is not None:  # a file of ours, not the connection
        return StorageError(f"cannot write {exc.filename}: {exc.strerror}")
    host = urllib.parse.urlsplit(url).hostname
    reason = getattr(exc, "reason", exc)
    reason = getattr(reason, "strerror", None) or reason  # without "[Errno -2]"
    return LoadFailed(f"no connection to {host}: {reason}", "connect and run it again")


def _transfer(url: str, part: str, progress: Progress, headers: Mapping[str, str]) -> None:
    have = os.path.getsize(part) if os.path.exists(part) else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as exc:
        exc.close()  # it holds the connection
        if exc.code == 416:  # the part is the whole already
            return
        raise
    with answer:
        if answer.status != 206:
            have = 0
        total = have + int(answer.headers.get("Content-Length") or 0)
        name = os.path.basename(part).removesuffix(PART)
        began, shown, done = time.monotonic(), 0.0, have
        with open(part, "ab" if have else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
                done += len(block)
                now = time.monotonic()
                if total and now - shown > 0.2:
                    shown = now
                    progress(*transfer(name, done, total, now - began, have))
        if done < total:
            raise TimeoutError("the connection was cut off")
