"""Files of weights that are on this machine already, and how one is used again.

They lie in the weights of vox's backends, or in the user's own cache of Hugging Face's tools, in
which nothing is ever changed. Whatever is taken is compared by checksum first. Standard library
only: vox's process, which has no `huggingface_hub`, asks too.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil

from .download import PART, sha256_of

_TRUE = ("1", "ON", "YES", "TRUE")
_SHA256 = re.compile("[0-9a-f]{64}")


def is_offline() -> bool:
    """Whether the user told Hugging Face's tools, and so vox, to do without the network."""
    wish = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return wish.upper() in _TRUE


def hub_cache() -> str:
    """The folder of the user's own cache, by the variables of Hugging Face's tools."""
    user_cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or os.path.join(user_cache, "huggingface")
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return os.path.expanduser(os.path.expandvars(named or os.path.join(home, "hub")))


def cached_snapshot(repo: str, revision: str | None) -> tuple[str, dict[str, str]] | None:
    """The commit, and the paths of its files by their names, as the cache has them; else None.

    The commit is that of the cache's main branch if `revision` is None.
    """
    folder = os.path.join(hub_cache(), "models--" + repo.replace("/", "--"))
    if revision is None:
        try:
            with open(os.path.join(folder, "refs", "main"), encoding="utf-8") as file:
                revision = file.read().strip()
        except OSError:
            return None
    snapshot = os.path.join(folder, "snapshots", revision)
    found = {}
    for parent, _, names in os.walk(snapshot):
        for path in (os.path.join(parent, name) for name in names):
            if os.path.exists(path):
                found[os.path.relpath(path, snapshot).replace(os.sep, "/")] = path
    return (revision, found) if found else None


def cached_with(sha256: str) -> list[str]:
    """The files of the cache, whatever model they are of, that are named by this checksum."""
    pattern = os.path.join(glob.escape(hub_cache()), "models--*", "blobs", sha256)
    return sorted(glob.glob(pattern))


def cached_checksum(path: str) -> str | None:
    """The SHA-256 that the cache knows of a file of a snapshot; None for small files."""
    name = os.path.basename(os.path.realpath(path))
    return name if _SHA256.fullmatch(name) else None


def can_link(source: str, folder: str) -> bool:
    """Whether a hard link to `source` in `folder`, or its nearest parent, takes no space.

    Cache and link then share the file, which is safe: Hugging Face's tools replace files and never
    write into them, and so does vox. Not with another user's file, who might.
    """
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        info = os.stat(source)
        return info.st_dev == os.stat(folder).st_dev and info.st_uid == os.getuid()
    except OSError:
        return False


def take(source: str, path: str, sha256: str | None) -> str | None:
    """Put `source` at `path`, as a link or a copy; returns its SHA-256.

    None if it cannot be had, or is not the file with the checksum `sha256`. Raises nothing.
    """
    temporary = path + ".taken"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        _link_or_copy(os.path.realpath(source), temporary)
        digest = sha256_of(temporary)
        if sha256 not in (None, digest):
            return None
        os.replace(temporary, path)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + PART)
        return digest
    except OSError:
        return None
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temporary)


def _link_or_copy(source: str, path: str) -> None:
    if can_link(source, os.path.dirname(path)):
        with contextlib.suppress(OSError):  # a file system without links
            os.link(source, path)
            return
    shutil.copyfile(source, path)
