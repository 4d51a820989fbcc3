"""Models from Hugging Face: one commit each, checked against the checksums that the hub lists.

`huggingface_hub` looks up commits and files. The backends' packages bring it in versions from 0.36
to 2.x, and only an installation imports it. `download` transfers the bytes: see there why. What the
machine has already, in another model or in the user's own cache, is taken from there
(`local_files`). A token (HF_TOKEN, or that of `hf auth login`) is sent to the hub.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import shutil
import urllib.error
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ...errors import LoadFailed, StorageError
from ..base import Progress
from .download import PART
from .local_files import (
    cached_checksum,
    cached_snapshot,
    cached_with,
    can_link,
    hub_cache,
    is_offline,
)
from .manifest import Artefact, Manifest

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Pin:
    """The commit of a repository that an adapter takes its files from."""

    revision: str
    sha256: Mapping[str, str] = field(default_factory=dict)
    """Checksums by path, as far as known; a mirror cannot serve other files then."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes by path, of the large files: what a download takes before the hub is asked."""

    def missing_bytes(self, manifest: Manifest) -> Mapping[str, int]:
        """The sizes, by checksum, of the known files of which this machine has no copy."""
        known = {self.sha256[name]: size for name, size in self.sizes.items()}
        return {sha256: size for sha256, size in known.items() if not _copies(sha256, manifest)}


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
    copies: tuple[str, ...] = ()
    """Files of this machine that should have the same contents."""


def endpoint() -> str:
    """The hub, or the mirror that HF_ENDPOINT names, as in Hugging Face's own tools."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def fetch_model(
    repo: str,
    manifest: Manifest,
    folder: str,
    progress: Progress,
    pin: Pin | None = None,
    needed: Sequence[str] = (),
) -> None:
    """Download all files of `repo` ("org/name") to `folder` below `weights/`, unless that exists.

    They lie in `folder` + ".part" until all are there; a later call goes on there. Without a pin
    the commit is the newest one at the first call. `needed`: names of files without which it is no
    model, for the user's cache may have a part of them. Raises LoadFailed (at once without a
    network or if there is no such model), StorageError.
    """
    target = manifest.place(folder)
    if os.path.isdir(target):
        return
    part = target + PART
    wanted = pin.revision if pin else manifest.revision(repo)
    if is_offline():
        revision, listed = _look_up_offline(repo, wanted, [*needed, *(pin.sha256 if pin else ())])
    else:
        revision, listed = _look_up(repo, wanted)
    if revision != manifest.revision(repo):
        # What was fetched so far is of another commit.
        shutil.rmtree(part, ignore_errors=True)
        manifest.forget(folder)
    found = [replace(file, place=_inside(part, file.name)) for file in listed]
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
        if is_offline():
            revision, listed = _look_up_offline(repo, revision, names)
        else:
            revision, listed = _look_up(repo, revision)
    folder = folder_of(revision)
    found = [
        replace(file, place=manifest.place(f"{folder}/{file.name}"))
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

    token = None if is_offline() else get_token()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    found = [_with_copies(file, pin, manifest) for file in found]
    _check_room(repo, found, manifest.place(folder), progress)
    manifest.set_revision(repo, revision)
    total, done = sum(file.size for file in found), 0
    for file in found:
        artefact = Artefact(
            hf_hub_url(repo, file.name, revision=revision, endpoint=endpoint()),
            f"{folder}/{posixpath.normpath(file.name)}",
            file.sha256,
            headers,
            file.copies,
        )
        told = _share(progress, done, file, total)
        if not is_offline():
            with _refusals(repo):
                manifest.fetch(artefact, told, file.place)
        elif not manifest.take(artefact, told, file.place):
            raise _not_cached(repo, file.name)
        done += file.size


def _with_copies(file: _File, pin: Pin | None, manifest: Manifest) -> _File:
    sha256 = (pin.sha256.get(file.name) if pin else None) or file.sha256
    copies = (*_copies(sha256, manifest), *file.copies) if sha256 else file.copies
    return replace(file, sha256=sha256, copies=copies)


def _copies(sha256: str, manifest: Manifest) -> list[str]:
    return [*manifest.places_of(sha256), *cached_with(sha256)]


def _check_room(repo: str, found: list[_File], target: str, progress: Progress) -> None:
    """Report how much is still to be fetched. Raises StorageError if the disk is too small."""
    needed_mb = sum(_size_to_come(file) for file in found) / 1e6
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


def _size_to_come(file: _File) -> int:
    if file.copies and can_link(file.copies[0], os.path.dirname(file.place)):
        return 0
    for there in (file.place, file.place + PART):
        with contextlib.suppress(OSError):
            return max(0, file.size - os.path.getsize(there))
    return file.size


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
        raise LoadFailed(f"{host} sent no valid model listing") from exc


def _look_up_offline(
    repo: str, revision: str | None, needed: Sequence[str]
) -> tuple[str, list[_File]]:
    """As `_look_up`, of what the user's cache has. Raises LoadFailed if it lacks some `needed`."""
    found = cached_snapshot(repo, revision)
    if found is None:
        raise _not_cached(repo)
    revision, paths = found
    absent = set(needed) - set(paths)
    if absent:
        raise _not_cached(repo, min(absent))
    return revision, [
        _File(name, cached_checksum(path), os.path.getsize(path), copies=(path,))
        for name, path in paths.items()
    ]


def _not_cached(repo: str, name: str = "") -> LoadFailed:
    what = f"{name} of {repo}" if name else repo
    return LoadFailed(
        f"HF_HUB_OFFLINE is set, and {what} is not in {hub_cache()}",
        "unset it and run it again",
    )


@contextlib.contextmanager
def _refusals(repo: str) -> Iterator[None]:
    """Say what to do when the hub lists a model but does not hand out its files."""
    try:
        yield
    except LoadFailed as exc:
        answer = exc.__cause__
        if isinstance(answer, urllib.error.HTTPError) and answer.code in (401, 403):
            raise _gated(repo) from exc
        raise


def _gated(repo: str) -> LoadFailed:
    return LoadFailed(
        f"{repo} is private or gated",
        f"accept its terms at {endpoint()}/{repo}, then set HF_TOKEN or run: hf auth login",
    )


def _model_info(repo: str, revision: str | None, host: str | None) -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        return HfApi(endpoint=endpoint()).model_info(
            repo, revision=revision, timeout=_TIMEOUT_S, files_metadata=True
        )
    except GatedRepoError as exc:
        raise _gated(repo) from exc
    except RepositoryNotFoundError as exc:
        # The hub answers 401 for a model that does not exist, as for a private one.
        raise LoadFailed(
            f"{host} has no model {repo}, or it is private",
            "check its name; for a private one set HF_TOKEN or run: hf auth login",
        ) from exc
    except HfHubHTTPError as exc:
        if exc.response.status_code in (401, 403):
            raise _gated(repo) from exc
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
