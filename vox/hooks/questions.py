"""What an assistant asks its user: a question, or leave to use a tool. Pure functions.

What a command does is said if the assistant says it, else which program it runs: nobody can listen
to a command.
"""

from __future__ import annotations

import os

from .summary import first_sentence, short

_PREPARE = frozenset("cd export set source . [ [[ if for while until case fi done esac".split())
"""Commands, and words of the shell, that only prepare for the one that matters."""
_STARTERS = frozenset("sudo env time exec nohup timeout then do else !".split())
"""Words before the one that matters, with options and numbers of their own."""
_WITH_VALUE = ("-u", "-g")
"""Options of these that have a value."""
MOST_OPTIONS = 4
"""A question with more options is said without them."""


def asked(name: str, tool_input: object) -> str:
    """The sentence for the questions in a tool's input: the first of them with its options."""
    given = tool_input.get("questions") if isinstance(tool_input, dict) else tool_input
    questions = _objects(given)
    texts = [word(one, "question") or word(one, "header") for one in questions]
    if not any(texts):
        return f"{name} has a question."
    at = next(at for at, text in enumerate(texts) if text)
    labels = [word(one, "label") for one in _objects(questions[at].get("options"))]
    said = f"{short(texts[at])} {_listed([label for label in labels if label])}".strip()
    many = f"has {len(questions)} questions" if len(questions) > 1 else "asks"
    return f"{name} {many}: {said}"


def _listed(labels: list[str]) -> str:
    if not 1 < len(labels) <= MOST_OPTIONS or sum(map(len, labels)) > 120:
        return ""
    return f"{', '.join(labels[:-1])} or {labels[-1]}?"


def permission(name: str, tool: str, tool_input: object) -> str:
    """The sentence for a tool that may run only if its user agrees."""
    details = tool_input if isinstance(tool_input, dict) else {}
    if description := word(details, "description"):
        about = short(first_sentence(description), 120)
    elif command := word(details, "command"):
        about = program(command)
    else:
        path = next(filter(None, (word(details, key) for key in ("file_path", "path"))), "")
        about = os.path.basename(path.rstrip("/"))
    wants = f"{name} wants to use {tool_name(tool)}" if tool else f"{name} asks for permission"
    return f"{wants}: {about.rstrip('.')}." if about else f"{wants}."


def tool_name(tool: str) -> str:
    """`mcp__github__create_issue` is "create issue of github"."""
    parts = tool.split("__")
    if parts[0] == "mcp" and len(parts) > 2:
        tool = f"{'__'.join(parts[2:])} of {parts[1]}"
    return short(tool.replace("_", " "), 60)


def program(command: str) -> str:
    """The program that a shell's command line runs first, and its first word: "git push"."""
    parts = command.replace("&&", "\n").replace(";", "\n").splitlines()
    found = [words for words in map(_program_and_more, parts) if words]
    words = next((words for words in found if words[0] not in _PREPARE), (found or [[""]])[0])
    first = os.path.basename(words[0].strip("\"'"))
    second = words[1] if len(words) > 1 else ""
    is_plain = second.replace("-", "").isalpha() and not second.startswith("-")
    return short(f"{first} {second}" if is_plain else first, 60)


def _program_and_more(part: str) -> list[str]:
    """The words of a command without the variables and programs that only start another one; none
    of a comment."""
    words = part.lstrip(" \t({\\").rstrip(" \t)}").split()
    if words and words[0].startswith("#"):
        return []
    while words and ("=" in words[0] or words[0] in _STARTERS):
        first = words.pop(0)
        while words and ("$(" in first and ")" not in first):
            first += words.pop(0)
        while words and (words[0][0] == "-" or words[0][0].isdigit()):
            del words[: 2 if words[0] in _WITH_VALUE else 1]
    return words


def word(values: dict[str, object], key: str) -> str:
    """The text under that key, in one line; "" if there is none."""
    value = values.get(key)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _objects(value: object) -> list[dict[str, object]]:
    """The objects in a JSON array; none if it is something else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
