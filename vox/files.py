"""Folders, files that are written whole or not at all, and locks between processes.

The one place that knows how the system does these, so that Windows can be added. `fcntl` is
imported when it is needed: a warm call locks nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

from .errors import StorageError


def cannot_write(path: str, exc: OSError) -> StorageError:
    """The error for a file or folder that cannot be written."""
    reason = exc.strerror or str(exc)
    return StorageError(
        f"cannot write {path}: {reason}",
        "free disk space or fix the permissions, or set VOX_HOME to another place",
    )


def make_dir(path: str) -> str:
    """Make a folder and its parents if they do not exist. Returns the path. Raises StorageError."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as exc:
        in_the_way = path
        while not os.path.lexists(in_the_way):
            in_the_way = os.path.dirname(in_the_way)
        what = "it" if in_the_way == path else in_the_way
        raise StorageError(
            f"cannot write {path}: {what} is not a folder",
            "move it away, or set VOX_HOME to another place",
        ) from exc
    except OSError as exc:
        raise cannot_write(path, exc) from exc
    return path


def make_private_dir(path: str) -> str:
    """Make a folder and its parents for this user alone, or check that it is one.

    Raises StorageError if it cannot be made, is a link, or belongs to somebody else.
    """
    make_dir(path)
    try:
        info = os.lstat(path)
        if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
            raise StorageError(
                f"{path} is not a folder of yours", "move it away, or set VOX_HOME to another place"
            )
        if stat.S_IMODE(info.st_mode) & 0o077:
            os.chmod(path, 0o700)
    except OSError as exc:
        raise cannot_write(path, exc) from exc
    return path


_LINKS_MAX = 40
"""Links that a path may lead through, as in Linux."""
_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


@contextlib.contextmanager
def folder_of(path: str, follows_last: bool = True) -> Iterator[tuple[int, str]]:
    """The folder that the path leads to, open, and the name in it, which is not that of a link.

    Others may put links where we write, for example in /tmp, and must not choose what we write
    to. So a link is followed only if it is ours or root's; on the way to the folder, and unless
    we are root, also if it is of whom the folder with it is. What is opened is what was looked
    at, whatever takes its place meanwhile. Without `follows_last` the last name is returned as
    it is. Raises OSError.
    """
    names = _reversed_names(path if os.path.isabs(path) else os.path.join(os.getcwd(), path))
    links = 0
    folder = os.open(os.sep, _FOLDER)
    try:
        while names:
            name, is_last = names.pop(), not names
            target = _link_target(folder, name, is_last) if follows_last or not is_last else None
            if target is not None:
                links += 1
                if links > _LINKS_MAX:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                names += _reversed_names(target)
                name = os.sep if os.path.isabs(target) else os.curdir
            elif is_last:
                yield folder, name
                return
            outer, folder = folder, os.open(name, _FOLDER, dir_fd=folder)
            os.close(outer)
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    finally:
        os.close(folder)


def _reversed_names(path: str) -> list[str]:
    return [name for name in reversed(path.split(os.sep)) if name not in ("", os.curdir)]


def _link_target(folder: int, name: str, is_last: bool) -> str | None:
    """What the link leads to; None if it is none, or does not exist. See `folder_of`."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        if is_last:
            return None
        raise
    if not stat.S_ISLNK(info.st_mode):
        return None
    trusted = {0, os.geteuid()}
    if not is_last and os.geteuid() != 0:
        trusted.add(os.fstat(folder).st_uid)
    target = os.readlink(name, dir_fd=folder)
    same = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if info.st_uid not in trusted or not os.path.samestat(info, same):
        raise PermissionError(errno.EACCES, "a link of another user is not followed", name)
    return target


@contextlib.contextmanager
def replacing(
    path: str,
    *,
    mode: int = 0o666,
    temporary: str | None = None,
    durable: bool = True,
    follows_link: bool = True,
    is_new: bool = False,
) -> Iterator[BinaryIO]:
    """Write a file that takes the place of whatever is there, in one step, as the block ends.

    If the block raises, the old content is there and nothing else. After a crash the old content
    is there or the new one, never a part; with `durable` the new one survives a power cut once
    the block has ended. A link stays a link: what it leads to is replaced, if it is no other
    user's (see `folder_of`); without `follows_link` the link itself is. `temporary`: where it is
    written first, on the same file system (default: hidden, in the same folder). With `is_new`
    FileExistsError is raised if anything is there then. Raises OSError.
    """
    # Not named after the target: a name may be as long as names can be.
    part = temporary or os.urandom(8).hex().join(_PART)
    with folder_of(path, follows_link) as (folder, name):
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part, dir_fd=folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            fd = os.open(part, flags, mode, dir_fd=folder)
            with open(fd, "w+b") as file:
                yield file
                if durable:
                    file.flush()
                    os.fsync(fd)
            if is_new:
                rename_new(part, name, folder)
            else:
                os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(part, dir_fd=folder)
            raise


def replace(
    path: str,
    data: str | bytes,
    *,
    mode: int = 0o666,
    temporary: str | None = None,
    follows_link: bool = True,
) -> None:
    """Put a file with this content in place of whatever is there: see `replacing`."""
    with replacing(path, mode=mode, temporary=temporary, follows_link=follows_link) as file:
        file.write(data.encode() if isinstance(data, str) else data)


def write(path: str, data: str | bytes, *, mode: int = 0o666) -> None:
    """As `replace`, but makes the folder too. Raises StorageError."""
    make_dir(os.path.dirname(path))
    try:
        replace(path, data, mode=mode)
    except OSError as exc:
        raise cannot_write(path, exc) from exc


def rename_new(source: str, target: str, folder: int | None = None) -> None:
    """Rename; FileExistsError if the target exists. Atomic where the system offers that.

    `folder`: an open folder that both names are in; None: they are paths.
    """
    import ctypes  # a warm call renames nothing

    libc = ctypes.CDLL(None, use_errno=True)
    old, new = os.fsencode(source), os.fsencode(target)
    if sys.platform == "darwin":
        at = -2 if folder is None else folder
        result = libc.renameatx_np(at, old, at, new, _RENAME_EXCL)
    elif hasattr(libc, "renameat2"):
        at = -100 if folder is None else folder
        result = libc.renameat2(at, old, at, new, _RENAME_NOREPLACE)
    else:
        ctypes.set_errno(errno.ENOSYS)
        result = -1
    if result == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        raise OSError(code, os.strerror(code), source, None, target)
    with contextlib.suppress(FileNotFoundError):
        os.stat(target, dir_fd=folder, follow_symlinks=False)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target, src_dir_fd=folder, dst_dir_fd=folder)


_RENAME_NOREPLACE = 1
_RENAME_EXCL = 4

PART_AGE_S = 3600.0
"""So old a file that is being written is nobody's any more."""
_PART = (".vox-", ".part")
"""How the names of such files begin and end."""


