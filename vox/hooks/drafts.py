"""Messages that one event of an assistant tells and a later one has said: the last of each session.

One small file for each session, in a folder of the user's own. Raises OSError, StorageError.
"""

from __future__ import annotations

import os
import time

FOLDER = "hooks"
"""Within the runtime folder."""
LONGEST = 65_536
"""In characters; the end is kept."""
FORGET_S = 86_400.0
"""A session that ended no turn for so long is over."""


def keep(runtime_dir: str, name: str, text: str) -> None:
    """Keep the text for the session of that name, which is a file's name too."""
    folder = os.path.join(runtime_dir, FOLDER)
    data = text[-LONGEST:].encode("utf-8", "replace")
    try:
        _write(folder, name, data)
    except FileNotFoundError:
        from ..files import make_private_dir

        make_private_dir(runtime_dir)
        make_private_dir(folder)
        _write(folder, name, data)


def take(runtime_dir: str, name: str) -> str:
    """The text that was kept for the session, which is gone then; "" if there is none."""
    path = os.path.join(runtime_dir, FOLDER, name)
    try:
        with open(path, "rb", buffering=0) as file:
            text = file.read(4 * LONGEST).decode("utf-8", "replace")
        os.unlink(path)
    except FileNotFoundError:
        return ""
    return text


def _write(folder: str, name: str, data: bytes) -> None:
    own = os.path.join(folder, f"{name}.{os.getpid()}")
    file = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)
    os.replace(own, os.path.join(folder, name))
    _forget(folder)


def _forget(folder: str) -> None:
    """Remove what nobody has asked for."""
    before = time.time() - FORGET_S
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.stat(follow_symlinks=False).st_mtime < before:
                os.unlink(entry.path)
