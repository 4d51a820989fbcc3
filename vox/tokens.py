"""The bearer token of the HTTP API on TCP. Only this user can read its file."""

from __future__ import annotations

import os

from . import files
from .errors import StorageError
from .files import cannot_write
from .paths import Paths

TOKEN_BYTES = 32


def ensure_token(paths: Paths) -> str:
    """The token. A new one is made if there is none. Raises StorageError."""
    token = read_token(paths)
    if token is not None:
        return token
    temporary = f"{paths.token_path}.{os.getpid()}"
    _write_new(temporary)
    try:
        _keep_first(temporary, paths.token_path)
    except OSError as exc:
        raise cannot_write(paths.token_path, exc) from exc
    return _content(paths.token_path)


def renew_token(paths: Paths) -> str:
    """Make a new token; the old one is no longer valid. Raises StorageError."""
    _write_new(paths.token_path)
    return _content(paths.token_path)


def _write_new(path: str) -> None:
    import secrets

    files.write(path, secrets.token_urlsafe(TOKEN_BYTES) + "\n", mode=0o600)


def _keep_first(temporary: str, path: str) -> None:
    """If two processes make a token at once, both use the one that was there first."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        if not _content(path):  # an empty file is left from a full disk
            os.replace(temporary, path)
            return
    os.unlink(temporary)


def read_token(paths: Paths) -> str | None:
    """The token; None if there is none. Raises StorageError, also if other users can read it."""
    try:
        info = os.stat(paths.token_path)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StorageError(f"cannot read {paths.token_path}: {exc.strerror}") from exc
    if info.st_mode & 0o077:
        raise StorageError(
            f"other users can read {paths.token_path}",
            "make a new token: vox daemon token --new",
        )
    return _content(paths.token_path) or None


def _content(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError as exc:
        raise StorageError(f"cannot read {path}: {exc.strerror}", "fix its permissions") from exc