def remove_parts(folder: str, older_than_s: float = PART_AGE_S) -> None:
    """Remove from the folder what processes that were killed left of `replacing`. Raises nothing.

    What is younger than `older_than_s` may be somebody's who still writes it.
    """
    before = time.time() - older_than_s
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                is_part = entry.name.startswith(_PART[0]) and entry.name.endswith(_PART[1])
                if is_part and entry.stat(follow_symlinks=False).st_mtime <= before:
                    os.unlink(entry.path)


def stamp(*paths: str) -> str:
    """Sizes and times of change of files, and of the files in folders: it differs once they do.

    Left out are hidden files, what Python caches, and what does not exist.
    """
    return "\n".join(line for path in paths for line in _stamps(path, os.path.basename(path)))


def _stamps(path: str, name: str) -> Iterator[str]:
    try:
        info = os.stat(path)
        if not stat.S_ISDIR(info.st_mode):
            yield f"{name} {info.st_size} {info.st_mtime_ns}"
            return
        inside = sorted(os.listdir(path))
    except OSError:
        return
    for entry in inside:
        if not entry.startswith((".", "__pycache__")):
            yield from _stamps(os.path.join(path, entry), f"{name}/{entry}")


def lock(path: str, blocking: bool = True) -> int | None:
    """Lock a file, which is made if need be, against other processes; None if one has the lock.

    Returns a file descriptor: the lock is held until that is closed. It is of the file that is
    there now: one that was removed or replaced meanwhile is let go. Raises StorageError.
    """
    import fcntl

    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise cannot_write(path, exc) from exc
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
            if is_at(fd, path):
                return fd
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def is_at(fd: int, path: str) -> bool:
    """Whether the open file is still the one at that path."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False


def sign(fd: int) -> None:
    """Have `holder` name this process as the one that has the lock `fd`.

    The process must not open that file again: the system forgets who signed as soon as it closes
    any descriptor of it.
    """
    import fcntl

    with contextlib.suppress(OSError):  # a file system that cannot; then nobody is named
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def holder(path: str) -> int | None:
    """PID of the process, not this one, that holds the lock and has signed it.

    The system itself says so, whatever stands in a file. Changes nothing and makes no file.
    """
    import fcntl

    # l_type, l_whence, l_start, l_len and l_pid of the system's `struct flock`.
    is_mac = sys.platform == "darwin"
    asked = (0, 0, 0, fcntl.F_WRLCK, 0) if is_mac else (fcntl.F_WRLCK, 0, 0, 0, 0)
    layout = "qqihh" if is_mac else "hhqqi"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        told = struct.unpack(layout, fcntl.fcntl(fd, fcntl.F_GETLK, struct.pack(layout, *asked)))
    except OSError:
        return None
    finally:
        os.close(fd)
    kind, pid = (told[3], told[2]) if is_mac else (told[0], told[4])
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None


@contextlib.contextmanager
def locked(path: str, blocking: bool = True, wait_s: float | None = None) -> Iterator[int | None]:
    """Hold the lock while the block runs; see `lock`.

    `wait_s`: None is yielded if another process has the lock for longer than this.
    """
    fd = lock(path, blocking and wait_s is None)
    deadline = time.monotonic() + (wait_s or 0.0)
    while fd is None and time.monotonic() < deadline:
        time.sleep(0.005)
        fd = lock(path, blocking=False)
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


def is_locked(path: str) -> bool:
    """Whether a process holds the lock. Changes nothing and makes no file."""
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(fd)
