"""The last message in the file that an assistant keeps of a session: a JSON object in each line.

For assistants whose hooks do not tell the message. Reads the end of the file only; what it does not
understand counts as not there.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False  # the module `typing` alone would cost half of a hook's time
if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES = 1_000_000


def last_message(path: str, parse: Callable[[str], object]) -> str:
    """What the assistant said since its user's last message, "" if that is not to be found.

    `parse`: reads JSON; raises ValueError.
    """
    for line in reversed(_end_of(path).splitlines()):
        if b"assistant" not in line and b"user" not in line:
            continue
        try:
            event = parse(line.decode("utf-8"))
        except (ValueError, RecursionError):
            continue
        if not isinstance(event, dict):
            continue
        if event.get("type") == "user.message":
            return ""
        if text := _said_in(event):
            return text
    return ""


def _said_in(event: dict[str, object]) -> str:
    """The words of an event of Copilot or of Claude; "" if it is another one."""
    if event.get("type") == "assistant.message" and isinstance(data := event.get("data"), dict):
        content = data.get("content")
        return content.strip() if isinstance(content, str) else ""
    if event.get("type") == "assistant" and isinstance(data := event.get("message"), dict):
        return texts(data.get("content"))
    return ""


def texts(content: object) -> str:
    """The text of a message that is made of parts."""
    parts = content if isinstance(content, list) else []
    found = [
        part["text"]
        for part in parts
        if isinstance(part, dict) and part.get("type") == "text"
        if isinstance(part.get("text"), str)
    ]
    return "\n".join(found).strip()


def _end_of(path: str) -> bytes:
    """The last bytes of a regular file; b"" if there is none."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return b""
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            return b""
        return os.pread(file, MOST_BYTES, max(0, found.st_size - MOST_BYTES))
    except OSError:
        return b""
    finally:
        os.close(file)
