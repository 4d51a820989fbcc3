"""JSON with comments and trailing commas, edited by spans: whatever is not ours stays as it is.

Works on text, whose ends of lines and byte order mark are kept. Knows no assistant and no file.
What is added has neither comments nor trailing commas, except in a document that has them there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DEPTH_MAX = 200
"""Containers in one another; a document of settings has a handful."""
EMPTY = "{}\n"

Keys = Sequence[str]

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
"""Blanks and comments."""
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"[^\s,\]}/]+")


class Damaged(ValueError):
    """The document cannot be read, or is not of the form that is to be edited."""


@dataclass(slots=True)
class Node:
    """A value in the text: [start, end)."""

    start: int
    end: int
    value: Any
    members: list[Member] = field(default_factory=list)
    """Of an object or an array."""

    @property
    def is_array(self) -> bool:
        return isinstance(self.value, list)


@dataclass(slots=True)
class Member:
    key: str | None
    """None: it is an element of an array."""
    start: int
    node: Node
    comma: int | None
    """Where the comma behind it stands."""


def parse(text: str) -> Node:
    """The document. Raises Damaged, with the line."""
    start = _skip(text, 1 if text.startswith("\ufeff") else 0)
    root = _value(text, start, 0)
    if _skip(text, root.end) != len(text):
        raise _damaged(text, root.end)
    return root


def _damaged(text: str, at: int) -> Damaged:
    return Damaged(f"is not valid JSON at line {text.count(chr(10), 0, at) + 1}")


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _value(text: str, at: int, depth: int) -> Node:
    if depth > DEPTH_MAX:
        raise Damaged("is nested too deeply")
    opening = text[at : at + 1]
    if opening and opening in "{[":
        return _container(text, at, depth)
    found = (_STRING if opening == '"' else _LITERAL).match(text, at)
    if found is None:
        raise _damaged(text, at)
    return Node(at, found.end(), _plain(text, found))


def _plain(text: str, found: re.Match[str]) -> Any:
    """The Python value of a string, a number or a word."""

    def refuse(_word: str) -> None:
        raise _damaged(text, found.start())  # NaN and Infinity, which are no JSON

    try:
        return json.loads(found.group(), parse_constant=refuse)
    except Damaged:
        raise
    except ValueError as exc:
        raise _damaged(text, found.start()) from exc


def _container(text: str, start: int, depth: int) -> Node:
    is_array = text[start] == "["
    close = "]" if is_array else "}"
    members: list[Member] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != close:
        first, key = at, None
        if not is_array:
            name = _STRING.match(text, at)
            if name is None:
                raise _damaged(text, at)
            key, at = str(_plain(text, name)), _skip(text, name.end())
            if text[at : at + 1] != ":":
                raise _damaged(text, at)
            at = _skip(text, at + 1)
        node = _value(text, at, depth + 1)
        at, comma = _skip(text, node.end), None
        if text[at : at + 1] == ",":
            comma, at = at, _skip(text, at + 1)
        elif text[at : at + 1] != close:
            raise _damaged(text, at)
        members.append(Member(key, first, node, comma))
    value = (
        [member.node.value for member in members]
        if is_array
        else {member.key: member.node.value for member in members}
    )
    return Node(start, at + 1, value, members)


def member(node: Node, key: str) -> Member | None:
    """The object's member of that name. Raises Damaged if there are several."""
    found = [each for each in node.members if each.key == key]
    if len(found) > 1:
        raise Damaged(f"has {json.dumps(key)} twice")
    return found[0] if found else None


def find(root: Node, keys: Keys) -> Node | None:
    """What stands under these keys, one in the other. Raises Damaged if an object is none."""
    node = root
    for key in keys:
        found = member(checked(node, dict, key), key)
        if found is None:
            return None
        node = found.node
    return node


def checked(node: Node, kind: type, name: str) -> Node:
    """The node, if it is an object (dict) or an array (list). Raises Damaged."""
    if not isinstance(node.value, kind):
        shape = "an object" if kind is dict else "a list"
        raise Damaged(f"has something else than {shape} where {json.dumps(name)} belongs")
    return node


def missing(root: Node, keys: Keys) -> int:
    """How many of the containers `keys`, from the innermost outwards, are not there."""
    return next(count for count in range(len(keys) + 1) if find(root, keys[: len(keys) - count]))


