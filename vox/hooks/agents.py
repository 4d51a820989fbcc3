"""Which assistants call `vox hook`, and what each of their events says: a table for each.

Looked up in the assistants' documentation and sources of November 2026. Pure functions over their
JSON, of which nothing is taken for granted; only a transcript that it names is read. An event that
is in no table says nothing: what an assistant does all day, such as a tool that failed, and what
its sub-agents say.
"""

from __future__ import annotations

from .questions import asked, permission, word
from .summary import sayable
from .transcript import last_message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Parse = Callable[[str], object]
    """Reads JSON; raises ValueError."""
    Found = tuple[str, str] | None
    """The kind, and of a turn the assistant's message, else the sentence to say."""
    Reader = Callable[["Event"], Found]

TURN, QUESTION, FAILURE = "turn", "question", "failure"
DRAFT = "draft"
"""A message that is said at the end of the turn, by an event that does not have it."""


class Event:
    """What an assistant tells a hook."""

    __slots__ = ("name", "parse", "payload")

    def __init__(self, name: str, payload: dict[str, object], parse: Parse) -> None:
        """`name`: the assistant's, as it is said."""
        self.name, self.payload, self.parse = name, payload, parse

    def text(self, *keys: str) -> str:
        """The text at that place of the payload, "" if there is none."""
        value: object = self.payload
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value.strip() if isinstance(value, str) else ""

    def get(self, key: str) -> object:
        return self.payload.get(key)


class Agent:
    """An assistant: its name as it is said, and its events."""

    __slots__ = ("answer", "done", "events", "name", "tells")

    def __init__(
        self,
        name: str,
        events: dict[str, Reader],
        answer: str = "",
        done: str = "is done",
        tells: bool = True,
    ) -> None:
        """`answer`: what its hooks print for it to go on. `done`: what is said of a turn without
        a message. `tells`: whether its hooks are given JSON."""
        self.name, self.events, self.answer, self.done = name, events, answer, done
        self.tells = tells


def turn(*keys: str) -> Reader:
    """The end of a turn, with the message at that place of the payload."""
    return lambda event: (TURN, event.text(*keys))


def _stop(event: Event) -> Found:
    return _top_level_turn(event, event.text("last_assistant_message"))


def _top_level_turn(event: Event, message: str) -> Found:
    """Nothing of a turn that a hook has go on, for it ends once more, nor of a sub-agent's."""
    if event.get("stop_hook_active") is True or event.get("agent_id"):
        return None
    return TURN, message


def _stop_failure(event: Event) -> Found:
    reason = event.text("error")
    if reason in ("", "unknown"):
        reason = event.text("error_details") or event.text("last_assistant_message")
    return FAILURE, reason.replace("_", " ")


def failure(*keys: str) -> Reader:
    return lambda event: (FAILURE, event.text(*keys))


def _permission(event: Event) -> Found:
    tool = event.text("tool_name")
    if tool in _TOOLS_THAT_ASK:
        return None  # said before, by the event of the tool itself
    return QUESTION, permission(event.name, tool, event.get("tool_input"))


_TOOLS_THAT_ASK = (
    "AskUserQuestion", "ExitPlanMode", "request_user_input", "ask_user", "ask_user_question"
)  # fmt: skip


def _tool(event: Event) -> Found:
    """A tool that is about to run: said if it asks the user."""
    tool = event.text("tool_name")
    if tool not in _TOOLS_THAT_ASK:
        return None
    if tool == "ExitPlanMode":
        return QUESTION, f"{event.name} has a plan and waits for your approval."
    return QUESTION, asked(event.name, event.get("tool_input"))


def _elicitation(event: Event) -> Found:
    who = word(event.payload, "mcp_server_name") or event.name
    message = word(event.payload, "message")
    return QUESTION, f"{who} asks: {message}" if message else f"{who} has a question."


def notification(*types: str) -> Reader:
    """A notification of one of these types; its own words are said."""

    def read(event: Event) -> Found:
        if event.text("notification_type") not in types:
            return None
        message = word(event.payload, "message")
        return QUESTION, message if sayable(message) else f"{event.name} waits for you."

    return read


def _gemini_turn(event: Event) -> Found:
    message = event.text("prompt_response")
    return _top_level_turn(event, "" if message == "[no response text]" else message)


def _gemini_notification(event: Event) -> Found:
    details = event.get("details")
    details = details if isinstance(details, dict) else {}
    if event.text("notification_type") != "ToolPermission" or details.get("type") == "ask_user":
        return None
    kinds = {"exec": "the shell", "edit": "Edit", "mcp": word(details, "toolName") or "a tool"}
    named = {"command": details.get("command"), "path": details.get("fileName")}
    return QUESTION, permission(event.name, kinds.get(str(details.get("type")), "a tool"), named)


