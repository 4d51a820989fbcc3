"""What a plain call asks for: options of `vox.options`, and words to speak.

Understands a part of what the command line (`cli.root`, with click) does, and that in the same way;
a test compares them. Whatever else there is, and whatever is wrong, it leaves to that.
"""

from __future__ import annotations

import os

from ..options import OPTIONS
from .sender import sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from ..options import Option

ASYNC_FLAGS = ("--async",)
QUIET_FLAGS = ("-q", "--quiet")


class Wishes:
    """What is asked for."""

    __slots__ = ("is_async", "is_quiet", "values")

    def __init__(self, values: dict[str, Any], is_async: bool, is_quiet: bool) -> None:
        self.values = values
        """The fields of a `vox.jobs.Request`; those that are left open are missing."""
        self.is_async = is_async
        self.is_quiet = is_quiet


def understood(args: Sequence[str], environ: Mapping[str, str]) -> Wishes | None:
    """What these arguments ask for; None: see `cli.root`."""
    if "_VOX_COMPLETE" in environ:
        return None
    split = _split(args)
    if split is None:
        return None
    given, words, flags = split
    text = " ".join(words)
    try:
        text.encode()
        values = _checked(given, environ)
    except Exception:  # click says what is wrong, in its own words
        return None
    if values is None:
        return None
    values["source"] = values.get("source") or sender()
    values["text"] = text
    return Wishes(values, "--async" in flags, bool(flags.intersection(QUIET_FLAGS)))


def _split(args: Sequence[str]) -> tuple[dict[str, Any], list[str], set[str]] | None:
    """The options by name, the words to speak, and the flags that are no options of a request."""
    options = _by_flag()
    given: dict[str, Any] = {}
    words: list[str] = []
    flags: set[str] = set()
    rest = iter(args)
    is_escaped = False
    for arg in rest:
        if is_escaped or arg[:1] != "-" or arg == "-":
            words.append(arg)
            if not is_escaped and words == [arg] and _may_be_command(arg):
                return None
        elif arg == "--":
            is_escaped = True
        elif arg in ASYNC_FLAGS or arg in QUIET_FLAGS:
            flags.add(arg)
        else:
            flag, equals, value = arg.partition("=")
            name = options.get(flag)
            if name is None or (equals and flag[:2] != "--"):
                return None
            if OPTIONS[name].kind is bool:
                if equals:
                    return None
                given[name] = True
                continue
            given[name] = value if equals else next(rest, "--")
            if given[name] == "--":
                return None
    return None if words in ([], ["-"]) else (given, words, flags)


def _by_flag() -> dict[str, str]:
    """The options' names by the flags that set them, but for the one that writes a file."""
    return {flag: name for name in OPTIONS if name != "output" for flag in OPTIONS[name].flags}


def _may_be_command(word: str) -> bool:
    """Whether the first word may mean a command, a job or a file: `cli.root` looks more closely."""
    is_name = word.islower() and word.replace("-", "").replace("_", "").isalpha()
    return is_name or word[:1] == "@" or os.path.isfile(word)


def _checked(given: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The options' values; None: see `cli.root`. Raises whatever is wrong with one."""
    values = {}
    for name, option in OPTIONS.items():
        value = given.get(name)
        if value is None and option.kind is not bool and option.variable:
            value = environ.get(option.variable) or None
        if value is None:
            continue
        value = _value(option, value)
        if name == "model" and value and (value[0] in ".~" or os.sep in value):
            return None  # it may be a path
        if value is not None:
            values[name] = value
    return values


def _value(option: Option, value: Any) -> Any:
    if option.choices and not value.isascii():
        raise ValueError(value)
    value = option.check(value)
    if isinstance(value, str):
        value.encode()
        return value if value.strip() else None
    return value
