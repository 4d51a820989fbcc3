"""What a hook says for an event: the words, and whose they are. Knows nothing of the queue."""

from __future__ import annotations

import os

from ..source_names import as_source, repository_name
from .agents import AGENTS, FAILURE, TURN, Event
from .questions import word
from .summary import first_sentence, short, summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .agents import Agent, Parse

MOST_QUESTION = 400
"""Characters of a question: its options are said too."""
_SESSION_KEYS = (
    "session_id", "sessionId", "conversation_id", "thread-id", "taskId", "trajectory_id"
)  # fmt: skip


class Said:
    """A message for the user. `kind`: turn, question, failure, or draft, which is not said yet."""

    __slots__ = ("agent", "cwd", "done", "kind", "name", "session", "source", "text")

    def __init__(self, agent: str, event: Event, kind: str, text: str, cwd: str) -> None:
        """`text`: the assistant's message if it is a turn or a draft, else the sentence.

        `cwd`: the folder of the process, for assistants that do not tell theirs.
        """
        self.agent, self.name, self.kind, self.text = agent, event.name, kind, text
        self.done = AGENTS[agent].done
        self.session = session_of(event.payload)
        self.cwd = folder_of(event.payload) or cwd
        names = repository_name(self.cwd), os.path.basename(self.cwd.rstrip("/"))
        self.source = next(filter(None, map(as_source, names)), agent)

    @property
    def line(self) -> str:
        """The words to speak."""
        if self.kind == TURN:
            return summary(self.text) or f"{self.name} {self.done} in {self.source}."
        if self.kind == FAILURE:
            why = short(first_sentence(" ".join(self.text.split())), 120).rstrip(".")
            return f"{self.name} stopped with an error{f': {why}' if why else ''}."
        return short(self.text, MOST_QUESTION)

    @property
    def key(self) -> str:
        """What a newer message of the same session replaces."""
        return f"hook:{self.agent}:{self.session or self.source}"


def said(agent: str, event: str, payload: dict[str, object], parse: Parse, cwd: str) -> Said | None:
    """What is said for an event of an assistant, None: nothing. Takes any payload."""
    known = AGENTS.get(agent)
    reader = known.events.get(event) if known else None
    if known is None or reader is None or is_foreign(agent, payload):
        return None
    name = _own_name(known, payload) if agent == "generic" else known.name
    told = Event(name, payload, parse)
    found = reader(told)
    return Said(agent, told, *found, cwd) if found else None


def _own_name(known: Agent, payload: dict[str, object]) -> str:
    return short(word(payload, "name"), 40) or known.name


def is_foreign(agent: str, payload: dict[str, object]) -> bool:
    """Whether another assistant runs the hook of this one, as some read each other's settings.

    That one has hooks of its own, or else its user wants none.
    """
    real = ""
    if "cursor_version" in payload:
        real = "cursor"
    elif "clineVersion" in payload:
        real = "cline"
    elif "agent_action_name" in payload:
        real = "windsurf"
    elif "hookEventName" in payload and "sessionId" in payload:
        real = "copilot"  # in VS Code
    return real not in ("", agent, "generic")


def session_of(payload: dict[str, object]) -> str:
    """The name of the session, "" if the assistant has none."""
    names = (word(payload, key) for key in _SESSION_KEYS)
    return next((name[:100] for name in names if name), "")


def folder_of(payload: dict[str, object]) -> str:
    """The folder that the session works in, "" if the assistant does not tell it."""
    for key in ("cwd", "working_dir"):
        folder = payload.get(key)
        if isinstance(folder, str) and folder.startswith("/"):
            return folder
    for key in ("workspace_roots", "workspaceRoots"):
        roots = payload.get(key)
        if isinstance(roots, list) and roots and isinstance(roots[0], str):
            return roots[0]
    return ""
