"""The user's configuration of ssh: a file of our own, `vox.conf`, that its first line includes.

Nothing else in the user's file is touched, and what was added is taken away to the byte. The first
line, because below a `Host` an Include counts for that host alone. Knows nothing of the daemon.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import stat
from dataclasses import dataclass

from ..errors import StorageError
from ..files import make_dir, replacing

_HEAD = "# Written by `vox remote`; to take a server out: vox remote remove HOST\n"
_MADE = "# The file that includes this one did not exist before.\n"
_BLOCK = re.compile(
    r"# vox: begin (?P<host>\S+) (?P<target>\S+)\n.*?"
    r"RemoteForward (?P<there>\"[^\"]*\"|\S+) (?P<here>\"[^\"]*\"|\S+)\n"
    r"# vox: end (?P=host)\n",
    re.DOTALL,
)
_INCLUDES = re.compile(rb"^[ \t]*Include[ \t=]+\"?([^\n]*/)?vox\.conf\"?[ \t\r]*$", re.M | re.I)


def usual_path() -> str:
    """`~/.ssh/config`, with the home that ssh takes: it does not heed HOME."""
    return os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".ssh", "config")


@dataclass(frozen=True, slots=True)
class Forward:
    """What leads from a server to this machine."""

    host: str
    """As it is given to ssh."""
    target: str
    """The same with the user, if one was named: for a login."""
    there: str
    """The socket's path on the server, with ssh's `%L` for this machine's name."""
    here: str
    """The socket's path on this machine."""

    def block(self) -> str:
        there, here = (f'"{each}"' if " " in each else each for each in (self.there, self.here))
        return (
            f"# vox: begin {self.host} {self.target}\n"
            f"Host {self.host}\n"
            f"    RemoteForward {there} {here}\n"
            f"# vox: end {self.host}\n"
        )


class ConfigFile:
    """The user's file at `path`. Every method raises StorageError if a file cannot be read or
    written."""

    def __init__(self, path: str | None = None) -> None:
        self._is_usual = path is None
        self.path = os.path.abspath(path or usual_path())
        self.own_path = os.path.join(os.path.dirname(self.path), "vox.conf")

    @property
    def options(self) -> list[str]:
        """What has ssh read it."""
        return [] if self._is_usual else ["-F", self.path]

    def forwards(self) -> dict[str, Forward]:
        """By host."""
        return {
            found["host"]: Forward(
                found["host"], found["target"], found["there"].strip('"'), found["here"].strip('"')
            )
            for found in _BLOCK.finditer(self._own())
        }

    def put(self, forward: Forward) -> bool:
        """Write a host's block in place of what it had; False if nothing had to be changed."""
        config = _read(self.path)
        own = self._own() or _HEAD + (_MADE if config is None else "")
        changed = _without(own, forward.host) + forward.block()
        has_include = bool(_INCLUDES.search(config or b""))
        if not has_include:
            self._check_writable()
        if has_include and changed == own:
            return False
        _write(self.own_path, changed.encode(), 0o600)
        if not has_include:
            self._write_config(self._include() + (config or b""))
        return True

    def remove(self, host: str) -> bool:
        """Take a host out, and with the last of them all that was added; False if it is not in."""
        own = self._own()
        left = _without(own, host)
        if left == own:
            return False
        if _BLOCK.search(left):
            _write(self.own_path, left.encode(), 0o600)
            return True
        config = _read(self.path) or b""
        if config.startswith(self._include()):
            config = config.removeprefix(self._include())
            if not config and _MADE in own:
                os.unlink(self.path)
            else:
                self._check_writable()
                self._write_config(config)
        os.unlink(self.own_path)
        return True

    def _own(self) -> str:
        return (_read(self.own_path) or b"").decode(errors="replace")

    def _include(self) -> bytes:
        # A name without a folder is in ~/.ssh, whichever file includes it.
        name = "vox.conf" if self._is_usual else self.own_path
        return os.fsencode(f'Include "{name}"\n' if " " in name else f"Include {name}\n")

    def _check_writable(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if not os.stat(self.path).st_mode & stat.S_IWUSR or not os.access(self.path, os.W_OK):
                raise self._unwritable("it is read-only")

    def _write_config(self, data: bytes) -> None:
        try:
            mode = stat.S_IMODE(os.stat(self.path).st_mode)
        except FileNotFoundError:
            mode = 0o600
        try:
            _write(self.path, data, mode)
        except StorageError as exc:
            raise self._unwritable(exc.message) from exc

    def _unwritable(self, reason: str) -> StorageError:
        line = self._include().decode(errors="replace").strip()
        return StorageError(
            f"cannot change {self.path}: {reason}", f"its first line must be or not be: {line}"
        )


def _without(own: str, host: str) -> str:
    return _BLOCK.sub(lambda found: "" if found["host"] == host else found[0], own)


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StorageError(f"cannot read {path}: {exc.strerror}") from exc


def _write(path: str, data: bytes, mode: int) -> None:
    make_dir(os.path.dirname(path))
    try:
        with replacing(path) as file:
            os.fchmod(file.fileno(), mode)  # ssh refuses what others may write
            file.write(data)
    except OSError as exc:
        raise StorageError(f"cannot write {path}: {exc.strerror}") from exc
