"""What an assistant is to `vox init`."""

from __future__ import annotations

from dataclasses import dataclass

from .changes import Change


@dataclass(frozen=True, slots=True)
class Agent:
    """An assistant, as it is to be set up for one user and one vox."""

    name: str
    title: str
    found_by: tuple[str, ...]
    """Programs, and folders (absolute paths): one of them is there where the assistant is."""
    speaks: str
    """What hooks say of it; "": it has none, so only its own use of MCP speaks."""
    looked_at: str
    """The version of the format."""
    changes: tuple[Change, ...]
    then: str = ""
    """What the user must still do."""
    aliases: tuple[str, ...] = ()
