"""`weights/manifest.json`: where every downloaded file came from, and its SHA-256.

If no checksum is known beforehand, that of the first download is recorded. From then on other
contents are refused, at install and at load. The commit of a repository that no adapter pins is
recorded in the same way. Files that are not on record are the user's own. Standard library only.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ... import files
from ...errors import LoadFailed
from ..base import Progress
from .download import download, sha256_of
from .local_files import hub_cache, take

NAME = "manifest.json"


@dataclass(frozen=True, slots=True)
class Artefact:
    """A file to be downloaded."""

    url: str
    path: str
    """Below `weights/`, with slashes."""
    sha256: str | None = None
    """None: not known; that of the first download is recorded."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent to the URL's host only (a token)."""
    copies: Sequence[str] = ()
    """Files of this machine that may have the same contents; the first that has them is taken."""


class Manifest:
    """The record of one backend's `weights/`. One process writes it: installations are locked."""

    def __init__(self, folder: str) -> None:
        """`folder`: `weights/`, which need not exist. Raises LoadFailed for a damaged record."""
        self.folder = folder
        self._path = os.path.join(folder, NAME)
        self._files: dict[str, dict[str, Any]] = {}
        self._revisions: dict[str, str] = {}
        try:
            with open(self._path, encoding="utf-8") as file:
                known = json.load(file)
            self._files, self._revisions = dict(known["files"]), dict(known["revisions"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise LoadFailed(
                f"{self._path} cannot be read: {exc}",
                "remove the backend and install it again: vox backends remove NAME",
            ) from exc

    def fetch(self, artefact: Artefact, progress: Progress, place: str | None = None) -> None:
        """Download the file unless it is there, and record it. Raises LoadFailed, StorageError.

        `place`: where to put it until all files of a model are there; default: its final place.
        """
        if not self.take(artefact, progress, place):
            place = place or self.place(artefact.path)
            expected = artefact.sha256 or self.sha256(artefact.path)
            digest = download(artefact.url, place, progress, expected, artefact.headers)
            self._add(artefact, place, digest)

    def take(self, artefact: Artefact, progress: Progress, place: str | None = None) -> bool:
        """As `fetch`, but without the network: False if the file is neither there nor a copy."""
        place = place or self.place(artefact.path)
        expected = artefact.sha256 or self.sha256(artefact.path)
        if os.path.exists(place):
            if artefact.path in self._files:
                return True
            if expected is None or sha256_of(place) != expected:
                return False
            self._add(artefact, place, expected)  # an interruption left it without a record
            return True
        for source in artefact.copies:
            progress(f"fetching {os.path.basename(artefact.path)} from {_origin(source)}", None)
            digest = take(source, place, expected)
            if digest is not None:
                self._add(artefact, place, digest)
                return True
        return False

    def places_of(self, sha256: str) -> list[str]:
        """The files on record with this checksum: this backend's, then those of the others."""
        return [
            place
            for manifest in (self, *self._others())
            for path, entry in manifest._files.items()
            if entry["sha256"] == sha256 and os.path.exists(place := manifest.place(path))
        ]

    def _others(self) -> Iterator[Manifest]:
        backends_dir = os.path.dirname(os.path.dirname(os.path.abspath(self.folder)))
        for path in sorted(
            glob.glob(os.path.join(glob.escape(backends_dir), "*", "weights", NAME))
        ):
            with contextlib.suppress(LoadFailed):  # damaged: that backend's own trouble
                yield Manifest(os.path.dirname(path))

    def adopt(self, artefact: Artefact) -> None:
        """Record a file that was not downloaded but made here. Raises as `fetch`."""
        self.fetch(artefact, lambda _text, _fraction: None)

    def _add(self, artefact: Artefact, place: str, digest: str) -> None:
        info = os.stat(place)
        self._files[artefact.path] = {
            "source": artefact.url,
            "sha256": digest,
            "size": info.st_size,
            "mtime_ns": info.st_mtime_ns,
        }
        self._write()

    def place(self, path: str) -> str:
        """The file's path on the disk."""
        return os.path.join(self.folder, *path.split("/"))

    def sha256(self, path: str) -> str | None:
        """The recorded checksum, None for a file that is not on record."""
        entry = self._files.get(path)
        return str(entry["sha256"]) if entry else None

    def forget(self, folder: str) -> None:
        """Drop the records of all files below this folder of `weights/`."""
        for path in [path for path in self._files if path.startswith(folder + "/")]:
            del self._files[path]

    def revision(self, repository: str) -> str | None:
        """The recorded commit of a repository; None if it has none yet."""
        return self._revisions.get(repository)

    def set_revision(self, repository: str, revision: str) -> None:
        """Record the commit from which a repository's files are fetched. Raises StorageError."""
        if self._revisions.get(repository) != revision:
            self._revisions[repository] = revision
            self._write()

    def check(self, *paths: str, thorough: bool = False) -> None:
        """Raise LoadFailed if one of these files is not what was fetched.

        Unless `thorough`, a file with the recorded size and time of change is not read: reading
        takes about a second for each gigabyte. Files that are not on record, or gone, are skipped.
        """
        digests: dict[tuple[int, int], str] = {}  # what several models share is read once
        for path in paths:
            entry, place = self._files.get(path), self.place(path)
            if entry is None or not os.path.exists(place):
                continue
            info = os.stat(place)
            unchanged = (info.st_size, info.st_mtime_ns) == (entry["size"], entry["mtime_ns"])
            if unchanged and not thorough:
                continue
            inode = (info.st_dev, info.st_ino)
            digests[inode] = digests.get(inode) or sha256_of(place)
            if digests[inode] != entry["sha256"]:
                raise LoadFailed(
                    f"{place} is not what was fetched from {entry['source']}: its checksum differs",
                    "delete it, then install the backend again",
                )

    def check_folder(self, folder: str, thorough: bool = False) -> None:
        """`check` for all files on record that lie in this folder of the disk."""
        relative = os.path.relpath(folder, self.folder).replace(os.sep, "/") + "/"
        inside = [path for path in self._files if relative == "./" or path.startswith(relative)]
        self.check(*inside, thorough=thorough)

    def _write(self) -> None:
        record = {"revisions": self._revisions, "files": self._files}
        files.write(self._path, json.dumps(record, indent=1, sort_keys=True))


def _origin(path: str) -> str:
    """The folder that the file is taken from, as it is shown."""
    cache, home = hub_cache(), os.path.expanduser("~")
    folder = cache if path.startswith(cache + os.sep) else os.path.dirname(path)
    return "~" + folder.removeprefix(home) if folder.startswith(home + os.sep) else folder
