"""What vox writes into an assistant's files: each change is data, and a function of a file's text.

Owns what counts as vox's own in a file of somebody else. Reads and writes no file: see `plan`.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import jsonc, toml_tables, yaml_keys
from .jsonc import Damaged

Made = list[list[str]]
"""The containers that were made for what was put into them, each by its keys."""


class NotOurs(ValueError):
    """What vox would write is there already, and somebody else's."""


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A file that is vox's alone. Several assistants may read it."""

    path: str
    text: str
    is_program: bool = False
    is_mcp: bool = False


@dataclass(frozen=True, slots=True)
class JsonEntry:
    """A member of an object, or an element of a list, in a JSON file of the assistant's."""

    path: str
    keys: tuple[str, ...]
    """The containers, one in the other."""
    key: str | None
    """None: an element of the list under `keys`."""
    value: Mapping[str, Any]
    hook: str = ""
    """The assistant's name in `vox hook NAME:EVENT`; "": the entry starts `vox mcp`."""
    below: tuple[str, ...] = ()
    """The containers to use instead of `keys` where they exist."""

    @property
    def is_mcp(self) -> bool:
        return not self.hook

    def _is_ours(self, value: Any) -> bool:
        return is_hook(value, self.hook) if self.hook else is_mcp_server(value)

    def add(self, text: str) -> tuple[str, Made]:
        """The text with the entry. Raises Damaged, NotOurs."""
        text = _whole(text)
        root = jsonc.parse(text)
        keys = self._keys(root)
        container = jsonc.find(root, keys)
        index = None if container is None else self._index(container)
        wanted = copy.deepcopy(root.value)
        if container is None or index is None:
            count = jsonc.missing(root, keys)
            made = [list(keys[: len(keys) - each]) for each in range(count)]
            _put(wanted, keys, self.key, self.value)
            return _checked(jsonc.put(text, keys, self.key, self.value), wanted), made
        node = container.members[index].node
        _at(wanted, keys)[self.key if self.key is not None else index] = jsonc.merged(
            node.value, self.value
        )
        return _checked(jsonc.update(text, node, self.value), wanted), []

    def cut(self, text: str, made: Made) -> str:
        """The text without the entry, and without the containers of `made` that are empty then.

        Raises Damaged.
        """
        root = jsonc.parse(text)
        keys = self._keys(root)
        while found := self._found(jsonc.find(root, keys)):
            container, index, inner = found
            wanted = copy.deepcopy(root.value)
            there = _at(wanted, keys)
            if inner is None:
                del there[index if self.key is None else self.key]
                text = jsonc.cut(text, container, index)
            else:
                del there[index]["hooks"][inner]
                group = jsonc.find(container.members[index].node, ("hooks",))
                assert group is not None
                text = jsonc.cut(text, group, inner)
            root = jsonc.parse(_checked(text, wanted))
        for each in sorted(made, key=len, reverse=True):
            empty, outer = jsonc.find(root, each), jsonc.find(root, each[:-1])
            if empty is None or outer is None or empty.value:
                continue
            names = [other.key for other in outer.members]
            text = jsonc.cut(text, outer, names.index(each[-1]))
            root = jsonc.parse(text)
        return text

    def _keys(self, root: jsonc.Node) -> tuple[str, ...]:
        return self.below if self.below and jsonc.find(root, self.below) else self.keys

    def _index(self, container: jsonc.Node) -> int | None:
        """Which member of the container the entry is. Raises NotOurs, Damaged."""
        if self.key is None:
            jsonc.checked(container, list, self.keys[-1])
            ours = (
                index
                for index, each in enumerate(container.members)
                if self._is_ours(each.node.value)
            )
            return next(ours, None)
        found = jsonc.member(jsonc.checked(container, dict, self.keys[-1]), self.key)
        if found is None:
            return None
        if not self._is_ours(found.node.value):
            raise NotOurs(f"has an entry {self.key} that is not of this vox")
        return container.members.index(found)

    def _found(self, container: jsonc.Node | None) -> tuple[jsonc.Node, int, int | None] | None:
        """The container, the index of the entry in it and, if somebody put hooks of theirs into
        the same group, that of ours in the group; None: nothing of ours is there."""
        try:
            index = None if container is None else self._index(container)
        except NotOurs:
            return None
        if container is None or index is None:
            return None
        value = container.members[index].node.value
        group = value.get("hooks") if self.key is None else None
        ours = [is_hook(each, self.hook) for each in group] if isinstance(group, list) else [True]
        return container, index, None if all(ours) else ours.index(True)


