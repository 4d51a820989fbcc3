"""Who sends what this call speaks: the name of a git repository, or of the program that calls.

On the way to the first sound: a few looks at folders and at `/proc`, and no subprocess. What cannot
be read counts as not there; nothing here raises.
"""

from __future__ import annotations

import os
import sys

from .. import callers
from ..source_names import as_source, repository_name

SHELL = "shell"
"""The name where somebody types at a prompt, or no program can be found."""
MOST_STEPS = 64
"""Of programs that are looked at on the way up."""

_SHELLS = frozenset(
    "sh bash dash zsh fish ksh mksh tcsh csh ash busybox nu pwsh xonsh elvish".split()
)
_PASS_ON = frozenset("sudo su doas runuser timeout time xargs strace uv uvx".split())
"""Programs that run another one and stay, which says nothing about who wanted it."""
_LOGIN = "sshd"
"""A login over ssh that runs one command."""
_INTERPRETERS = ("python", "node", "ruby", "perl", "php", "lua", "deno", "bun")
"""Beginnings of the names of programs that run a script, which is the one to name."""
_PLAIN_FLAG = ("-u", "-e", "-x", "-B", "-E", "-I", "-s", "-S", "-l", "-i")
"""Options before a script that take no value."""
_NAME_BYTES = 15
"""Linux keeps no more of a program's name."""


def sender() -> str:
    """The name for `source`: one line of printable characters, neither empty nor too long."""
    return repository() or as_source(_program()) or SHELL


def repository() -> str:
    """The name of the folder at the root of the git repository that we are in, as a source; ""
    if that is none."""
    try:
        folder = os.getcwd()
    except OSError:  # it was deleted
        return ""
    return as_source(repository_name(folder))


def _program() -> str:
    """The nearest program above us that is neither a shell nor runs another one, or ""."""
    pid = os.getppid()
    for _ in range(MOST_STEPS):
        process = _process(pid)
        if process is None:
            break
        words = _words(pid)
        name, parent, is_at_prompt = process
        if (len(name) >= _NAME_BYTES or name.endswith("MainThread")) and words[0]:
            name = os.path.basename(words[0])
        name = name.lstrip("-")
        is_shell = name in _SHELLS
        if (is_shell and is_at_prompt) or name.startswith(_LOGIN):
            break
        if is_shell or name.startswith(_INTERPRETERS):
            name = _script(words[1:]) or ("" if is_shell else name)
        if name and name not in _PASS_ON:
            return name
        pid = parent
    return ""


def _words(pid: int) -> list[str]:
    """The command line of a program, or the beginning of it; at least one word."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb", buffering=0) as file:
            return [os.fsdecode(word) for word in file.read(4096).split(b"\0")]
    except OSError:
        return [""]


def _script(words: list[str]) -> str:
    """The name of the script that a shell or an interpreter is given, or ""."""
    while words and words[0] in _PLAIN_FLAG:
        words = words[1:]
    if len(words) > 1 and words[0] == "-m":
        return words[1]
    if not words or words[0].startswith(("-", "/dev/")):
        return ""
    return os.path.basename(words[0])


def _process(pid: int) -> tuple[str, int, bool] | None:
    """A process's name, its parent, and whether it began a session that has a terminal, as the
    shell in a terminal's window does; None: the system does not tell.
    """
    try:
        if sys.platform == "darwin":
            return callers.macos_program(pid)
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            # The program's name, in parentheses, may have blanks and parentheses in it.
            before, _, after = file.read(4096).rpartition(b")")
        _, parent, _, session, terminal, *_ = after.split()
        name = os.fsdecode(before.partition(b"(")[2])
        return name, int(parent), int(session) == pid and int(terminal) != 0
    except callers.UNKNOWN:
        return None
