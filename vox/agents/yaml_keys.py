"""YAML: keys at the top level of a document are appended as lines and taken out again.

Nothing more of YAML is understood, so whatever is not written in the plain way is refused.
"""

from __future__ import annotations

import json
import re

from .jsonc import Damaged


def find(text: str, key: str) -> str | None:
    """What stands behind the key at the top level, as it is written. Raises Damaged."""
    _check(text)
    found = re.findall(rf"{_start(key)}(.*)$", text, re.MULTILINE)
    if len(found) > 1:
        raise Damaged(f"has {key} twice")
    return str(found[0]).strip() if found else None


def _start(key: str) -> str:
    """A pattern for how the key's line begins."""
    return rf"^\ufeff?[\"']?{re.escape(key)}[\"']?[ \t]*:"


def _check(text: str) -> None:
    body = text.removeprefix("\ufeff")
    lines = [line.rstrip("\r") for line in body.split("\n")]
    said = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if any(re.match(r"(---|\.\.\.)(\s|$)", line) for line in said[1:]):
        raise Damaged("has more than one YAML document")
    if said and said[0].startswith("---"):
        said = said[1:]
    if said and re.match(r"[\s\[{&!%|>*-]", said[0]):
        raise Damaged("has no plain keys at its top level")
    if any("\t" in re.split(r"[^\s]", line, maxsplit=1)[0] for line in said):
        raise Damaged("is indented with tabs, which YAML does not allow")


def append(text: str, key: str, value: str | bool) -> str:
    """The text with the key on a line of its own at its end. Raises Damaged."""
    _check(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = newline if text.removeprefix("\ufeff") and not text.endswith("\n") else ""
    return f"{text}{gap}{_line(key, value)}{newline}"


def _line(key: str, value: str | bool) -> str:
    """JSON's texts and truths are YAML's too."""
    return f"{key}: {json.dumps(value, ensure_ascii=False)}"


def update(text: str, key: str, value: str | bool) -> str:
    """The text with this value behind the key, which is there."""
    line = _line(key, value)
    return re.sub(rf"{_start(key)}[^\r\n]*", lambda _: line, text, flags=re.MULTILINE)


def cut(text: str, key: str) -> str:
    """The text without the key's line."""
    return re.sub(rf"{_start(key)}[^\n]*(\n|\Z)", "", text, flags=re.MULTILINE)
