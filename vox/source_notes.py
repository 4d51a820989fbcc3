"""What users are told about sources that are paused or muted."""

from __future__ import annotations

import shlex
from collections.abc import Iterable


def paused_note(source: str) -> str:
    """Note for callers while that source is paused."""
    return f"speech from {source} is paused; to resume: vox resume --source {shlex.quote(source)}"


def muted_note(source: str) -> str:
    """Note on a job that was not heard because its source is muted."""
    return f"{source} is muted: this was not spoken; to unmute: {_unmute(source)}"


def notes_on(paused: Iterable[str], muted: Iterable[str]) -> list[str]:
    """Notes on all sources that are not heard now."""
    found = [paused_note(name) for name in paused]
    return found + [f"{name} is muted; to unmute: {_unmute(name)}" for name in muted]


def _unmute(source: str) -> str:
    return f"vox unmute --source {shlex.quote(source)}"
