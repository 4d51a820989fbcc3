"""Where speech-dispatcher finds the module, and the lines in the user's configuration of it.

Everything is in the user's own folders. What is removed leaves each file byte for byte as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shlex
import socket
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import BadConfig, BadInput
from ..files import cannot_write, make_dir, write

MODULE = "vox"
SYSTEM_CONFIG = "/etc/speech-dispatcher/speechd.conf"
ANSWER_TIMEOUT_S = 5.0
_OURS = "Written by `vox speechd install`"
_BEGIN, _END = b"# >>> vox speechd install", b"# <<< vox speechd install <<<\n"
_BLOCK = re.compile(
    rb"(\n?)# >>> vox speechd install(.*)\n(?:.*\n)*?# <<< vox speechd install <<<\n"
)
_NO_LINE_END, _COPY = b" (the line before had no end)", b" (below a copy, SHA-256 "
_DIRECTIVE = re.compile(
    rb"^[ \t]*(AddModule|DefaultModule)[ \t]+\"?([^\"\s]+)", re.MULTILINE | re.I
)


@dataclass(frozen=True, slots=True)
class Places:
    module: str
    """The program that the server finds by itself, and runs."""
    data_dir: str
    """It must be there: the server looks for its modules from there."""
    config: str
    """The user's configuration; if it is there, the server does not read the system's."""
    system_config: str = SYSTEM_CONFIG

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> Places:
        """Those of the user whose environment it is."""
        home = environ.get("HOME") or os.path.expanduser("~")
        data = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
        config = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        modules = os.path.join(os.path.dirname(data), "libexec", "speech-dispatcher-modules")
        return cls(
            os.path.join(modules, f"sd_{MODULE}"),
            data,
            os.path.join(config, "speech-dispatcher", "speechd.conf"),
        )


def wrapper(variables: Mapping[str, str]) -> str:
    """The program: this vox, by its interpreter. `variables`: what leads it to its files."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    command = shlex.join([sys.executable, "-P", "-m", "vox.speechd"])
    lines = ["#!/bin/sh", f"# {_OURS}.", *exports, f'exec {command} "$@"', ""]
    return "\n".join(lines)


def is_ours(path: str) -> bool:
    """Whether the program is one of `wrapper`."""
    with contextlib.suppress(OSError, UnicodeDecodeError), open(path, encoding="utf-8") as file:
        return _OURS in file.read(1000)
    return False


def install_module(places: Places, variables: Mapping[str, str]) -> bool:
    """Write the program; False if it is there already. Raises BadInput, StorageError."""
    path, text = places.module, wrapper(variables)
    if os.path.lexists(path) and not is_ours(path):
        raise BadInput(f"{path} is not vox's own", "move it away, then try again")
    if _read(path) == text.encode():
        return False
    make_dir(places.data_dir)
    write(path, text, mode=0o777)
    return True


def remove_module(places: Places) -> bool:
    """Remove the program, and the folder if nothing else is in it. Raises StorageError."""
    if not is_ours(places.module):
        return False
    try:
        os.unlink(places.module)
    except OSError as exc:
        raise cannot_write(places.module, exc) from exc
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(places.module))
    return True


# -- the configuration -----------------------------------------------------------------------


def is_default(places: Places) -> bool:
    """Whether the server speaks with vox if nobody chooses a module."""
    modules = [name for key, name in _directives(places) if key == b"defaultmodule"]
    return modules[-1:] == [MODULE.encode()]


def is_configured(places: Places) -> bool:
    """Whether lines of ours are in the user's configuration. Raises BadConfig."""
    return _BLOCK.search(_read(places.config) or b"") is not None


def configure(places: Places, is_default: bool) -> bool:
    """Have the server load the module, and speak with it by default if asked for.

    Nothing is written for the former unless its configuration names the modules to load; False: no
    file was changed. Raises BadConfig, StorageError.
    """
    known = _read(places.config)
    before = _without_block(places, known)
    lines = []
    source = before if before is not None else _read(places.system_config) or b""
    added = [name for key, name in _found(source) if key == b"addmodule"]
    if added and MODULE.encode() not in added:
        lines.append(f'AddModule "{MODULE}" "sd_{MODULE}" "{MODULE}.conf"'.encode())
    if is_default:
        lines.append(f"DefaultModule {MODULE}".encode())
    if not lines:
        return _put(places, known, before)
    mark, space = b"", b""
    if before is None:
        mark = _COPY + hashlib.sha256(source).hexdigest().encode() + b")"
    if source and not source.endswith(b"\n"):
        mark, space = mark + _NO_LINE_END, b"\n"
    block = b"\n".join([_BEGIN + mark, *lines, b""]) + _END
    return _put(places, known, source + space + block)


def unconfigure(places: Places) -> bool:
    """Remove our lines, and the file if it was made for them and is otherwise as it was made.

    False: there are none. Raises BadConfig, StorageError.
    """
    known = _read(places.config)
    return _put(places, known, _without_block(places, known))


def _put(places: Places, known: bytes | None, new: bytes | None) -> bool:
    if new == known:
        return False
    path = places.config
    if new is not None:
        mode = 0o666 if known is None else stat.S_IMODE(os.stat(path).st_mode)
        write(path, new, mode=mode)
        return True
    try:
        os.unlink(path)
    except OSError as exc:
        raise cannot_write(path, exc) from exc
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(path))
    return True


def _without_block(places: Places, text: bytes | None) -> bytes | None:
    """The configuration without our lines; None: there was none before. Raises BadConfig."""
    if text is None:
        return None
    block = _BLOCK.search(text)
    rest = text if block is None else text[: block.start()] + block[1] + text[block.end() :]
    if _BEGIN in rest or _END in rest:
        raise BadConfig(
            f"{places.config} has a part of what vox had added",
            "remove the lines that name `vox speechd install`, then try again",
        )
    if block is None:
        return text
    if _NO_LINE_END in block[2]:
        rest = text[: block.start()] + text[block.end() :]
    made = re.search(rb"SHA-256 (\w+)", block[2])
    if made and hashlib.sha256(rest).hexdigest().encode() == made[1]:
        return None
    return rest


def _directives(places: Places) -> list[tuple[bytes, bytes]]:
    own = _read(places.config)
    return _found(own if own is not None else _read(places.system_config) or b"")


def _found(text: bytes) -> list[tuple[bytes, bytes]]:
    return [(found[1].lower(), found[2]) for found in _DIRECTIVE.finditer(text)]


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise BadConfig(f"cannot read {path}: {exc.strerror}") from exc


# -- the server ------------------------------------------------------------------------------


def server_modules(environ: Mapping[str, str] = os.environ) -> list[str] | None:
    """The modules of the server that runs; None: none runs, or it does not answer."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(ANSWER_TIMEOUT_S)
    try:
        client.connect(os.path.join(_runtime_dir(environ), "speechd.sock"))
        client.sendall(b"LIST OUTPUT_MODULES\r\nQUIT\r\n")
        with client.makefile(encoding="utf-8", errors="replace") as stream:
            return [line[4:].strip() for line in stream if line.startswith("250-")]
    except OSError:
        return None
    finally:
        client.close()


def server_pid(environ: Mapping[str, str] = os.environ) -> int | None:
    """The PID of the user's server, as it wrote it down."""
    path = os.path.join(_runtime_dir(environ), "pid", "speech-dispatcher.pid")
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
        return int(file.read())
    return None


def _runtime_dir(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME") or os.path.expanduser("~")
    folder = environ.get("XDG_RUNTIME_DIR") or os.path.join(home, ".cache")
    return os.path.join(folder, "speech-dispatcher")
