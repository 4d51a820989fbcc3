"""The texts of the files that are vox's alone: skill, rules, plugins, manifests."""

from __future__ import annotations

import importlib.resources
import json
from typing import Any

DESCRIPTION = "Speaks the end of a turn, questions and failures."

SKILL = """\
---
name: vox
description: Speaks a short sentence aloud to the user with the vox command or MCP tool. Use when \
the user asks to be told something by voice, to have a text read aloud, or before a long step that \
needs them.
---
Use the MCP tool of vox if it is there, else run `vox --async "One short sentence."`. At most two
sentences, no code, no paths. Hooks of vox, where they are set up, speak the end of each turn and
questions: do not repeat those.
"""

RULE = """\
The user hears the end of each turn through vox. End your final message with one plain sentence
that says what was done or what you need.
"""

MCP_RULE = """\
When a task is done, or you need the user, say so with the speak tool of the MCP server vox: one
short plain sentence.
"""


def with_front(text: str, **front: str) -> str:
    """The rule with the head that the assistant wants to see."""
    lines = "".join(f"{key}: {value}\n" for key, value in front.items())
    return f"---\n{lines}---\n{text}"


def document(value: Any) -> str:
    """JSON for a file of vox's own."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def plugin(name: str, hook: str, program: str) -> str:
    """The plugin file `name` of this package, for that assistant and that vox."""
    text = importlib.resources.files(__package__).joinpath("plugins", name).read_text("utf-8")
    vox = json.dumps(program, ensure_ascii=False)
    return text.replace('"@VOX@"', vox).replace("@HOOK@", hook)
