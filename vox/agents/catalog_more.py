"""The assistants that tell vox less: hooks for the end of a turn, one signal, or MCP alone; and the
table of all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ..errors import BadInput
from . import texts
from .agent import Agent
from .catalog import (
    ALL_THREE,
    FAILURES,
    FULL,
    HOOK_TIMEOUT_S,
    TURNS,
    claude_hooks,
    hook_entries,
    mcp,
    opencode_changes,
    server,
    skill,
)
from .changes import Change, JsonEntry, OwnFile, YamlKey
from .places import Places, Program, exists


def kiro(places: Places, program: Program) -> Agent:
    root = os.path.join(places.home, ".kiro")
    hook = {
        "name": "vox",
        "trigger": "Stop",
        "action": {"type": "command", "command": program.hook("kiro:Stop")},
        "timeout": HOOK_TIMEOUT_S,
        "enabled": True,
    }
    rule = texts.with_front(texts.RULE, inclusion="always")
    return Agent(
        "kiro", "Kiro", ("kiro", "kiro-cli", root), TURNS, "docs of 2026-10",
        (
            OwnFile(
                os.path.join(root, "hooks", "vox.json"),
                texts.document({"version": "v1", "hooks": [hook]}),
            ),
            OwnFile(os.path.join(root, "steering", "vox.md"), rule),
            mcp(program, os.path.join(root, "settings", "mcp.json")),
        ),
    )  # fmt: skip


def windsurf(places: Places, program: Program) -> Agent:
    root = os.path.join(places.home, ".codeium", "windsurf")
    line = program.hook("windsurf:post_cascade_response")
    hooks = {"post_cascade_response": [{"command": line, "show_output": False}]}
    return Agent(
        "windsurf", "Windsurf", ("windsurf", root), TURNS, "docs of 2026-11",
        (
            *hook_entries(os.path.join(root, "hooks.json"), "windsurf", hooks),
            mcp(program, os.path.join(root, "mcp_config.json")),
        ),
    )  # fmt: skip


def cline(places: Places, program: Program) -> Agent:
    """Hooks are programs named after the event. Its command line reads both folders of them."""
    root = places.folder("CLINE_DIR", ".cline")
    documents = os.path.join(places.home, "Documents", "Cline")
    storages = places.storages("saoudrizwan.claude-dev")

    def hook(path: str, event: str) -> OwnFile:
        return OwnFile(path, f"#!/bin/sh\n{program.hook(f'cline:{event}')}\n", is_program=True)

    changes: tuple[Change, ...]
    if storages or os.path.isdir(documents):
        changes = (
            hook(os.path.join(documents, "Hooks", "TaskComplete"), "TaskComplete"),
            OwnFile(os.path.join(documents, "Rules", "vox.md"), texts.RULE),
        )
    else:
        changes = (
            hook(os.path.join(root, "hooks", "TaskComplete.sh"), "TaskComplete"),
            hook(os.path.join(root, "hooks", "TaskError.sh"), "TaskError"),
            OwnFile(os.path.join(root, "rules", "vox.md"), texts.RULE),
        )
    name = "cline_mcp_settings.json"
    servers = [os.path.join(each, "settings", name) for each in storages]
    if os.path.isdir(root) or not servers:
        own = places.environ.get("CLINE_MCP_SETTINGS_PATH")
        data = places.folder("CLINE_DATA_DIR", os.path.join(root, "data"))
        usual = exists(os.path.join(root, "mcp.json")) or os.path.join(data, "settings", name)
        servers.append(places.in_home(own) if own else usual)
    return Agent(
        "cline", "Cline", ("cline", root, documents, *storages), f"{TURNS}, {FAILURES}",
        "4.1.13, CLI 3.0.65",
        (*changes, *(mcp(program, path) for path in servers)),
    )  # fmt: skip


def junie(places: Places, program: Program) -> Agent:
    root = os.path.join(places.home, ".junie")
    hooks = claude_hooks(program, "junie", {"Stop": "", "StopFailure": ""})
    return Agent(
        "junie", "Junie CLI", ("junie", root), f"{TURNS}, {FAILURES}", "docs of 2026-08-12",
        (
            OwnFile(os.path.join(root, "skills", "vox", "SKILL.md"), texts.SKILL),
            *hook_entries(os.path.join(root, "config.json"), "junie", hooks),
            mcp(program, os.path.join(root, "mcp", "mcp.json")),
        ),
        then="restart junie",
    )  # fmt: skip


def amp(places: Places, program: Program) -> Agent:
    root = os.path.join(places.config, "amp")
    plugin = texts.plugin("amp.ts", "amp", program.path)
    return Agent(
        "amp", "Amp", (root,), f"{TURNS}, {FAILURES}", "docs of 2026-11",
        (
            OwnFile(os.path.join(root, "plugins", "vox.ts"), plugin),
            mcp(program, os.path.join(root, "settings.json"), "amp.mcpServers"),
        ),
        then="restart amp",
    )  # fmt: skip


def kilo(places: Places, program: Program) -> Agent:
    root = os.path.join(places.config, "kilo")
    return Agent(
        "kilo", "Kilo Code", (root,), ALL_THREE, "7.8.1",
        opencode_changes(places, program, root, "plugin", "kilo"),
        then="restart kilo",
    )  # fmt: skip


def aider(places: Places, program: Program) -> Agent:
    path = os.path.join(places.home, ".aider.conf.yml")
    line = program.hook("aider:notify", " </dev/null")
    return Agent(
        "aider", "Aider", ("aider", path), "when it waits", "0.86.3",
        (
            YamlKey(path, "notifications-command", line, "aider"),
            YamlKey(path, "notifications", True, "aider"),
        ),
    )  # fmt: skip


# -- MCP alone -------------------------------------------------------------------------------


def claude_desktop(places: Places, program: Program) -> Agent:
    root = os.path.join(places.applications, "Claude")
    path = os.path.join(root, "claude_desktop_config.json")
    changes = (mcp(program, path),)
    return Agent(
        "claude-desktop", "Claude Desktop", (root,), "", "docs of 2026-08-22", changes,
        then="restart Claude",
    )  # fmt: skip


def zed(places: Places, program: Program) -> Agent:
    """By its folder alone: the event daemon of ZFS is called zed as well."""
    root = os.path.join(places.config, "zed")
    entry = {"source": "custom", **server(program), "env": {}}
    path = os.path.join(root, "settings.json")
    changes = (JsonEntry(path, ("context_servers",), "vox", entry),)
    return Agent("zed", "Zed", (root,), "", "docs of 2026-08", changes)


def crush(places: Places, program: Program) -> Agent:
    root = places.folder("CRUSH_GLOBAL_CONFIG", os.path.join(places.config, "crush"))
    path = os.path.join(root, "crush.json")
    changes = (skill(places), mcp(program, path, "mcp", type="stdio"))
    return Agent("crush", "Crush", ("crush", root), "", "0.90", changes, then="restart crush")


def roo(places: Places, program: Program) -> Agent:
    extension = "rooveterinaryinc.roo-cline"
    usual = os.path.join(places.code_users()[0], "globalStorage", extension)
    storages = places.storages(extension) or [usual]
    root = os.path.join(places.home, ".roo")
    return Agent(
        "roo", "Roo Code", (root, *storages), "", "3.52.1",
        (
            OwnFile(os.path.join(root, "rules", "vox.md"), texts.MCP_RULE, is_mcp=True),
            *(
                mcp(program, os.path.join(each, "settings", "mcp_settings.json"))
                for each in storages
            ),
        ),
        aliases=("roo-code",),
    )  # fmt: skip


def warp(places: Places, program: Program) -> Agent:
    path = os.path.join(places.home, ".agents", ".mcp.json")
    root = os.path.join(places.home, ".warp")
    return Agent(
        "warp", "Warp", ("warp-terminal", root), "", "docs of 2026-05-01", (mcp(program, path),),
        then="allow the MCP server vox in the settings of Warp",
    )  # fmt: skip


_ALL: Sequence[Callable[[Places, Program], Agent]] = (
    *FULL, kiro, windsurf, cline, junie, amp, kilo, aider, claude_desktop, zed, crush, roo, warp
)  # fmt: skip


def agents(places: Places, program: Program) -> dict[str, Agent]:
    """All assistants, by name, in the order in which they are shown."""
    return {agent.name: agent for agent in (make(places, program) for make in _ALL)}


def chosen(known: dict[str, Agent], names: Sequence[str]) -> list[Agent]:
    """Those of these names or aliases, each once. Raises BadInput."""
    aliases = {alias: agent.name for agent in known.values() for alias in agent.aliases}
    found = {}
    for name in names:
        key = aliases.get(name.lower(), name.lower())
        if key not in known:
            raise BadInput(f"unknown assistant {name!r}", f"use: {', '.join(known)}")
        found[key] = known[key]
    return list(found.values())
