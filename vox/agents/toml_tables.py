"""TOML: a table of ours is appended to the document and taken out again; the rest stays as it is.

Works on text, whose ends of lines are kept. What was written is read again with the standard
library before anybody gets it.
"""

from __future__ import annotations

import copy
import json
import re
import tomllib
from typing import Any

from .jsonc import Damaged

_HEADER = re.compile(r"\s*\[")


def parse(text: str) -> dict[str, Any]:
    """Raises Damaged, with the line."""
    try:
        return tomllib.loads(_without_mark(text))
    except tomllib.TOMLDecodeError as exc:
        line = re.search(r"at line (\d+)", str(exc))
        raise Damaged(f"is not valid TOML{f' at line {line[1]}' if line else ''}") from exc
    except RecursionError as exc:
        raise Damaged("is nested too deeply") from exc


def _without_mark(text: str) -> str:
    return text.removeprefix("\ufeff")


def find(document: dict[str, Any], table: tuple[str, str]) -> dict[str, Any] | None:
    """The table [A.B]. Raises Damaged if A or B is something else."""
    outer = document.get(table[0], {})
    inner = outer.get(table[1]) if isinstance(outer, dict) else outer
    if inner is not None and not isinstance(inner, dict):
        raise Damaged(f"has something else than a table at {'.'.join(table)}")
    return inner


def append(text: str, table: tuple[str, str], values: dict[str, Any]) -> str:
    """The text with the table [A.B] at its end. Raises Damaged if it cannot stand there."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = [f"[{'.'.join(table)}]", *(f"{key} = {_value(each)}" for key, each in values.items())]
    block = newline.join(lines) + newline
    body = _without_mark(text)
    gap = "" if not body else newline if body.endswith("\n") else newline * 2
    wanted = copy.deepcopy(parse(text))
    if not isinstance(wanted.setdefault(table[0], {}), dict):
        raise Damaged(f"has something else than a table at {table[0]}")
    wanted[table[0]][table[1]] = values
    return _checked(text + gap + block, wanted, table)


def _value(value: Any) -> str:
    """A text or a list of texts: TOML writes them as JSON does."""
    return json.dumps(value, ensure_ascii=False)


def _checked(text: str, wanted: dict[str, Any], table: tuple[str, str]) -> str:
    try:
        if parse(text) == wanted:
            return text
    except Damaged:
        pass
    raise Damaged(f"writes {table[0]} in a form that vox cannot edit")


def update(text: str, table: tuple[str, str], values: dict[str, Any]) -> str:
    """The text with these values in the table, which is there. Raises Damaged."""
    wanted = copy.deepcopy(parse(text))
    found = find(wanted, table)
    assert found is not None
    lines = text.splitlines(keepends=True)
    start, end = _section(lines, table)
    for key, value in values.items():
        if found.get(key) == value:
            continue
        for number in range(start, end):
            if re.match(rf"\s*{re.escape(key)}\s*=", lines[number]):
                ending = lines[number][len(lines[number].rstrip("\r\n")) :]
                lines[number] = f"{key} = {_value(value)}{ending}"
        found[key] = value
    return _checked("".join(lines), wanted, table)


def cut(text: str, table: tuple[str, str]) -> str:
    """The text without the table, those in it, and the blank line before. Raises Damaged."""
    wanted = copy.deepcopy(parse(text))
    del wanted[table[0]][table[1]]
    if not wanted[table[0]]:
        del wanted[table[0]]
    lines = text.splitlines(keepends=True)
    start, end = _section(lines, table)
    while end > start and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1  # a comment belongs to what follows
    if start and not lines[start - 1].strip():
        start -= 1
    return _checked("".join(lines[:start] + lines[end:]), wanted, table)


def _section(lines: list[str], table: tuple[str, str]) -> tuple[int, int]:
    """The lines of the table and of those in it: [first, last)."""
    name = r"\s*\.\s*".join(rf'["\']?{re.escape(part)}["\']?' for part in table)
    own = re.compile(rf"\s*\[\s*{name}\s*([.\]])")
    headers = {
        number: own.match(_without_mark(line))
        for number, line in enumerate(lines)
        if _HEADER.match(_without_mark(line))
    }
    # The last one: what looks like a header before it may stand in a text of several lines.
    starts = [number for number, found in headers.items() if found and found[1] == "]"]
    if not starts:
        raise Damaged(f"writes {'.'.join(table)} in a form that vox cannot edit")
    after = (number for number, found in headers.items() if number > starts[-1] and not found)
    return starts[-1], next(after, len(lines))
