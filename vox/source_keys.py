"""The settings of one source of jobs: the tables `[sources.NAME]`, and how their keys are written.

A name may have dots and blanks, so it is what stands between `sources.` and the last dot. Quotes
around it, as TOML has them, are understood.
"""

from __future__ import annotations

import re
from typing import Any

from .checks import Check, Key, boolean, number, one_of, text
from .errors import BadOption, VoxError
from .jobs import OPTIONS

TABLE = "sources"
_PREFIX = f"{TABLE}."
_BARE = re.compile(r"[A-Za-z0-9_-]+")
"""Names that TOML takes without quotes."""


def _option(name: str) -> Check:
    return number(OPTIONS[name].low, OPTIONS[name].high)


def _language(value: Any) -> str | None:
    from .languages import normalize

    found = text(value)
    try:
        return found and normalize(found)
    except VoxError:
        raise ValueError("must be a language, e.g. en or de-AT") from None


SOURCE_KEYS: dict[str, Key] = {
    "backend": Key(None, text, "backend of its jobs when -b is not given"),
    "voice": Key(None, text, "voice of its jobs when -v is not given"),
    "lang": Key(None, _language, "language of its jobs when -l is not given"),
    "speed": Key(None, _option("speed"), "speaking rate of its jobs, 0.25 to 6"),
    "volume": Key(None, _option("volume"), "loudness of its jobs, 0 to 5"),
    "priority": Key(
        None,
        one_of(*OPTIONS["priority"].choices),
        f"priority of its jobs: {', '.join(OPTIONS['priority'].choices)}",
    ),
    "muted": Key(False, boolean, "its jobs are not spoken (vox mute --source NAME)"),
}
"""Keys of every table `[sources.NAME]`: defaults for the jobs of that source."""


def split(key: str) -> list[str]:
    """The parts of a setting's name: of `sources.NAME.KEY` three, whatever NAME contains."""
    if not key.startswith(_PREFIX):
        return key.split(".")
    name, _, last = key.removeprefix(_PREFIX).rpartition(".")
    if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
        name = name[1:-1]
    return [TABLE, name, last] if name else [TABLE, last]


def key_of(source: str, key: str) -> str:
    """The name of a source's setting, as it stands in the file."""
    name = source if _BARE.fullmatch(source) else f'"{source}"'
    return f"{_PREFIX}{name}.{key}"


def trouble_with(source: str) -> str | None:
    """Why no source can have that name; None: one can."""
    try:
        OPTIONS["source"].check(source)
    except BadOption as exc:
        return exc.message
    return None if source.strip() == source and source else f"source {source!r} begins with a blank"
