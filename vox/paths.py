"""Where vox keeps its files.

`platformdirs` decides; `VOX_HOME` puts everything under one folder instead (tests, several
instances). Paths are plain strings: a warm call imports this module, and pathlib would take time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
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

    @property
    def config_path(self) -> str:
        return os.path.join(self.config_dir, "config.toml")

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
    def memory_path(self) -> str:
        """How much memory each model took when it was last loaded (see `hosts.pool`)."""
        return os.path.join(self.cache_dir, "memory.json")

    @property
    def lock_path(self) -> str:
        return os.path.join(self.runtime_dir, "daemon.lock")

    @property
    def pid_path(self) -> str:
        return os.path.join(self.runtime_dir, "daemon.pid")

    @property
    def log_path(self) -> str:
        return os.path.join(self.log_dir, "daemon.log")

    @property
    def socket_path(self) -> str:
        """The control socket; in a short private folder when the usual path is too long for one."""
        path = os.path.join(self.runtime_dir, "vox.sock")
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            return path
        import hashlib

        digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        return f"/tmp/vox-{os.getuid()}-{digest}/vox.sock"


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
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR it warns that it falls back, and so do we, below.
        warnings.simplefilter("ignore")
        runtime_dir = dirs.user_runtime_dir
    if not os.path.isdir(os.path.dirname(runtime_dir)):
        import tempfile

        runtime_dir = os.path.join(tempfile.gettempdir(), f"vox-{os.getuid()}")
    data_dir = dirs.user_data_dir
    if _is_elsewhere(data_dir):
        # Another home than the user's own has a queue, so also a daemon, of its own.
        runtime_dir = f"{runtime_dir}-{_digest(data_dir)}"
    return Paths(
        config_dir=dirs.user_config_dir,
        data_dir=data_dir,
        cache_dir=dirs.user_cache_dir,
        runtime_dir=runtime_dir,
        log_dir=dirs.user_log_dir,
    )


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