def put(text: str, keys: Keys, key: str | None, value: Any) -> str:
    """The text with a new last member in the container under `keys`, which is made if need be.

    `key` None: an element of an array. Raises Damaged.
    """
    root = parse(text)
    there = len(keys) - missing(root, keys)
    inner: Any = [value] if key is None else {key: value}
    for name in reversed(keys[there + 1 :]):
        inner = {name: inner}
    node = find(root, keys[:there])
    assert node is not None
    if there < len(keys):
        return _append(text, checked(node, dict, keys[there]), keys[there], inner)
    name = keys[-1] if keys else key or ""
    return _append(text, checked(node, list if key is None else dict, name), key, value)


def _indent_at(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _dumped(value: Any, unit: str, indent: str, newline: str) -> str:
    """JSON whose lines, but for the first, are indented by `indent` and more."""
    lines = json.dumps(value, indent=1, ensure_ascii=False).split("\n")
    return (newline + indent).join(
        unit * (len(line) - len(line.lstrip(" "))) + line.lstrip(" ") for line in lines
    )


def _style(text: str) -> tuple[str, str]:
    """How the document ends its lines, and its unit of indentation."""
    indented = re.search(r'\n([ \t]+)"', text)
    return "\r\n" if "\r\n" in text else "\n", indented[1] if indented else "  "


def _append(text: str, node: Node, key: str | None, value: Any) -> str:
    if "\n" not in text.strip() and text != EMPTY:
        return _append_compact(text, node, key, value)
    newline, unit = _style(text)
    is_one_line = "\n" not in text[node.start : node.end]
    base = _indent_at(text, node.start)
    indent = (
        _indent_at(text, node.members[-1].start)
        if node.members and not is_one_line
        else base + unit
    )
    name = "" if key is None else json.dumps(key, ensure_ascii=False) + ": "
    new = name + _dumped(value, unit, base if node.members and is_one_line else indent, newline)
    if not node.members:
        at = node.start + 1
        return (
            f"{text[:at]}{newline}{indent}{new}{newline + base if is_one_line else ''}{text[at:]}"
        )
    new = (" " if is_one_line else newline + indent) + new
    last, end = node.members[-1], len(text[: node.end - 1].rstrip(" \t\r\n"))
    if last.comma is not None:  # a document with trailing commas keeps its style
        return f"{text[:end]}{new},{text[end:]}"
    behind = last.node.end
    return f"{text[:behind]},{text[behind:end]}{new}{text[end:]}"


def _append_compact(text: str, node: Node, key: str | None, value: Any) -> str:
    """The same in a document that is written in one line, and stays so."""
    new = json.dumps(value if key is None else {key: value}, ensure_ascii=False)
    new = new if key is None else new[1:-1]
    last = node.members[-1] if node.members else None
    if last is None:
        return f"{text[: node.start + 1]}{new}{text[node.start + 1 :]}"
    if last.comma is not None:
        return f"{text[: last.comma + 1]} {new},{text[last.comma + 1 :]}"
    return f"{text[: last.node.end]}, {new}{text[last.node.end :]}"


def update(text: str, node: Node, value: Any) -> str:
    """The text with `value` in the node. Of objects only the members that differ are written, and
    none is taken out."""
    old = node.value
    if old == value:
        return text
    if isinstance(old, dict) and isinstance(value, dict):
        # From the last one on: the spans of those before stay true.
        for each in reversed(node.members):
            if each.key in value:
                text = update(text, each.node, value[each.key])
        for key in value.keys() - old.keys():
            # The node's start has not moved, its end may have.
            text = _append(text, _value(text, node.start, 0), key, value[key])
        return text
    if isinstance(old, list) and isinstance(value, list) and len(old) == len(value):
        for each, new in reversed(list(zip(node.members, value, strict=True))):
            text = update(text, each.node, new)
        return text
    newline, unit = _style(text)
    new = _dumped(value, unit, _indent_at(text, node.start), newline)
    return text[: node.start] + new + text[node.end :]


def merged(old: Any, new: Any) -> Any:
    """The value that `update` leaves."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {**old, **{key: merged(old.get(key), value) for key, value in new.items()}}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [merged(*pair) for pair in zip(old, new, strict=True)]
    return new


def cut(text: str, node: Node, index: int) -> str:
    """The text without that member of the container. Comments around it stay."""
    gone = node.members[index]
    start, end = gone.start, gone.node.end if gone.comma is None else gone.comma + 1
    start = len(text[:start].rstrip(" \t"))
    ends_line = re.match(r"[ \t]*(\r?\n|$)", text[end:])
    if text[:start].endswith("\n") and ends_line:
        start -= 2 if text[:start].endswith("\r\n") else 1
    shorter = text[:start] + text[end:]
    if gone.comma is None and index:
        before = node.members[index - 1].comma
        assert before is not None
        shorter = shorter[:before] + shorter[before + 1 :]
    return shorter
