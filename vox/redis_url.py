"""Where the fleet's Redis server is: a URL without a secret, and how the secret is found.

A URL with a password is refused: it would stand in `ps` and in `config show`. Imports nothing of
Redis, for the settings are checked by every command.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import BadConfig

PASSWORD_VARIABLE = "VOX_WORKERS_PASSWORD"
USUAL = "redis://HOST[:PORT][/DB]"
DEFAULT_PORT = 6379
_TLS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname")
"""What may stand behind the "?" of a `rediss` URL. Their values are files, and true or false."""


@dataclass(frozen=True, slots=True)
class Address:
    """A Redis server: what its URL says."""

    url: str
    """As it was given."""
    host: str
    """Or the path of its socket."""
    port: int = DEFAULT_PORT
    db: int = 0
    username: str | None = None
    is_encrypted: bool = False
    tls: tuple[tuple[str, str], ...] = ()

    @property
    def is_socket(self) -> bool:
        return self.host.startswith("/")

    def __str__(self) -> str:
        """For messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.host if self.is_socket else f"{host}:{self.port}"


def parse(text: str) -> Address:
    """The address that a URL names: redis, rediss (TLS) or unix. Raises ValueError.

    No message repeats the URL, which may hold a password after all.
    """
    from urllib.parse import parse_qsl, unquote, urlsplit

    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError:
        raise ValueError(f"must be {USUAL}") from None
    if url.scheme not in ("redis", "rediss", "unix"):
        raise ValueError(f"must be {USUAL}, or begin with rediss:// for TLS")
    if url.password is not None or "@" in url.path + url.query + url.fragment:
        raise ValueError(
            "must not hold a password: put it into a file (workers_password_file; vox worker: "
            f"--password-file) or into {PASSWORD_VARIABLE}"
        )
    if url.fragment or port == 0 or (not url.hostname and url.scheme != "unix"):
        raise ValueError(f"must be {USUAL}")
    query = parse_qsl(url.query, keep_blank_values=True)
    for name, value in query:
        if name not in _TLS or url.scheme != "rediss":
            raise ValueError(f"must be {USUAL}; rediss:// may have {', '.join(_TLS)}")
        if name == "ssl_check_hostname" and value not in ("true", "false"):
            raise ValueError("ssl_check_hostname must be true or false")
    username = unquote(url.username) if url.username else None
    if url.scheme == "unix":
        if url.hostname or not url.path.strip("/"):
            raise ValueError("must be unix:///PATH, the server's socket")
        return Address(text.strip(), unquote(url.path), username=username)
    db = url.path.strip("/")
    if db and not (db.isascii() and db.isdigit() and len(db) < 6):
        raise ValueError(f"must be {USUAL}, where DB is a number")
    return Address(
        text.strip(),
        url.hostname or "",
        DEFAULT_PORT if port is None else port,
        int(db or 0),
        username,
        url.scheme == "rediss",
        tuple(query),
    )


def no_package() -> BadConfig:
    """What is raised where the package `redis` is missing."""
    from .extras import install_hint

    return BadConfig("the package redis is not installed", install_hint("redis", "redis>=7,<9"))


def password(file_path: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The server's password, from the file if one is named, else from the environment.

    Raises BadConfig if the file cannot be read, or has none.
    """
    if not file_path:
        return environ.get(PASSWORD_VARIABLE) or None
    path = os.path.expanduser(file_path)
    try:
        # A pipe would make us wait, and gives its password to the first connection only.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadConfig(f"the password file {file_path} is no file", "name a regular file")
        with open(path, encoding="utf-8-sig") as file:
            found = file.read(4096).partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise BadConfig(
            f"the password file {file_path} cannot be read: {why}",
            "check its path and its permissions",
        ) from None
    if not found:
        raise BadConfig(
            f"the password file {file_path} has no password", "write it into the first line"
        )
    return found


def is_exposed(file_path: str | None) -> bool:
    """Others than its owner may read the password file."""
    with contextlib.suppress(OSError):
        if file_path:
            return bool(os.stat(os.path.expanduser(file_path)).st_mode & 0o077)
    return False
