"""The assistants that vox can be set up for, each with its files: those that tell all there is to
say. The others are in `catalog_more`.

The formats were looked up in documentation, sources and packages of November 2026; `looked_at`
names the version. `docs/assistants.md` shows this table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import texts
from .agent import Agent
from .changes import Change, JsonDefault, JsonEntry, OwnFile, TomlTable
from .places import Places, Program, exists

TURNS, QUESTIONS, FAILURES = "ends of turns", "questions", "failures"
ALL_THREE = f"{TURNS}, {QUESTIONS}, {FAILURES}"
HOOK_TIMEOUT_S = 10
"""After it an assistant may end `vox hook`, which takes a few hundredths of a second."""


def server(program: Program) -> dict[str, Any]:
    """The usual entry that starts an MCP server."""
    return {"command": program.path, "args": ["mcp"]}


def mcp(program: Program, path: str, keys: str = "mcpServers", **more: Any) -> JsonEntry:
    """The MCP server vox in a JSON file, under `keys`."""
    return JsonEntry(path, (keys,), "vox", {**more, **server(program)})


def skill(places: Places) -> OwnFile:
    """The skill where Codex, Gemini CLI, VS Code, OpenCode, Cline, Crush and others look."""
    path = os.path.join(places.home, ".agents", "skills", "vox", "SKILL.md")
    return OwnFile(path, texts.SKILL)


Hooks = dict[str, list[dict[str, Any]]]


def claude_hooks(
    program: Program,
    hook: str,
    events: Mapping[str, str],
    timeout: int = HOOK_TIMEOUT_S,
    **more: Any,
) -> Hooks:
    """Hooks in the form that Claude Code began with. `events`: each with its matcher, or ""."""

    def group(event: str, matcher: str) -> dict[str, Any]:
        line = program.hook(f"{hook}:{event}")
        called = {"type": "command", **more, "command": line, "timeout": timeout}
        return {**({"matcher": matcher} if matcher else {}), "hooks": [called]}

    return {event: [group(event, matcher)] for event, matcher in events.items()}


def hook_entries(path: str, hook: str, hooks: Hooks) -> list[JsonEntry]:
    """The hooks as changes of a file that others write into too."""
    return [
        JsonEntry(path, ("hooks", event), None, each, hook)
        for event, several in hooks.items()
        for each in several
    ]


def claude_code(places: Places, program: Program) -> Agent:
    """A plugin in the folder of skills: settings.json is also read by Cursor and VS Code."""
    root = places.folder("CLAUDE_CONFIG_DIR", ".claude")
    plugin = os.path.join(root, "skills", "vox")
    about = {"name": "vox", "version": "1.0.0", "description": texts.DESCRIPTION}
    events = {
        "Stop": "",
        "StopFailure": "",
        "PermissionRequest": "",
        "PreToolUse": "AskUserQuestion|ExitPlanMode",
        "Elicitation": "",
    }
    hooks = {"hooks": claude_hooks(program, "claude", events)}
    servers = {"mcpServers": {"vox": server(program)}}
    join = os.path.join
    return Agent(
        "claude-code", "Claude Code", ("claude", root), ALL_THREE, "2.1.332",
        (
            OwnFile(join(plugin, ".claude-plugin", "plugin.json"), texts.document(about)),
            OwnFile(join(plugin, "hooks", "hooks.json"), texts.document(hooks)),
            OwnFile(join(plugin, ".mcp.json"), texts.document(servers), is_mcp=True),
            OwnFile(join(plugin, "SKILL.md"), texts.SKILL),
            OwnFile(join(root, "rules", "vox.md"), texts.RULE),
        ),
        then="start a new session, or type /reload-plugins",
        aliases=("claude",),
    )  # fmt: skip


def codex(places: Places, program: Program) -> Agent:
    root = places.folder("CODEX_HOME", ".codex")
    events = {"Stop": "", "PermissionRequest": "", "PreToolUse": "^request_user_input$"}
    hooks = claude_hooks(program, "codex", events)
    return Agent(
        "codex", "Codex CLI", ("codex", root), f"{TURNS}, {QUESTIONS}", "0.171.0",
        (
            skill(places),
            *hook_entries(os.path.join(root, "hooks.json"), "codex", hooks),
            TomlTable(os.path.join(root, "config.toml"), ("mcp_servers", "vox"), server(program)),
        ),
        then=f"start codex, type /hooks and trust the {len(events)} hooks of vox",
        aliases=("codex-cli",),
    )  # fmt: skip


def gemini(places: Places, program: Program) -> Agent:
    root = places.folder("GEMINI_CLI_HOME", ".gemini", ".gemini")
    extension = os.path.join(root, "extensions", "vox")
    about: dict[str, Any] = {"name": "vox", "version": "1.0.0", "contextFileName": "VOX.md"}
    if program.has_mcp:
        about["mcpServers"] = {"vox": server(program)}
    events = {"AfterAgent": "", "Notification": "", "BeforeTool": "^ask_user$"}
    # It counts in milliseconds.
    hooks = claude_hooks(program, "gemini", events, timeout=HOOK_TIMEOUT_S * 1000, name="vox")
    manifest = os.path.join(extension, "gemini-extension.json")
    hooks_path = os.path.join(extension, "hooks", "hooks.json")
    return Agent(
        "gemini", "Gemini CLI", ("gemini", root), f"{TURNS}, {QUESTIONS}", "0.61.0",
        (
            OwnFile(manifest, texts.document(about)),
            OwnFile(hooks_path, texts.document({"hooks": hooks})),
            OwnFile(os.path.join(extension, "VOX.md"), texts.RULE),
            skill(places),
        ),
        then="restart gemini",
        aliases=("gemini-cli",),
    )  # fmt: skip


def qwen_code(places: Places, program: Program) -> Agent:
    root = places.folder("QWEN_HOME", ".qwen")
    settings = os.path.join(root, "settings.json")
    events = {
        "Stop": "",
        "StopFailure": "",
        "PermissionRequest": "",
        "PreToolUse": "^ask_user_question$",
    }
    return Agent(
        "qwen-code", "Qwen Code", ("qwen", root), ALL_THREE, "0.24.4",
        (
            OwnFile(os.path.join(root, "rules", "vox.md"), texts.RULE),
            OwnFile(os.path.join(root, "skills", "vox", "SKILL.md"), texts.SKILL),
            *hook_entries(settings, "qwen", claude_hooks(program, "qwen", events, name="vox")),
            mcp(program, settings),
        ),
        then="restart qwen",
        aliases=("qwen",),
    )  # fmt: skip


def cursor(places: Places, program: Program) -> Agent:
    root = os.path.join(places.home, ".cursor")
    path = os.path.join(root, "hooks.json")
    called = {
        event: [{"command": program.hook(f"cursor:{event}"), "timeout": HOOK_TIMEOUT_S}]
        for event in ("afterAgentResponse", "stop")
    }
    return Agent(
        "cursor", "Cursor", ("cursor", "cursor-agent", root, "/Applications/Cursor.app"),
        f"{TURNS}, {FAILURES}", "docs of 2026-11",
        (
            skill(places),
            JsonDefault(path, "version", 1),
            *hook_entries(path, "cursor", called),
            mcp(program, os.path.join(root, "mcp.json")),
        ),
    )  # fmt: skip


def copilot_files(places: Places, program: Program) -> tuple[OwnFile, OwnFile]:
    """Hooks and rules that Copilot CLI and VS Code both read."""
    root = places.folder("COPILOT_HOME", ".copilot")
    matchers = {
        "Stop": "",
        "notification": "permission_prompt|elicitation_dialog",
        "errorOccurred": "",
    }
    hooks = {
        event: [
            {
                "type": "command",
                **({"matcher": matcher} if matcher else {}),
                "command": program.hook(f"copilot:{event}"),
                "timeout": HOOK_TIMEOUT_S,
            }
        ]
        for event, matcher in matchers.items()
    }
    rule = texts.with_front(texts.RULE, applyTo="'**'")
    return (
        OwnFile(
            os.path.join(root, "hooks", "vox.json"), texts.document({"version": 1, "hooks": hooks})
        ),
        OwnFile(os.path.join(root, "instructions", "vox.instructions.md"), rule),
    )


def copilot(places: Places, program: Program) -> Agent:
    root = places.folder("COPILOT_HOME", ".copilot")
    servers = os.path.join(root, "mcp-config.json")
    entry = {"type": "local", **server(program), "tools": ["*"]}
    return Agent(
        "copilot", "Copilot CLI", ("copilot", root), ALL_THREE, "1.0.102",
        (
            *copilot_files(places, program),
            JsonEntry(servers, ("mcpServers",), "vox", entry),
        ),
        then="restart copilot",
        aliases=("copilot-cli",),
    )  # fmt: skip


def vscode(places: Places, program: Program) -> Agent:
    users = places.code_users()
    return Agent(
        "vscode", "VS Code", ("code", "code-insiders", "codium", *users), TURNS,
        "docs of 2026-06-03",
        (
            *copilot_files(places, program),
            skill(places),
            *(
                mcp(program, os.path.join(user, "mcp.json"), "servers", type="stdio")
                for user in users
            ),
        ),
        then="trust the MCP server vox when VS Code asks",
        aliases=("code", "vs-code"),
    )  # fmt: skip


def opencode(places: Places, program: Program) -> Agent:
    root = places.folder("OPENCODE_CONFIG_DIR", os.path.join(places.config, "opencode"))
    return Agent(
        "opencode", "OpenCode", ("opencode", root), ALL_THREE, "1.18.33",
        opencode_changes(places, program, root, "plugins", "opencode"),
        then="restart opencode",
    )  # fmt: skip


def opencode_changes(
    places: Places, program: Program, root: str, plugins: str, name: str
) -> tuple[Change, ...]:
    """Those of OpenCode and of what was made from it."""
    config = exists(*(os.path.join(root, f"{name}.{each}") for each in ("jsonc", "json")))
    config = config or os.path.join(root, f"{name}.json")
    entry = {"type": "local", "command": [program.path, "mcp"]}
    script = texts.plugin("opencode.js", name, program.path)
    return (
        OwnFile(os.path.join(root, plugins, "vox.js"), script),
        skill(places),
        JsonEntry(config, ("mcp",), "vox", entry, below=("mcp", "servers")),
    )


def goose(places: Places, program: Program) -> Agent:
    """By its folder alone: a tool for databases is called goose as well."""
    plugin = os.path.join(places.home, ".agents", "plugins", "vox")
    root = places.folder("GOOSE_PATH_ROOT", os.path.join(places.config, "goose"), "config")
    about = {"name": "vox", "version": "1.0.0", "description": texts.DESCRIPTION}
    hooks = {"hooks": claude_hooks(program, "goose", {"Stop": ""})}
    servers = {"mcpServers": {"vox": server(program)}}
    join = os.path.join
    return Agent(
        "goose", "Goose", (root,), TURNS, "docs of 2026-08",
        (
            OwnFile(join(plugin, "plugin.json"), texts.document(about)),
            OwnFile(join(plugin, "hooks", "hooks.json"), texts.document(hooks)),
            OwnFile(join(plugin, ".mcp.json"), texts.document(servers), is_mcp=True),
            skill(places),
        ),
        then="start a new session",
    )  # fmt: skip


FULL: Sequence[Callable[[Places, Program], Agent]] = (
    claude_code, codex, gemini, qwen_code, cursor, copilot, vscode, opencode, goose
)  # fmt: skip