def _cursor_draft(event: Event) -> Found:
    return (DRAFT, event.text("text")) if event.text("text") else None


def _cursor_stop(event: Event) -> Found:
    status = event.text("status")
    return {"completed": (TURN, ""), "error": (FAILURE, "")}.get(status)


def _copilot_stop(event: Event) -> Found:
    path = event.text("transcript_path") or event.text("transcriptPath")
    return _top_level_turn(event, last_message(path, event.parse) if path else "")


def _copilot_error(event: Event) -> Found:
    if event.get("recoverable") is not False:
        return None
    if event.text("errorContext") not in ("model_call", "system"):
        return None
    return FAILURE, event.text("error", "message")


def _opencode_permission(event: Event) -> Found:
    patterns = event.get("patterns")
    first = patterns[0] if isinstance(patterns, list) and patterns else None
    return QUESTION, permission(event.name, event.text("text"), {"command": first})


def _questions(event: Event) -> Found:
    return QUESTION, asked(event.name, event.get("questions"))


def _windsurf_response(event: Event) -> Found:
    """The last part of what it wrote since its user's last message."""
    return TURN, event.text("tool_info", "response").rpartition("### Planner Response")[2]


def _cline_turn(event: Event) -> Found:
    if event.get("parent_agent_id"):
        return None
    return TURN, event.text("turn", "outputText") or event.text(
        "taskComplete", "taskMetadata", "result"
    )


def _cline_error(event: Event) -> Found:
    return None if event.get("parent_agent_id") else (FAILURE, event.text("error", "message"))


def _amp_end(event: Event) -> Found:
    status = event.text("status")
    if status == "cancelled":
        return None
    return (FAILURE, "") if status == "error" else (TURN, event.text("text"))


def _own_words(event: Event) -> Found:
    text = word(event.payload, "text")
    return QUESTION, text if sayable(text) else f"{event.name} has a question."


_OPENCODE: dict[str, Reader] = {
    "end": turn("text"),
    "permission": _opencode_permission,
    "question": _questions,
    "error": failure("error"),
}

AGENTS: dict[str, Agent] = {
    "claude": Agent("Claude", {
        "Stop": _stop,
        "StopFailure": _stop_failure,
        "PermissionRequest": _permission,
        "PreToolUse": _tool,
        "Elicitation": _elicitation,
        "Notification": notification(
            "permission_prompt", "agent_needs_input", "elicitation_dialog"
        ),
    }),
    "codex": Agent("Codex", {
        "Stop": _stop,
        "PermissionRequest": _permission,
        "PreToolUse": _tool,
        "notify": turn("last-assistant-message"),
    }, answer="{}"),
    "gemini": Agent("Gemini", {
        "AfterAgent": _gemini_turn,
        "Notification": _gemini_notification,
        "BeforeTool": _tool,
    }, answer="{}"),
    "qwen": Agent("Qwen", {
        "Stop": _stop,
        "StopFailure": _stop_failure,
        "PermissionRequest": _permission,
        "PreToolUse": _tool,
        "Notification": notification("permission_prompt"),
    }),
    "cursor": Agent("Cursor", {
        "afterAgentResponse": _cursor_draft,
        "stop": _cursor_stop,
    }, answer="{}"),
    "copilot": Agent("Copilot", {
        "Stop": _copilot_stop,
        "agentStop": _copilot_stop,
        "notification": notification("permission_prompt", "elicitation_dialog"),
        "errorOccurred": _copilot_error,
    }, answer="{}"),
    "opencode": Agent("OpenCode", _OPENCODE),
    "kilo": Agent("Kilo", _OPENCODE),
    "goose": Agent("Goose", {"Stop": _stop}),
    "kiro": Agent("Kiro", {"Stop": turn("assistant_response")}),
    "windsurf": Agent("Windsurf", {"post_cascade_response": _windsurf_response}),
    "cline": Agent("Cline", {"TaskComplete": _cline_turn, "TaskError": _cline_error}),
    "junie": Agent("Junie", {"Stop": _stop, "StopFailure": _stop_failure}, answer="{}"),
    "amp": Agent("Amp", {"end": _amp_end}),
    "aider": Agent("Aider", {"notify": turn("text")}, done="is waiting", tells=False),
    "generic": Agent("The assistant", {
        "turn": turn("text"),
        "question": _own_words,
        "failure": failure("text"),
    }),
}  # fmt: skip
"""By the name that stands before the colon in `vox hook AGENT:EVENT`."""
