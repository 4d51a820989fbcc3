"""Where the daemon's socket is, found without `platformdirs` where that is plain to see."""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 103
"""A longer path is no socket's everywhere: see `vox.paths`."""


def runtime_dir(environ: Mapping[str, str]) -> str | None:
    """`vox.paths.Paths.runtime_dir`; None: `vox.paths` must look more closely."""
    home = environ.get("VOX_HOME")
    if home:
        return os.path.join(os.path.abspath(os.path.expanduser(home)), "run")
    if sys.platform != "linux" or environ.get("XDG_DATA_HOME") or "ANDROID_DATA" in environ:
        return None
    import pwd

    try:
        own = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None
    base = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    found = os.path.join(base, "vox")
    is_usual = _is_private(base) and _is_private(found) and _is_below_safe_folders(base)
    return found if is_usual and own == environ.get("HOME") else None


def laptops_dir(environ: Mapping[str, str]) -> str:
    """On a server: the folder in which `vox remote` notes the laptops that hear what is said here.

    Its sockets lie here too if the system has no better place. Under HOME, whatever VOX_HOME says:
    ssh made it, which knows no such variable.
    """
    return os.path.join(environ.get("HOME") or "/nonexistent", ".local/state/vox/remote")


def may_be_elsewhere(environ: Mapping[str, str]) -> bool:
    """Whether it may be a laptop that hears what is said here: `client.laptop` looks closely."""
    return bool(environ.get("VOX_SOCKET")) or os.path.isdir(laptops_dir(environ))


def _is_below_safe_folders(path: str) -> bool:
    """Whether nobody else can put another folder in its place: no look could end elsewhere."""
    if not path.startswith("/") or path != os.path.normpath(path):
        return False
    while path != "/":
        path = os.path.dirname(path)
        info = os.lstat(path)
        is_open = info.st_mode & 0o022 and not info.st_mode & stat.S_ISVTX
        if not stat.S_ISDIR(info.st_mode) or info.st_uid not in (0, os.getuid()) or is_open:
            return False
    return True


def _is_private(folder: str) -> bool:
    """Whether it is a folder of this user's that is for nobody else."""
    try:
        info = os.lstat(folder)
    except OSError:
        return False
    return info.st_uid == os.getuid() and info.st_mode & ~0o7000 == stat.S_IFDIR | 0o700


def files(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """The control socket and the PID file; None: there is something to be told about them."""
    folder = runtime_dir(environ)
    if folder is not None:
        socket_path = os.path.join(folder, "vox.sock")
        if len(os.fsencode(socket_path)) <= MOST_BYTES:
            return socket_path, os.path.join(folder, "daemon.pid")
    from ..paths import get_paths

    paths = get_paths(environ)
    return None if paths.note else (paths.socket_path, paths.pid_path)
