"""The optional header of an inbox file: lines of `key: value` between two lines of `---`.

A rule of Markdown and the front matter of a web page look alike, and are none. Turns a file's text
into the fields of a request. Each value is checked by itself; whether they go together is checked
with all other requests.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import BadInput, BadOption
from ..jobs import OPTIONS

FENCE = "---"

KEYS = {option.key: (name, option) for name, option in OPTIONS.items()}
"""The header's keys: each one's field in `jobs.Request`, and the option itself."""

_FRONT_MATTER = frozenset(
    "title subtitle author authors date updated tags tag categories category layout permalink slug "
    "draft description summary published aliases cssclass id type image url weight".split()
)
"""Keys that programs for web sites and notes put between the same lines."""
_SHARED = frozenset({"lang", "source", "style"})
"""Keys of ours that front matter has, too."""
_UNSEEN = re.compile(r"[\s\ufeff\u200b\u2060]*")
"""What may stand before a header: byte order marks, blank lines."""


def parse(text: str) -> tuple[dict[str, Any], str]:
    """Fields of the request, and the text below the header.

    A text whose first line is not `---` has no header. Raises BadInput, BadOption.
    """
    before = _UNSEEN.match(text)
    start = before.end() if before else 0
    lines = text[start:].splitlines(keepends=True)
    if not lines or lines[0].strip() != FENCE:
        return {}, text
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() == FENCE), None)
    if end is None:
        _check_no_header(lines[1:])
        return {}, text
    if _is_rule(lines[1:end]) or _is_front_matter(lines[1:end]):
        return {}, text
    first = text.count("\n", 0, start) + 2
    fields: dict[str, Any] = {}
    for number, line in enumerate(lines[1:end], first):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        field, value = _field(line, number)
        if field in fields:
            raise BadInput(
                f"line {number} of the header repeats {line.split(':')[0].strip()}",
                "remove one of the two",
            )
        fields[field] = value
    return fields, "".join(lines[end + 1 :])


def _key(line: str) -> str:
    """What stands before the colon, spelled as our keys are; "" without a colon.

    A flag's own spelling, keep-alive, is understood as well.
    """
    key, colon, _ = line.partition(":")
    return key.strip().lower().replace("-", "_") if colon else ""


def _check_no_header(lines: list[str]) -> None:
    """Raises BadInput if the lines, none of which is `---`, begin as a header does."""
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if _key(first) in KEYS and not _is_front_matter(lines):
        raise BadInput(
            f"the header, which begins with {first.strip()[:40]!r}, does not end",
            f"add a line of {FENCE} below its last KEY: VALUE",
        )


def _is_rule(lines: list[str]) -> bool:
    """Whether text, not keys and values, stands between two rules: it has space around it."""
    is_apart = bool(lines) and not lines[0].strip()
    return is_apart and not any(_key(line) in KEYS for line in lines)


def _is_front_matter(lines: list[str]) -> bool:
    keys = {_key(line) for line in lines}
    return bool(keys & _FRONT_MATTER) and not (keys & KEYS.keys()) - _SHARED


def _field(line: str, number: int) -> tuple[str, Any]:
    key, (_, colon, value) = _key(line), line.partition(":")
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if not colon or key not in KEYS:
        known = ", ".join(KEYS)
        shown = line.strip()[:40]
        what = f"has an unknown key {key!r}" if colon else f"is not KEY: VALUE: {shown!r}"
        raise BadInput(f"line {number} of the header {what}", f"known keys: {known}")
    if not value:
        raise BadOption(
            f"line {number} of the header: {key} has no value",
            "give it one, or remove the line",
            field=key,
        )
    if not value.isprintable():
        raise BadOption(
            f"line {number} of the header: {key} has characters that cannot be printed",
            "type its value again",
            field=key,
        )
    field, option = KEYS[key]
    return field, option.check(value)
