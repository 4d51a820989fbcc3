"""Whole models from the Hugging Face hub, by its plain HTTP interface.

Owns which files a model has and that a folder is there either whole or not at all. The bytes are
`weights.download`'s business. Standard library alone, like it.
"""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import shutil
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from ...errors import LoadFailed, StorageError
from ..base import Progress
from .weights import download

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    size: int
    """Bytes."""
    sha256: str | None
    """Only what the hub keeps as a large file has one."""


def endpoint() -> str:
    """The hub, or the mirror that HF_ENDPOINT names, as in Hugging Face's own tools."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def fetch_model(repo: str, folder: str, progress: Progress) -> None:
    """Download every file of the model `repo` ("org/name") into `folder`, unless that is there.

    Until all is there it lies in `folder` + ".part", where a later call goes on. Raises
    LoadFailed (at once where there is no network or no such model), StorageError.
    """
    if os.path.isdir(folder):
        return
    part = folder + ".part"
    files = _files(repo)
    total, done = sum(file.size for file in files) or 1, 0
    _check_room(repo, files, part, progress)
    for file in files:
        url = f"{endpoint()}/{repo}/resolve/main/{urllib.parse.quote(file.path)}"
        download(url, _inside(part, file.path), _share(progress, done, file, total), file.sha256)
        done += file.size
    os.replace(part, folder)


def _check_room(repo: str, files: list[_File], part: str, progress: Progress) -> None:
    """Say what is still to be fetched. Raises StorageError where the disk does not hold that."""
    try:
        os.makedirs(part, exist_ok=True)
    except OSError as exc:
        raise StorageError(f"cannot write {part}: {exc.strerror}") from exc
    needed_mb = sum(file.size - _size_of_what_is_there(part, file) for file in files) / 1e6
    free_mb = shutil.disk_usage(part).free / 1e6
    progress(f"fetching {repo}: {needed_mb:,.0f} MB of {free_mb:,.0f} MB free", None)
    if free_mb < needed_mb:
        raise StorageError(
            f"{repo} needs {needed_mb:,.0f} MB more and {part} has {free_mb:,.0f} MB free",
            "make room and run it again, it goes on where it stopped",
        )


def _size_of_what_is_there(part: str, file: _File) -> int:
    path = _inside(part, file.path)
    for there in (path, path + ".part"):
        with contextlib.suppress(OSError):
            return min(file.size, os.path.getsize(there))
    return 0


def _files(repo: str) -> list[_File]:
    url = f"{endpoint()}/api/models/{urllib.parse.quote(repo)}?blobs=true"
    host = urllib.parse.urlsplit(url).hostname
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:
            listing = json.load(answer)["siblings"]
            return [
                _File(entry["rfilename"], entry["size"], (entry.get("lfs") or {}).get("sha256"))
                for entry in listing
            ]
    except urllib.error.HTTPError as exc:
        # The hub answers 401 for what does not exist, so as not to tell it from what is private.
        if exc.code in (401, 403, 404):
            raise LoadFailed(f"{host} has no public model {repo}", "check its name") from exc
        raise LoadFailed(f"{host} answers {exc.code} {exc.reason}", "try again later") from exc
    except (KeyError, TypeError, ValueError) as exc:
        raise LoadFailed(f"{host} answers in a way that is no model listing") from exc
    except OSError as exc:
        reason = getattr(exc, "reason", exc)
        raise LoadFailed(f"no connection to {host}: {reason}", "connect and run it again") from exc


def _inside(folder: str, path: str) -> str:
    """The place of a listed file; what would lie outside the folder is refused."""
    clean = posixpath.normpath(path)
    if clean.startswith(("/", "..")):
        raise LoadFailed(f"the model lists a file outside its folder: {path!r}")
    return os.path.join(folder, *clean.split("/"))


def _share(progress: Progress, before: int, file: _File, total: int) -> Progress:
    """Progress on one file as progress on the whole model."""

    def report(text: str, fraction: float | None) -> None:
        progress(text, (before + (fraction or 0.0) * file.size) / total)

    return report
