"""Arguments of tools: their JSON schema and their checks, both derived from `jobs.Option`.

An error names the argument and what it may be. It never quotes a text that was to be spoken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import BadOption
from ..jobs import Option

Options = Mapping[str, Option]
"""The arguments of a tool by their names."""


def option(text: str, **more: Any) -> Option:
    """An argument that is no option of a request; `more`: see `jobs.Option`."""
    return Option(text, **more)


def schema(options: Options, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The JSON schema of a tool's arguments."""
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: _property(each) for name, each in options.items()},
        "additionalProperties": False,
    }
    return {**found, "required": list(required)} if required else found


def _property(each: Option) -> dict[str, Any]:
    about = {"description": each.help}
    if each.choices:
        return {"type": "string", "enum": list(each.choices), **about}
    if each.is_span:
        return {"type": ["string", "number"], **about}
    if each.kind is bool:
        return {"type": "boolean", **about}
    if each.kind is str:
        return {"type": "string", **about}
    bounds = {"exclusiveMinimum" if each.above else "minimum": each.low, "maximum": each.high}
    return {"type": "number", **{k: v for k, v in bounds.items() if math.isfinite(v)}, **about}


def checked(
    tool: str, options: Options, required: tuple[str, ...], given: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The arguments as the tool uses them: each is there, None (a flag: False) if not given.

    Raises BadOption.
    """
    given = given or {}
    for name in given:
        if name not in options:
            known = ", ".join(options) or "none"
            raise BadOption(f"{tool} has no argument {name[:40]!r}", f"it has: {known}", name)
    for name in required:
        if given.get(name) is None:
            raise BadOption(f"{tool} needs the argument {name}", field=name)
    # Models give "" for what they leave out.
    given = {name: None if value == "" else value for name, value in given.items()}
    checked = {name: _value(name, each, given.get(name)) for name, each in options.items()}
    return checked | {name: checked[name] or "" for name in required}


def _value(name: str, each: Option, value: Any) -> Any:
    each = each.changed(key=name)
    kinds = {str: "text", float: "a number", bool: "true or false"}
    is_good = value is None or isinstance(value, bool) is (each.kind is bool)
    if is_good and each.kind is str:
        is_good = value is None or isinstance(value, str)
    if is_good and each.kind is float and not each.is_span:
        is_good = value is None or isinstance(value, int | float)
    if not is_good or isinstance(value, list | dict):
        raise BadOption(f"{name} must be {kinds[each.kind]}", field=name)
    return each.check(value)
