"""The optional header of an inbox file: lines of `key: value` between two lines of `---`.

Turns a file's text into the fields of a request. Each value is checked by itself; whether they go
together is checked with all other requests.
"""

from __future__ import annotations

from typing import Any

from ..errors import BadInput, BadOption
from ..jobs import OPTIONS

FENCE = "---"

KEYS = {option.key: (name, option) for name, option in OPTIONS.items()}
"""The header's keys: each one's field in `jobs.Request`, and the option itself."""


def parse(text: str) -> tuple[dict[str, Any], str]:
    """Fields of the request, and the text below the header.

    A text whose first line is not `---`, or that has no second one, has no header. Raises
    BadInput, BadOption.
    """
    lines = text.removeprefix("\ufeff").splitlines(keepends=True)
    if not lines or lines[0].strip() != FENCE:
        return {}, text
    end = next((i for i, line in enumerate(lines[1:], 1) if line.strip() == FENCE), None)
    if end is None:
        return {}, text
    fields: dict[str, Any] = {}
    for number, line in enumerate(lines[1:end], 2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        field, value = _field(line, number)
        if field in fields:
            raise BadInput(f"line {number} of the header repeats {line.split(':')[0].strip()}")
        fields[field] = value
    return fields, "".join(lines[end + 1 :])


def _field(line: str, number: int) -> tuple[str, Any]:
    key, colon, value = line.partition(":")
    # A flag's own spelling, keep-alive, is understood as well.
    key, value = key.strip().lower().replace("-", "_"), value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if not colon or key not in KEYS:
        known = ", ".join(KEYS)
        shown = line.strip()[:40]
        what = f"has an unknown key {key!r}" if colon else f"is not KEY: VALUE: {shown!r}"
        raise BadInput(f"line {number} of the header {what}", f"known keys: {known}")
    if not value:
        raise BadOption(f"line {number} of the header: {key} has no value", field=key)
    if not value.isprintable():
        raise BadOption(
            f"line {number} of the header: {key} has characters that cannot be printed", field=key
        )
    field, option = KEYS[key]
    return field, option.check(value)
