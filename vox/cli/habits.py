"""Words that are typed out of habit where the text to speak goes: commands that other programs
have, commands of vox with a wrong letter, names of files. And options of other programs.

Owns which words these are and what to type instead. `root` decides what is done about them: on a
terminal they are refused, in pipes and scripts they are spoken.
"""

from __future__ import annotations

import os
import shlex
from typing import NamedTuple

import click

from ..errors import BadInput
from ..jobs import ID_ALPHABET, ID_LENGTH
from .commands import COMMANDS


class Meant(NamedTuple):
    """What the words seem to mean."""

    error: BadInput
    """Refuses them, and says what to type instead."""
    note: str
    """Says the same where they are spoken."""


_LISTS = "vox queue, vox history, vox voices or vox backends"
_INSTALL = "vox backends install NAME"
_REMOVE = "vox backends remove NAME"
_UPDATE = "git pull in the clone of vox, then contrib/setup"
_FILE = "vox -f FILE"
_DAEMON_STOP = "vox daemon stop"

HABITS = {
    "ps": "vox queue",
    "jobs": "vox queue",
    "top": "vox status --watch",
    "pending": "vox queue",
    "ls": _LISTS,
    "list": _LISTS,
    "show": "vox history show ID",
    "past": "vox history",
    "recent": "vox history",
    "last": "vox again, or vox history show last",
    "latest": "vox again, or vox history show last",
    "search": "vox history --search WORDS",
    "find": "vox history --search WORDS",
    "grep": "vox history --search WORDS",
    "clear": "vox history clear, or vox stop",
    "flush": "vox stop",
    "abort": "vox stop, or vox cancel ID",
    "kill": "vox stop, or vox daemon stop",
    "rm": "vox cancel ID, or vox history clear",
    "delete": "vox cancel ID, or vox history clear",
    "play": "vox replay ID",
    "repeat": "vox again",
    "rewind": "vox back",
    "previous": "vox back",
    "prev": "vox back",
    "forward": "vox next",
    "unpause": "vox resume",
    "start": "vox daemon start",
    "restart": "vox daemon restart",
    "reload": "vox daemon restart",
    "quit": _DAEMON_STOP,
    "exit": _DAEMON_STOP,
    "serve": "vox daemon start",
    "server": "vox daemon start",
    "log": "vox daemon logs",
    "logs": "vox daemon logs",
    "warm": "vox daemon warm BACKEND",
    "warmup": "vox daemon warm BACKEND",
    "load": "vox daemon warm BACKEND",
    "preload": "vox daemon warm BACKEND",
    "unload": "vox daemon unload",
    "token": "vox daemon token",
    "socket": "vox daemon socket",
    "info": "vox status",
    "health": "vox status",
    "version": "vox --version",
    "update": _UPDATE,
    "upgrade": _UPDATE,
    "install": _INSTALL,
    "download": _INSTALL,
    "pull": _INSTALL,
    "uninstall": _REMOVE,
    "remove": _REMOVE,
    "setup": "vox doctor",
    "diagnose": "vox doctor",
    "settings": "vox config",
    "setting": "vox config",
    "preferences": "vox config",
    "configure": "vox config",
    "set": "vox config set KEY VALUE",
    "unset": "vox config unset KEY",
    "get": "vox config show KEY",
    "model": "vox backends",
    "models": "vox status, or vox backends",
    "engine": "vox backends",
    "engines": "vox backends",
    "voice": "vox voices, or vox -v NAME TEXT",
    "speaker": "vox voices, or vox -v NAME TEXT",
    "speakers": "vox voices, or vox -v NAME TEXT",
    "lang": "vox -l LANG TEXT",
    "language": "vox -l LANG TEXT",
    "languages": "vox voices",
    "volume": "vox --volume X TEXT, or vox config set volume X",
    "speed": "vox --speed X TEXT, or vox config set speed X",
    "rate": "vox --speed X TEXT, or vox config set speed X",
    "record": "vox clone record NAME",
    "pronounce": "vox say-as add WORD SAID",
    "lexicon": "vox say-as list",
    "read": _FILE,
    "cat": _FILE,
    "file": _FILE,
    "save": "vox -o FILE TEXT",
    "completions": "vox completion SHELL",
    "say": "vox {words}, or vox -b say {words}",
    "speak": "vox {words}",
    "tts": "vox {words}",
}
"""What to type instead of a word that is a command elsewhere."""

_SPEAKING = frozenset({"say", "speak", "tts"})
"""Those of them that the text follows: they are meant so before any words."""

