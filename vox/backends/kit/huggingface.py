"""Models from Hugging Face: one commit each, checked against the checksums that the hub lists.

`huggingface_hub` looks up commits and files. The backends' packages bring it in versions from 0.36
to 2.x, and only an installation imports it. `download` transfers the bytes: see there why.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import LoadFailed, StorageError
from ..base import Progress
from .download import PART
from .manifest import Artefact, Manifest

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Pin:
    """The commit of a repository that an adapter takes its files from."""

    revision: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Checksums by path, as far as known; a mirror cannot serve other files then."""


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    """Its path in the repository."""
    sha256: str | None
    """None: the hub lists none for small files."""
    size: int = 0
    """Bytes; 0 where the hub was not asked."""
    place: str = ""
    """Where it is downloaded to."""


def endpoint() -> str:
    """The hub, or the mirror that HF_ENDPOINT names, as in Hugging Face's own tools."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def fetch_model(
    repo: str, manifest: Manifest, folder: str, progress: Progress, pin: Pin | None = None
) -> None:
    """Download all files of `repo` ("org/name") to `folder` below `weights/`, unless that exists.

    They lie in `folder` + ".part" until all are there; a later call goes on there. Without a pin
    the commit is the newest one at the first call. Raises LoadFailed (at once without a network
    or if there is no such model), StorageError.
    """
    target = manifest.place(folder)
    if os.path.isdir(target):
        return
    part = target + PART
    revision, listed = _look_up(repo, pin.revision if pin else manifest.revision(repo))
    if revision != manifest.revision(repo):
        # What was fetched so far is of another commit.
        shutil.rmtree(part, ignore_errors=True)
        manifest.forget(folder)
    found = [_File(file.name, file.sha256, file.size, _inside(part, file.name)) for file in listed]
    _fetch(repo, revision, found, manifest, folder, progress, pin)
    os.replace(part, target)


def fetch_files(
    repo: str,
    names: Sequence[str],
    manifest: Manifest,
    folder_of: Callable[[str], str],
    progress: Progress,
    pin: Pin | None = None,
) -> str:
    """Download these files of `repo` unless they are there; returns the commit they are from.

    `folder_of(commit)`: where they go, below `weights/`. The hub is asked only for what neither
    the pin nor the manifest says. Raises as `fetch_model`.
    """
    revision = pin.revision if pin else manifest.revision(repo)
    listed: list[_File] = []
    if revision is not None:
        known = pin.sha256 if pin else {}
        folder = folder_of(revision)
        listed = [
            _File(name, known.get(name) or manifest.sha256(f"{folder}/{name}")) for name in names
        ]
    if revision is None or not all(file.sha256 for file in listed):
        progress(f"looking up {repo}", None)
        revision, listed = _look_up(repo, revision)
    folder = folder_of(revision)
    found = [
        _File(file.name, file.sha256, file.size, manifest.place(f"{folder}/{file.name}"))
        for file in listed
        if file.name in names
    ]
    absent = set(names) - {file.name for file in found}
    if absent:
        raise LoadFailed(f"{repo} has no file {min(absent)}", "check the model's name")
    _fetch(repo, revision, found, manifest, folder, progress, pin)
    return revision


def _fetch(
    repo: str,
    revision: str,
    found: list[_File],
    manifest: Manifest,
    folder: str,
    progress: Progress,
    pin: Pin | None,
) -> None:
    from huggingface_hub import get_token, hf_hub_url

    token = get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    _check_room(repo, found, manifest.place(folder), progress)
    manifest.set_revision(repo, revision)
    total, done = sum(file.size for file in found), 0
    for file in found:
        artefact = Artefact(
            hf_hub_url(repo, file.name, revision=revision, endpoint=endpoint()),
            f"{folder}/{posixpath.normpath(file.name)}",
            (pin.sha256.get(file.name) if pin else None) or file.sha256,
            headers,
        )
        manifest.fetch(artefact, _share(progress, done, file, total), file.place)
        done += file.size


def _check_room(repo: str, found: list[_File], target: str, progress: Progress) -> None:
    """Report how much is still to be fetched. Raises StorageError if the disk is too small."""
    needed_mb = sum(file.size - _size_so_far(file) for file in found) / 1e6
    if not needed_mb:
        return
    folder = target
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free_mb = shutil.disk_usage(folder).free / 1e6
    progress(f"fetching {repo}: {needed_mb:,.0f} MB of {free_mb:,.0f} MB free", None)
    if free_mb < needed_mb:
        raise StorageError(
            f"{repo} needs {needed_mb:,.0f} MB more and {folder} has {free_mb:,.0f} MB free",
            "free disk space and run it again, it goes on where it stopped",
        )


def _size_so_far(file: _File) -> int:
    for there in (file.place, file.place + PART):
        with contextlib.suppress(OSError):
            return min(file.size, os.path.getsize(there))
    return 0


def _look_up(repo: str, revision: str | None) -> tuple[str, list[_File]]:
    """The commit (the main branch's if `revision` is None) and its files."""
    host = urllib.parse.urlsplit(endpoint()).hostname
    try:
        found = _model_info(repo, revision, host)
        return str(found.sha), [
            _File(entry.rfilename, entry.lfs.sha256 if entry.lfs else None, int(entry.size))
            for entry in found.siblings
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise LoadFailed(f"{host} answers in a way that is no model listing") from exc


def _model_info(repo: str, revision: str | None, host: str | None) -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        return HfApi(endpoint=endpoint()).model_info(
            repo, revision=revision, timeout=_TIMEOUT_S, files_metadata=True
        )
    except RepositoryNotFoundError as exc:
        # The hub answers 401 for a model that does not exist, as for a private one.
        raise LoadFailed(f"{host} has no public model {repo}", "check its name") from exc
    except HfHubHTTPError as exc:
        answer = f"{exc.response.status_code} for {repo}"
        raise LoadFailed(f"{host} answers {answer}", "try again later") from exc
    except ValueError:
        raise
    except Exception as exc:  # the library's HTTP client is requests in 0.36, httpx2 in 2.x
        reason = _first_line(exc)
        raise LoadFailed(f"no connection to {host}: {reason}", "connect and run it again") from exc


def _first_line(exc: BaseException) -> str:
    """The system's own message, which requests wraps in several lines."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return (str(exc).splitlines() or [type(exc).__name__])[0]


def _inside(folder: str, path: str) -> str:
    """The path of a listed file. Raises LoadFailed if it lies outside the folder."""
    clean = posixpath.normpath(path)
    if clean.startswith(("/", "..")):
        raise LoadFailed(f"the model lists a file outside its folder: {path!r}")
    return os.path.join(folder, *clean.split("/"))


def _share(progress: Progress, before: int, file: _File, total: int) -> Progress:
    """Progress on one file as progress on all of them, if their size is known."""

    def report(text: str, fraction: float | None) -> None:
        progress(text, (before + (fraction or 0.0) * file.size) / total)

    return report if total else progress
