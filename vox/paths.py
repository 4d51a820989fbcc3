"""Where vox keeps its files.

`platformdirs` decides; `VOX_HOME` puts everything under one folder instead (tests, several
instances). Paths are plain strings: a warm call imports this module, and pathlib would take time.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

# sun_path holds 108 bytes on Linux and 104 on macOS, with the closing NUL.
SOCKET_PATH_MAX = 103 if sys.platform == "darwin" else 107


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders. The place of every file follows from them."""

    config_dir: str
    data_dir: str
    cache_dir: str
    runtime_dir: str
    log_dir: str
    note: str | None = None
    """Note for the user: why the usual runtime folder is not used."""

    @property
    def config_path(self) -> str:
        return os.path.join(self.config_dir, "config.toml")

    @property
    def say_as_path(self) -> str:
        """The user's own entries that respell words (see `text.say_as_files`)."""
        return os.path.join(self.config_dir, "say-as.toml")

    @property
    def say_as_lock_path(self) -> str:
        """Held while that file is changed. Not beside it: people share its folder."""
        return os.path.join(self.data_dir, "say-as.lock")

    @property
    def agents_path(self) -> str:
        """What was written into the files of AI assistants (see `agents.receipts`)."""
        return os.path.join(self.data_dir, "agents.json")

    @property
    def agents_lock_path(self) -> str:
        """Held while their files are changed."""
        return os.path.join(self.data_dir, "agents.lock")

    @property
    def token_path(self) -> str:
        return os.path.join(self.config_dir, "token")

    @property
    def db_path(self) -> str:
        return os.path.join(self.data_dir, "vox.db")

    @property
    def consumer_lock_path(self) -> str:
        """Held by the process that drains the queue. It is beside the queue: one lock per queue."""
        return os.path.join(self.data_dir, "consumer.lock")

    @property
    def voices_dir(self) -> str:
        return os.path.join(self.data_dir, "voices")

    @property
    def backends_dir(self) -> str:
        return os.path.join(self.data_dir, "backends")

    @property
    def inbox_dir(self) -> str:
        return os.path.join(self.data_dir, "inbox")

    @property
    def spool_dir(self) -> str:
        return os.path.join(self.cache_dir, "spool")

    @property
    def utterances_dir(self) -> str:
        return os.path.join(self.cache_dir, "utterances")

    @property
    def clones_dir(self) -> str:
        """Recordings of other machines' cloned voices, for a worker (see `fleet.clones`)."""
        return os.path.join(self.cache_dir, "clones")

    @property
    def memory_path(self) -> str:
        """How much memory each model took when it was last loaded (see `hosts.pool`)."""
        return os.path.join(self.cache_dir, "memory.json")

    @property
    def rates_path(self) -> str:
        """How fast voices speak and models work here (see `engine.rates`)."""
        return os.path.join(self.cache_dir, "rates.json")

    @property
    def lock_path(self) -> str:
        return os.path.join(self.runtime_dir, "daemon.lock")

    @property
    def pid_path(self) -> str:
        return os.path.join(self.runtime_dir, "daemon.pid")

    @property
    def session_path(self) -> str:
        """The id of the daemon's last session at the workers' server (see `engine.fleet`)."""
        return os.path.join(self.runtime_dir, "workers-session")

    @property
    def log_path(self) -> str:
        return os.path.join(self.log_dir, "daemon.log")

    @property
    def socket_path(self) -> str:
        """The control socket; in a short private folder when the usual path is too long for one."""
        return _socket_path(self.runtime_dir, "vox.sock")

    def remote_socket_path(self, host: str) -> str:
        """Where ssh leads what a server asks for (see `api.remote_hosts`)."""
        return _socket_path(self.runtime_dir, f"{_REMOTE}{host}{_SOCK}")


_REMOTE, _SOCK = "remote-", ".sock"


def remote_host_of(socket_path: str) -> str | None:
    """The host whose socket that is; None: it is none of `Paths.remote_socket_path`."""
    name = os.path.basename(socket_path)
    if name.startswith(_REMOTE) and name.endswith(_SOCK):
        return name.removeprefix(_REMOTE).removesuffix(_SOCK)
    return None


def _socket_path(folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        return path
    import hashlib

    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
    return f"/tmp/vox-{os.getuid()}-{digest}/{name}"


def get_paths(environ: Mapping[str, str] = os.environ) -> Paths:
    home = environ.get("VOX_HOME")
    if home:
        home = os.path.abspath(os.path.expanduser(home))
        join = os.path.join
        return Paths(
            config_dir=home,
            data_dir=home,
            cache_dir=join(home, "cache"),
            runtime_dir=join(home, "run"),
            log_dir=join(home, "log"),
        )
    import warnings

    import platformdirs

    dirs = platformdirs.PlatformDirs("vox", appauthor=False)
    data_dir, why = dirs.user_data_dir, ""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR it warns that it falls back, and so do we, below.
        warnings.simplefilter("ignore")
        try:
            usual = dirs.user_runtime_dir
        except PermissionError as exc:  # also the folder that it falls back to is not the user's
            usual, why = "", str(exc).partition(";")[0]
    # Another home than the user's own has a queue, so also a daemon, of its own.
    suffix = f"-{_digest(data_dir)}" if _is_elsewhere(data_dir) else ""
    last = os.path.join(data_dir, "run")
    runtime_dir, note = choose_runtime_dir(_runtime_dirs(usual, suffix), last, why)
    return Paths(
        config_dir=dirs.user_config_dir,
        data_dir=data_dir,
        cache_dir=dirs.user_cache_dir,
        runtime_dir=runtime_dir,
        log_dir=dirs.user_log_dir,
        note=note,
    )


def _runtime_dirs(usual: str, suffix: str) -> Iterator[str]:
    if usual:
        yield usual + suffix
    import tempfile

    yield os.path.join(tempfile.gettempdir(), f"vox-{os.getuid()}{suffix}")


def choose_runtime_dir(places: Iterable[str], last: str, why: str = "") -> tuple[str, str | None]:
    """The first of the places that can be used, or the last one, which nobody can take from us.

    Every process of the user finds the same one. Returns also a note if one before it is not the
    user's; `why`: what is wrong with one that is not among them.
    """
    found = last
    for place in places:
        obstacle = _obstacle(place)
        if not obstacle:
            found = place
            break
        if obstacle != _MISSING:  # as on most machines without a desktop
            why = why or obstacle
    return found, f"{why}; the runtime folder is {found} instead" if why else None


_MISSING = "missing"


def _obstacle(folder: str) -> str:
    """Why this cannot be the runtime folder; "" if it can be."""
    parent, ours = os.path.dirname(folder), (0, os.getuid())
    try:
        if os.lstat(parent).st_uid not in ours or os.stat(parent).st_uid not in ours:
            return f"{parent} belongs to another user"
        if not os.path.lexists(folder):
            can_make = os.path.isdir(parent) and os.access(parent, os.W_OK | os.X_OK)
            return "" if can_make else f"{parent} cannot be written"
        info = os.lstat(folder)
    except FileNotFoundError:
        return _MISSING
    except OSError as exc:
        return f"{folder}: {exc.strerror}"
    if not stat.S_ISDIR(info.st_mode):
        return f"{folder} is not a folder"
    return "" if info.st_uid == os.getuid() else f"{folder} belongs to another user"


def _is_elsewhere(data_dir: str) -> bool:
    """True if the data are not under the home that the system has for this user."""
    import pwd

    try:
        home = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return True
    return not os.path.abspath(data_dir).startswith(os.path.join(home, ""))


def _digest(path: str) -> str:
    import hashlib

    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