@dataclass(frozen=True, slots=True)
class JsonDefault:
    """A member of a JSON file's object that the assistant wants to see there, such as a version."""

    path: str
    key: str
    value: Any
    is_mcp: bool = False

    def add(self, text: str) -> tuple[str, Made]:
        """The text with the member, whatever its value is. Raises Damaged."""
        text = _whole(text)
        root = jsonc.checked(jsonc.parse(text), dict, self.key)
        if jsonc.member(root, self.key) is not None:
            return text, []
        wanted = {**root.value, self.key: self.value}
        return _checked(jsonc.put(text, (), self.key, self.value), wanted), [[self.key]]

    def cut(self, text: str, made: Made) -> str:
        """The text without the member, if nothing else is left in a file that vox made."""
        root = jsonc.parse(text)
        is_left = [self.key] in made and root.value == {self.key: self.value}
        return jsonc.cut(text, root, 0) if is_left else text


def _whole(text: str) -> str:
    """The document; an empty file is an empty object."""
    return text if text.strip("\ufeff \t\r\n") else text + jsonc.EMPTY


def _at(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        value = value[key]
    return value


def _put(value: Any, keys: Sequence[str], key: str | None, new: Any) -> None:
    for name in keys[:-1]:
        value = value.setdefault(name, {})
    if key is None:
        value.setdefault(keys[-1], []).append(new)
    else:
        value.setdefault(keys[-1], {})[key] = new


def _checked(text: str, wanted: Any) -> str:
    """The text, if it says just that. Raises Damaged."""
    if jsonc.parse(text).value != wanted:
        raise Damaged("is written in a form that vox cannot edit")
    return text


def is_mcp_server(value: Any) -> bool:
    """Whether the entry starts `vox mcp`."""
    if not isinstance(value, Mapping):
        return False
    command, args = value.get("command"), value.get("args")
    words = command if isinstance(command, list) else [command, *(args or ())]
    return len(words) == 2 and words[1] == "mcp" and os.path.basename(str(words[0])) == "vox"


def is_hook(value: Any, hook: str) -> bool:
    """Whether something in the entry calls `vox hook` for that assistant."""
    if isinstance(value, str):
        return re.search(rf"/vox'? hook {re.escape(hook)}:", value) is not None
    if isinstance(value, Mapping):
        value = list(value.values())
    return isinstance(value, list) and any(is_hook(each, hook) for each in value)


@dataclass(frozen=True, slots=True)
class TomlTable:
    """A table [A.B] of a TOML file that starts `vox mcp`."""

    path: str
    table: tuple[str, str]
    values: Mapping[str, Any]
    is_mcp: bool = True

    def add(self, text: str) -> tuple[str, Made]:
        """The text with the table. Raises Damaged, NotOurs."""
        there = toml_tables.find(toml_tables.parse(text), self.table)
        if there is None:
            return toml_tables.append(text, self.table, dict(self.values)), []
        if not is_mcp_server(there):
            raise NotOurs(f"has a table {'.'.join(self.table)} that is not of this vox")
        return toml_tables.update(text, self.table, dict(self.values)), []

    def cut(self, text: str, _made: Made) -> str:
        """The text without the table. Raises Damaged."""
        there = toml_tables.find(toml_tables.parse(text), self.table)
        return toml_tables.cut(text, self.table) if is_mcp_server(there) else text


@dataclass(frozen=True, slots=True)
class YamlKey:
    """A key at the top level of a YAML file."""

    path: str
    key: str
    value: str | bool
    hook: str
    is_mcp: bool = False

    def add(self, text: str) -> tuple[str, Made]:
        """The text with the key. Raises Damaged, NotOurs."""
        there = yaml_keys.find(text, self.key)
        if there is None:
            return yaml_keys.append(text, self.key, self.value), [[self.key]]
        if self.value is True and there.partition("#")[0].strip().lower() in ("true", "yes", "on"):
            return text, []
        if not is_hook(there, self.hook):
            raise NotOurs(f"has {self.key} of its own")
        return yaml_keys.update(text, self.key, self.value), []

    def cut(self, text: str, made: Made) -> str:
        """The text without the key. Raises Damaged."""
        there = yaml_keys.find(text, self.key)
        is_ours = there is not None and (is_hook(there, self.hook) or [self.key] in made)
        return yaml_keys.cut(text, self.key) if is_ours else text


Shared = JsonEntry | JsonDefault | TomlTable | YamlKey
"""A change in a file that is the assistant's or the user's."""
Change = OwnFile | Shared