FLAGS = {
    "--rate": "--speed X",
    "--tempo": "--speed X",
    "--wait": "vox TEXT, which waits; --async does not",
    "--sync": "vox TEXT, which waits; --async does not",
    "--block": "vox TEXT, which waits; --async does not",
    "--no-wait": "--async",
    "--nowait": "--async",
    "--background": "--async",
    "--bg": "--async",
    "--detach": "--async",
    "--engine": "--backend NAME",
    "--provider": "--backend NAME",
    "--tts": "--backend NAME",
    "--speaker": "--voice NAME",
    "--language": "--lang LANG",
    "--locale": "--lang LANG",
    "--text": "vox TEXT",
    "--message": "vox TEXT",
    "--say": "vox TEXT",
    "--speak": "vox TEXT",
    "--input": "--file FILE",
    "--input-file": "--file FILE",
    "--out": "--output FILE",
    "--output-file": "--output FILE",
    "--outfile": "--output FILE",
    "--save": "--output FILE",
    "--wav": "--output FILE.wav",
    "--mp3": "--output FILE.mp3",
    "--stdout": "--output -",
    "--stdin": "a pipe: ... | vox",
    "--play": "vox TEXT, which plays; --output FILE does not",
    "--list": "vox voices or vox backends",
    "--voices": "vox voices",
    "--list-voices": "vox voices",
    "--list-languages": "vox voices",
    "--backends": "vox backends",
    "--list-backends": "vox backends",
    "--list-engines": "vox backends",
    "--list-models": "vox backends",
    "--models": "vox backends",
    "--instructions": "--style TEXT",
    "--instruct": "--style TEXT",
    "--prompt": "--style TEXT",
    "--gain": "--volume X",
    "--loudness": "--volume X",
    "--no-cache": "--fresh",
    "--silent": "--quiet",
    "--verbose": "vox daemon logs -f",
    "--debug": "vox daemon logs -f",
    "--log": "vox daemon logs",
    "--daemon": "vox daemon start",
    "--serve": "vox daemon start",
    "--server": "vox daemon start",
    "--stop": "vox stop",
    "--status": "vox status",
    "--history": "vox history",
    "--queue": "vox queue",
    "--config": "vox config",
    "--install": "vox backends install NAME",
    "--update": _UPDATE,
    "-r": "--speed X",
    "-s": "--speed X",
    "-w": "--output FILE",
    "-t": "vox TEXT",
    "-i": "--file FILE",
    "-V": "--version",
}
"""What to type instead of an option that other programs have."""

_SHOWN_CHARS = 60


def meant(root: click.Group, words: list[str], is_text: bool = False) -> Meant | None:
    """What is meant, unless it is text: `list` is a command, `list the files` is not.

    `root` has the commands of vox. `is_text`: options say that the words are to be spoken.
    """
    if len(words) == 1 and os.path.isfile(words[0]):
        return _file_meant(words[0])
    if len(words) == 1 and _is_recent_job(words[0]) and not is_text:
        return _command_meant(words, f"vox replay {words[0]}, or vox history show {words[0]}")
    word = words[0].replace("_", "-")
    if not word.islower() or not word.replace("-", "").isalpha():
        return None
    if word in _SPEAKING:
        return _command_meant(words, _filled(HABITS[word], words[1:]))
    if is_text:
        return None
    if word in HABITS and (len(words) == 1 or _is_argument(words)):
        return _command_meant(words, HABITS[word])
    command = _typo_of(word)
    if command and (len(words) == 1 or _is_argument(words) or words[1] in _below(root, command)):
        return _command_meant(words, _shown(["vox", command, *words[1:]]))
    return None


def _is_recent_job(word: str) -> bool:
    """Whether the word is `@1`, `@2` ..., which stands for a job where an id goes."""
    return word[:1] == "@" and word[1:].isdecimal()


def _command_meant(words: list[str], instead: str) -> Meant:
    text = " ".join(words)
    error = BadInput(
        f"there is no command {words[0]!r}",
        f"use: {instead} (to speak it: {_shown(['vox', '--', *words])})",
    )
    return Meant(error, f"this speaks {text!r}; if a command was meant: {instead}")


def _file_meant(name: str) -> Meant:
    read = _shown(["vox", "-f", name])
    spoken = _shown(["vox", "--", name])
    error = BadInput(f"{name} is a file", f"to read it: {read}; to speak its name: {spoken}")
    return Meant(error, f"this speaks {name!r}; if the file was meant: {read}")


def _filled(instead: str, words: list[str]) -> str:
    return instead.format(words=_shown(words) if words else "TEXT")


def _shown(words: list[str]) -> str:
    line = shlex.join(words)
    return line if len(line) <= _SHOWN_CHARS else line[:_SHOWN_CHARS] + "..."


def _typo_of(word: str) -> str | None:
    """The command that the word looks like. A first letter is seldom mistyped."""
    if word in COMMANDS:
        return None
    known = [name for name in COMMANDS if abs(len(name) - len(word)) <= 1]
    alike = [name for name in known if sorted(name) == sorted(word) or _is_one_off(name, word)]
    return alike[0] if alike else None


def _is_one_off(name: str, word: str) -> bool:
    """Whether the words differ by one letter behind the first: added, missing or another."""
    short, long = sorted((name, word), key=len)
    if len(name) < 5 or name[0] != word[0]:
        return False
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]


def _is_argument(words: list[str]) -> bool:
    """Whether a second and last word is what only a command takes: an id, a number, a name."""
    if len(words) != 2:
        return False
    word = words[1]
    is_id = len(word) <= ID_LENGTH and set(word) <= set(ID_ALPHABET)
    if word == "last" or (
        any(char.isdigit() for char in word) and (is_id or not word[1:].isalpha())
    ):
        return True
    from ..backends import registry
    from ..config import KEYS

    return word in COMMANDS or word in KEYS or word in registry.names() or os.path.isfile(word)


def _below(root: click.Group, command: str) -> tuple[str, ...]:
    """The commands that this one has."""
    ctx = click.Context(root)
    found = root.get_command(ctx, command)
    return tuple(found.list_commands(ctx)) if isinstance(found, click.Group) else ()
