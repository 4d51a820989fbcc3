"""Files of weights: where packages carry them, and how they are downloaded.

Standard library alone, for it runs in vox's process and in every backend's environment.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import time
import urllib.error
import urllib.parse
import urllib.request

from ...errors import LoadFailed, StorageError
from ..base import Progress, Settings
from .progress import transfer
from .venv import site_packages_in

_TIMEOUT_S = 20.0
_BLOCK = 1 << 18


def weights_dir(settings: Settings) -> str:
    return os.path.join(settings.env_dir, "weights")


def package_dir(settings: Settings, package: str) -> str | None:
    """The folder of a package in the backend's environment or in the running one, unimported."""
    site_packages = site_packages_in(os.path.join(settings.env_dir, "venv"))
    if site_packages is not None:
        folder = os.path.join(site_packages, package)
        if os.path.isdir(folder):
            return folder
    spec = importlib.util.find_spec(package)
    return os.path.dirname(spec.origin) if spec is not None and spec.origin else None


def download(url: str, path: str, progress: Progress, sha256: str | None = None) -> None:
    """Fetch `url` into `path`, going on where an earlier attempt stopped; nothing if it is there.

    Raises LoadFailed (at once where there is no network), StorageError.
    """
    if os.path.exists(path):
        return
    part = path + ".part"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _transfer(url, part, progress)
    except urllib.error.HTTPError as exc:
        raise LoadFailed(f"{url} cannot be fetched: {exc.code} {exc.reason}") from exc
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError(
                f"the disk is full: {os.path.basename(path)} was not fetched",
                "make room and run it again, it goes on where it stopped",
            ) from exc
        if exc.filename is not None:  # a file of ours, not the connection
            raise StorageError(f"cannot write {exc.filename}: {exc.strerror}") from exc
        host = urllib.parse.urlsplit(url).hostname
        reason = getattr(exc, "reason", exc)
        raise LoadFailed(f"no connection to {host}: {reason}", "connect and run it again") from exc
    if sha256 is not None and _digest(part) != sha256:
        os.unlink(part)
        raise LoadFailed(f"{url} came damaged: its checksum is another", "run it again")
    os.replace(part, path)


def _transfer(url: str, part: str, progress: Progress) -> None:
    have = os.path.getsize(part) if os.path.exists(part) else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as exc:
        if exc.code == 416:  # the part is the whole already
            return
        raise
    with answer:
        if answer.status != 206:
            have = 0
        total = have + int(answer.headers.get("Content-Length") or 0)
        name, began, shown, done = os.path.basename(part[:-5]), time.monotonic(), 0.0, have
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


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
