"""Which process waits for a job, and whether it is gone.

A PID alone does not tell: the system gives it away again. So a caller is named by its PID and the
time it began, and by the boot and the namespaces in which these hold. What cannot be judged from
here counts as there: a caller that waits must not lose its speech. On the way to the first sound,
so it imports little.
"""

from __future__ import annotations

import os
import sys

WENT_AWAY = "the calling program has ended"
"""Why a job was cancelled whose caller is gone."""

_LINUX, _MACOS = "linux", "macos"
UNKNOWN = (OSError, ValueError, TypeError, OverflowError, AttributeError)
"""What the system does not tell, and what is no name of ours."""
_DEAD = (b"Z", b"X")
"""States of a process that has died and that its parent has not asked about."""


def me() -> str:
    """The name of this process, for others to judge by: no blanks, under 200 characters.

    Its PID alone, by which nobody judges, where the system does not tell more.
    """
    pid = os.getpid()
    try:
        if sys.platform == "darwin":
            return f"{_MACOS}:{pid}:{_macos_start(pid)}"
        if place := _place():
            _, start = _linux_process(pid)
            return f"{_LINUX}:{pid}:{start}:{place}"
    except UNKNOWN:
        pass
    return str(pid)


def is_gone(caller: str) -> bool:
    """Whether the process of that name has certainly ended."""
    try:
        system, number, start, *place = caller.split(":")
        pid = int(number)
        if pid <= 0:
            return False
        if system == _MACOS and sys.platform == "darwin":
            return _macos_start(pid) != start
        return system == _LINUX and _is_gone_from_linux(pid, start, *place)
    except UNKNOWN:
        return False


# -- Linux -----------------------------------------------------------------------------------


def _place() -> str | None:
    """Where a PID and a start time mean what they mean here; None: `/proc` does not tell.

    The namespaces of processes and of time, and the boot.
    """
    if os.readlink("/proc/self") != str(os.getpid()):
        return None  # it is that of other namespaces than ours
    spaces = [str(os.stat(f"/proc/self/ns/{name}").st_ino) for name in ("pid", "time")]
    with open("/proc/sys/kernel/random/boot_id", "rb", buffering=0) as file:
        return ":".join([*spaces, file.read(100).strip().decode()])


def _is_gone_from_linux(pid: int, start: str, pid_space: str, time_space: str, boot: str) -> bool:
    here = _place()
    if here is None:
        return False
    *spaces, boot_here = here.split(":")
    if spaces != [pid_space, time_space]:
        return False  # perhaps it is in a container, whose boot may have a name of its own
    if boot != boot_here:
        return True
    try:
        state, start_now = _linux_process(pid)
    except (FileNotFoundError, ProcessLookupError):
        return not _exists(pid)
    return state in _DEAD or start_now != start


def _linux_process(pid: int) -> tuple[bytes, str]:
    """The state of a process, and when it began, in clock ticks since the boot."""
    with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
        # The program's name, in parentheses, may have blanks and parentheses in it.
        values = file.read(4096).rpartition(b")")[2].split()
    if len(values) < 20:
        raise ValueError("an unknown form")
    return values[0], values[19].decode()


def _exists(pid: int) -> bool:
    """Whether there is that process. `/proc` may hide those of other users (`hidepid`)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


# -- macOS -----------------------------------------------------------------------------------

_BSD_INFO = 3
"""PROC_PIDTBSDINFO; see `sys/proc_info.h`."""
_BSD_INFO_BYTES = 136
_PARENT_AT, _COMMAND_AT, _NAME_AT, _FILES_AT, _START_AT = 16, 48, 64, 96, 120
"""Where `pbi_ppid` (4 bytes), `pbi_comm`, `pbi_name`, `pbi_nfiles`, and `pbi_start_tvsec` and
`pbi_start_tvusec` (8 bytes each) lie in it. It begins with `pbi_flags` (4 bytes)."""
_LEADS_SESSION, _HAS_TERMINAL = 0x20, 0x80


def _macos_start(pid: int) -> str | None:
    """When the process began, in microseconds since the epoch; None: there is no such process.

    Raises OSError.
    """
    found = _macos_info(pid)
    if found is None:
        return None
    seconds, micros = (_number(found[at : at + 8]) for at in (_START_AT, _START_AT + 8))
    return str(seconds * 1_000_000 + micros)


def macos_program(pid: int) -> tuple[str, int, bool]:
    """A process's name, its parent, and whether it began a session that has a terminal.

    Raises OSError, ProcessLookupError.
    """
    found = _macos_info(pid)
    if found is None:
        raise ProcessLookupError
    name = found[_NAME_AT:_FILES_AT] if found[_NAME_AT] else found[_COMMAND_AT:_NAME_AT]
    flags = _number(found[:4])
    begins = bool(flags & _LEADS_SESSION and flags & _HAS_TERMINAL)
    return os.fsdecode(name.partition(b"\0")[0]), _number(found[_PARENT_AT:][:4]), begins


def _macos_info(pid: int) -> bytes | None:
    """What macOS tells of a process; None: there is no such process. Raises OSError."""
    import ctypes  # 5 ms on the way to the first sound, and Linux does without
    import errno

    system = ctypes.CDLL(None, use_errno=True)
    found = ctypes.create_string_buffer(_BSD_INFO_BYTES)
    size = system.proc_pidinfo(pid, _BSD_INFO, ctypes.c_uint64(0), found, _BSD_INFO_BYTES)
    if size != _BSD_INFO_BYTES:
        if ctypes.get_errno() == errno.ESRCH:
            return None
        raise OSError(ctypes.get_errno(), "proc_pidinfo")
    return found.raw


def _number(data: bytes) -> int:
    return int.from_bytes(data, sys.byteorder)
